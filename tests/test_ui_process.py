"""`thexp-pl ui` as a process: its port, its address, and how it ends."""

from __future__ import annotations

import contextlib
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import filelock
import pytest
from ui_helpers import DEADLINE, Server, record, serving

from thexp_pl.record.notes import read_notes
from thexp_pl.report.page import run_id


def ended(*words: str, code: str = "pass") -> tuple[int, str]:
    """Run a command that does not get so far as to serve; give its exit code and its one line."""
    program = f"{code}; from thexp_pl.cli.main import main; raise SystemExit(main())"
    done = subprocess.run(
        [sys.executable, "-c", program, "ui", *words], capture_output=True, text=True,
        timeout=DEADLINE,
    )  # fmt: skip
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    return done.returncode, done.stderr


def stopped(server: Server, number: signal.Signals) -> tuple[int, str]:
    """Send a signal; give what the process ended with, and what it said."""
    server.process.send_signal(number)
    out, err = server.process.communicate(timeout=DEADLINE)
    assert out == ""
    return server.process.returncode, err


def test_ctrl_c_ends_it_with_130_and_no_traceback(tmp_path: Path) -> None:
    with serving("--port", "0", "--exps_dir", str(record(tmp_path).root)) as server:
        assert stopped(server, signal.SIGINT) == (130, "interrupted\n")


def test_sigterm_ends_it_without_a_word(tmp_path: Path) -> None:
    with serving("--port", "0", "--exps_dir", str(record(tmp_path).root)) as server:
        assert stopped(server, signal.SIGTERM) == (-signal.SIGTERM, "")


def test_it_ends_though_a_browser_holds_a_connection_and_a_request_waits(tmp_path: Path) -> None:
    paths = record(tmp_path)
    with filelock.FileLock(paths.notes_lock), serving("--port", "0") as server:
        place = ("127.0.0.1", server.port)
        with (
            socket.create_connection(place, timeout=DEADLINE),
            socket.create_connection(place, timeout=DEADLINE) as asking,
        ):
            body = b'{"add": ["late"]}'
            head = (
                f"POST /api/run/{run_id(paths)}/notes HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n"
                f"Cookie: {server.cookie}\r\nOrigin: {server.base}\r\nX-Thexp: 1\r\n"
                f"Content-Length: {len(body)}\r\n\r\n"
            )
            asking.sendall(head.encode() + body)
            assert server.get("/api/rows").status == 200  # others are answered meanwhile
            assert stopped(server, signal.SIGINT)[0] == 130
            with contextlib.suppress(ConnectionResetError):
                assert asking.recv(1) == b""  # it was not answered
    assert read_notes(paths)["tags"] == []


def test_two_servers_at_once_have_ports_and_cookies_of_their_own(tmp_path: Path) -> None:
    first, second = record(tmp_path / "a"), record(tmp_path / "b")
    with (
        serving("--exps_dir", str(first.root)) as one,
        serving("--exps_dir", str(second.root)) as two,
    ):
        assert one.port != two.port
        # a browser sends the cookies of all ports to each
        for each in (one, two):
            each.cookie = "; ".join(sorted({one.cookie, two.cookie, *each.cookie.split("; ")}))
        assert [row["key"] for row in one.get("/api/rows").json["rows"]] == [first.key]
        assert [row["key"] for row in two.get("/api/rows").json["rows"]] == [second.key]
        assert one.ask(f"/?token={two.token}").status == 403


def test_a_port_that_is_taken_is_said_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, line = ended("--port", str(port))
    assert code == 2
    assert f"port {port}" in line
    assert "--port" in line


@pytest.mark.parametrize("port", ["65536", "-1", "x", "8_0", "٣"])
def test_what_is_no_port_is_refused(port: str) -> None:
    code, line = ended(f"--port={port}")
    assert code == 2
    assert "0 to 65535" in line


def test_a_root_that_is_not_there_is_refused(tmp_path: Path) -> None:
    code, line = ended("--exps_dir", str(tmp_path / "nowhere"))
    assert code == 2
    assert "nowhere" in line


def test_a_home_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.touch()
    code, line = ended(code=f"import os; os.environ['THEXP_HOME'] = {str(home)!r}")
    assert code == 2
    assert "THEXP_HOME" in line


@pytest.mark.parametrize("package", ["uvicorn", "starlette", "jinja2", "plotly", "pygments"])
def test_a_package_that_is_absent_is_named_with_its_extra(package: str) -> None:
    code, line = ended(code=f"import sys; sys.modules[{package!r}] = None")
    assert code == 2
    assert f"needs the package {package}" in line
    assert "thexp-pl[ui]" in line


def test_open_gives_the_browser_an_address_that_is_spent_once(tmp_path: Path) -> None:
    record(tmp_path / "root")
    program, told = tmp_path / "browser", tmp_path / "told"
    program.write_text(f'#!/bin/sh\necho "$1" > "{told}.new"\nmv "{told}.new" "{told}"\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    with serving("--port", "0", "--open", BROWSER=f"{program} %s") as server:
        deadline = time.monotonic() + DEADLINE
        while not told.exists():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        address = told.read_text().strip()
        assert address.startswith(f"{server.base}/?token=")
        assert server.token not in address
        path = address.removeprefix(server.base)
        assert server.ask(path).status == 303
        assert server.ask(path).status == 403
        assert server.ask(f"/?token={server.token}").status == 303


def test_many_ask_at_once_and_all_are_answered(tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    made = [record(tmp_path).key for _ in range(5)]
    with serving("--port", "0") as server, ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda _: server.get("/api/rows", reverse=1).json, range(100)))
    assert all([row["key"] for row in each["rows"]] == made[::-1] for each in found)
