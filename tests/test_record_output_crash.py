"""What a process that crashed leaves behind of the signal that ended it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thexp_pl.record.output import crash_signal

START = """
import faulthandler, os, signal, sys
from pathlib import Path
from thexp_pl.record.output import CrashTrace
path = Path("crash.txt")
trace = CrashTrace(path)
trace.start()
def deep_in_training():
    {}
"""
SEGFAULT = "import ctypes; ctypes.string_at(0)"


def crash(folder: Path, deed: str, before: str = "", *options: str) -> tuple[int, str]:
    """Run a script that crashes; give its exit code and what it said on stderr."""
    script = START.format(deed) + textwrap.dedent(before) + "\ndeep_in_training()\n"
    done = subprocess.run(
        [sys.executable, *options, "-c", script],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=180,
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize("name", ["SIGSEGV", "SIGFPE", "SIGABRT", "SIGBUS", "SIGILL"])
def test_a_fault_leaves_its_name_and_where_it_happened(tmp_path: Path, name: str) -> None:
    code, errors = crash(tmp_path, f"os.kill(os.getpid(), signal.{name})")
    assert (code, errors) == (-getattr(signal, name), "")
    assert crash_signal(tmp_path / "crash.txt") == name
    assert "in deep_in_training" in (tmp_path / "crash.txt").read_text()


@pytest.mark.parametrize(
    ("deed", "name"),
    [
        ("os.abort()", "SIGABRT"),
        (SEGFAULT, "SIGSEGV"),
        ("import threading; threading.Thread(target=os.abort).start(); signal.pause()", "SIGABRT"),
    ],
)
def test_a_crash_of_its_own_leaves_it_too(tmp_path: Path, deed: str, name: str) -> None:
    code, _ = crash(tmp_path, deed)
    assert code == -getattr(signal, name)
    assert crash_signal(tmp_path / "crash.txt") == name


@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM", "SIGINT"])
def test_other_signals_leave_none(tmp_path: Path, name: str) -> None:
    crash(tmp_path, f"os.kill(os.getpid(), signal.{name})")
    assert crash_signal(tmp_path / "crash.txt") is None


def test_an_orderly_end_leaves_no_file(tmp_path: Path) -> None:
    script = (
        "assert path.exists(); trace.stop(); trace.stop()\nassert not faulthandler.is_enabled()"
    )
    assert crash(tmp_path, "print('well')", script) == (0, "")
    assert not (tmp_path / "crash.txt").exists()


def test_an_orderly_end_leaves_the_trace_of_an_earlier_crash(tmp_path: Path) -> None:
    crash(tmp_path, "os.abort()")
    assert crash(tmp_path, "print('well')", "trace.stop()") == (0, "")
    assert crash_signal(tmp_path / "crash.txt") == "SIGABRT"


def test_a_fault_handler_that_was_on_before_stays_as_it_is(tmp_path: Path) -> None:
    code, errors = crash(tmp_path, "os.abort()", "trace.stop()", "-X", "faulthandler")
    assert code == -signal.SIGABRT
    assert errors.startswith("Fatal Python error: Aborted")
    assert not (tmp_path / "crash.txt").exists()


def test_one_that_was_put_in_later_stays_too(tmp_path: Path) -> None:
    later = """
    other = open("other.txt", "w")
    faulthandler.enable(other)
    trace.stop()
    assert not path.exists()
    """
    assert crash(tmp_path, "os.abort()", later) == (-signal.SIGABRT, "")
    assert crash_signal(tmp_path / "other.txt") == "SIGABRT"


def test_a_second_open_run_leaves_the_first_ones_trace_alone(tmp_path: Path) -> None:
    second = """
    other = CrashTrace(Path("second.txt"))
    other.start()
    other.stop()
    """
    crash(tmp_path, "os.abort()", second)
    assert crash_signal(tmp_path / "crash.txt") == "SIGABRT"


@pytest.mark.parametrize("end", ["os.abort()", "trace.stop(); os._exit(0)"])
def test_the_end_of_a_forked_child_is_not_that_of_the_run(tmp_path: Path, end: str) -> None:
    child = f"""
    if os.fork() == 0:
        {end}
    os.wait()
    assert path.read_text() == ""
    if len(sys.argv) > 1: trace.stop()
    """
    crash(tmp_path, SEGFAULT, child)
    assert crash_signal(tmp_path / "crash.txt") == "SIGSEGV"


def test_a_file_that_is_not_there_or_cannot_be_read_says_nothing(tmp_path: Path) -> None:
    assert crash_signal(tmp_path / "none") is None
    assert crash_signal(tmp_path) is None
    os.mkfifo(tmp_path / "pipe")
    assert crash_signal(tmp_path / "pipe") is None
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(1 << 40)
    assert crash_signal(tmp_path / "huge") is None


@given(st.binary(max_size=200))
def test_any_bytes_are_read_without_an_error(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "crash.txt"
    path.write_bytes(data)
    assert crash_signal(path) is None
    path.write_bytes(b"Fatal Python error: Bus error\n" + data)
    assert crash_signal(path) == "SIGBUS"
