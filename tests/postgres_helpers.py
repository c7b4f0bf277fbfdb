"""A PostgreSQL server of one's own on the loopback, and machines that share an index on it."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from port_helpers import kept_port

from thexp_pl import ExperimentViewer
from thexp_pl.runs import RunRow

_DEBIAN = Path("/usr/lib/postgresql")
_SECONDS = 180  # for any command, of the server's too
_USER = "postgres"  # a server refuses to run as root
PASSWORD = "s3cr3t%/word"
QUOTED = "s3cr3t%25%2Fword"


def program(name: str) -> str | None:
    """Find a program of PostgreSQL's, the newest release first."""
    found = sorted(_DEBIAN.glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3]))
    return str(found[-1]) if found else shutil.which(name)


needs_postgres = pytest.mark.skipif(
    program("initdb") is None or program("pg_ctl") is None,
    reason="no PostgreSQL server is installed (Debian: apt-get install postgresql)",
)


def _makes_hosts() -> bool:
    words = ["unshare", "--uts", "--mount", "true"]
    return bool(shutil.which("unshare")) and not subprocess.run(words, stderr=-3).returncode


needs_hosts = pytest.mark.skipif(
    not _makes_hosts(), reason="a host's name and mounts of its own need the rights of root"
)


class PostgresServer:
    """A server; each database in it is a team's index of its own."""

    def __init__(self, folder: Path, port: int) -> None:
        self.data = folder / "data"
        self.folder = folder
        self.port = port
        self._count = 0

    def url(self, database: str, user: str = "team", password: str = QUOTED) -> str:
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{database}"

    def new_database(self) -> str:
        """Make an empty database; give its name."""
        self._count += 1
        name = f"team{self._count}"
        self.ask(f"CREATE DATABASE {name} OWNER team", "postgres")
        return name

    def ask(self, sql: str, database: str) -> list[tuple[object, ...]]:
        """Ask as the server's owner."""
        import psycopg

        options = f"host={self.folder} port={self.port} user={_USER} dbname={database}"
        with psycopg.connect(options, autocommit=True, connect_timeout=60) as connection:
            cursor = connection.execute(sql)
            return cursor.fetchall() if cursor.description else []

    def control(self, *words: str) -> None:
        run("pg_ctl", "-D", str(self.data), "-w", "-t", str(_SECONDS - 10), *words)


@contextlib.contextmanager
def running_server() -> Iterator[PostgresServer]:
    """Run a server; its folder has a short path, for that of a socket may have 107 letters."""
    with tempfile.TemporaryDirectory(prefix="pg") as name, kept_port() as port:
        folder = Path(name)
        if os.geteuid() == 0:
            shutil.chown(folder, _USER)
        server = PostgresServer(folder, port)
        run("initdb", "-D", str(server.data), "-U", _USER, "-A", "trust", "-E", "UTF8", "-N")
        rules = "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
        (server.data / "pg_hba.conf").write_text(rules)
        options = (
            f"-p {server.port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
            " -c full_page_writes=off -c max_connections=40"
        )
        server.control("-o", options, "-l", str(folder / "log"), "start")
        try:
            quoted = PASSWORD.replace("'", "''")
            for user in ("team", "reader"):
                server.ask(f"CREATE USER {user} PASSWORD '{quoted}'", "postgres")
            yield server
        finally:
            server.control("-m", "immediate", "stop")


def run(name: str, *words: str) -> None:
    """Run one of the server's programs, never as root."""
    path = program(name)
    assert path is not None
    with tempfile.TemporaryFile() as told:  # a pipe would stay open as long as the server
        ended = subprocess.run(
            [path, *words],
            stdin=subprocess.DEVNULL,
            stdout=told,
            stderr=told,
            timeout=_SECONDS,
            cwd="/",
            user=_USER if os.geteuid() == 0 else None,
            group=_USER if os.geteuid() == 0 else None,
        )
        told.seek(0)
        assert ended.returncode == 0, told.read().decode("utf-8", "replace")


class Machine:
    """A machine of a team, as far as its index goes: a home, and roots that it can read."""

    def __init__(self, folder: Path, url: str, patch: pytest.MonkeyPatch) -> None:
        self.home = folder / "home"
        self.root = folder / "experiment"
        self.variables = {"THEXP_HOME": str(self.home), "THEXP_INDEX": url}
        self._patch = patch
        self._hidden = folder / "hidden"

    def __enter__(self) -> Machine:
        for name, value in self.variables.items():
            self._patch.setenv(name, value)
        return self

    def __exit__(self, *raised: object) -> None:
        self._patch.delenv("THEXP_INDEX")

    def record(self, **params: object) -> str:
        """Record a run on it; give its key."""
        from index_helpers import record

        with self:
            return record(self.root, **params).key

    def rows(self) -> dict[str, RunRow]:
        """Give all runs, as one reading of this machine's lists them."""
        with self:
            listed = ExperimentViewer().rows()
        found = {row.key: row for row in listed}
        assert len(found) == len(listed)
        return found

    def cut_off(self) -> None:
        """Let no other machine reach its files."""
        self.root.rename(self._hidden)

    def reached(self) -> None:
        self._hidden.rename(self.root)

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command on it."""
        return self._run("-m", "thexp_pl", *words)

    def python(self, program: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a program on it."""
        return self._run("-c", program, **variables)

    def _run(self, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *words],
            env={**os.environ, **self.variables, **variables},
            capture_output=True,
            text=True,
            timeout=_SECONDS,
        )


MakeMachine = Callable[..., Machine]


def on_another_host(machine: Machine, script: str, root: Path, before: str = "true") -> str:
    """Run a script as on a machine called ``second``, with mounts of its own; give its output."""
    shell = f'hostname second && {before} && exec "$@"'
    ended = subprocess.run(
        [*("unshare", "--uts", "--mount", "sh", "-c", shell, "sh"),
         *(sys.executable, "-c", script, str(root))],
        env={**os.environ, **machine.variables},
        capture_output=True,
        text=True,
        timeout=_SECONDS,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()
