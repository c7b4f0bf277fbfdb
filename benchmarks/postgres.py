"""A PostgreSQL server on the loopback, where one is installed."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.servers import free_port

__all__ = ["team_index"]

_DEBIAN = Path("/usr/lib/postgresql")
_USER = "postgres"  # a server refuses to run as root
_SECONDS = 60


@contextlib.contextmanager
def team_index(absent: list[str]) -> Iterator[str | None]:
    """Run a server.

    Args:
        absent: What cannot be measured is added here.

    Yields:
        What `THEXP_INDEX` is then; None where no server is installed.
    """
    places = sorted(_DEBIAN.glob("*/bin/pg_ctl"), key=lambda path: int(path.parts[-3]))
    control = str(places[-1]) if places else shutil.which("pg_ctl")
    if control is None:
        absent.append("a team's index: no PostgreSQL server is installed")
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="pg") as folder:
        if os.geteuid() == 0:
            shutil.chown(folder, _USER)
        port, data = free_port(), f"{folder}/data"
        options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1"
        _run(control, "initdb", "-D", data, "-o", f"-U {_USER} -A trust -N")
        _run(control, "start", "-w", "-D", data, "-o", options, "-l", f"{folder}/log")
        try:
            yield f"postgresql://{_USER}@127.0.0.1:{port}/{_USER}"
        finally:
            _run(control, "stop", "-w", "-D", data, "-m", "immediate")


def _run(*words: str) -> None:
    user = _USER if os.geteuid() == 0 else None
    subprocess.run(
        words, check=True, timeout=_SECONDS, cwd="/", user=user, stdout=subprocess.DEVNULL
    )
