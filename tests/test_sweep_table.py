"""What a sweep shows while it goes on: lines in a pipe, a table at a real terminal."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import struct
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.cells import cell_len
from sweep_local_helpers import PLAIN, SECONDS, light_sweep, root, run_all, until

from thexp_pl.cli.output.sweep_table import sweep_listener
from thexp_pl.record.paths import RunPaths
from thexp_pl.sweeps.attempt import begin_attempt
from thexp_pl.sweeps.point import Point
from thexp_pl.sweeps.standing import State
from thexp_pl.sweeps.summary import Listener, Summary
from thexp_pl.sweeps.sweep import Sweep, read_points

__all__ = ["root"]

_HOSTILE = "a\x1b]0;owned\x07\n[bold]b\u202e"
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """A real pair of pseudo-terminals, whose screen is read."""

    def __init__(self, columns: int = 80, lines: int = 24) -> None:
        self._reader, writer = pty.openpty()
        self.stream = os.fdopen(writer, "w")
        os.set_blocking(self._reader, False)
        self.resize(columns, lines)

    def resize(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self.stream, termios.TIOCSWINSZ, struct.pack("4H", lines, columns, 0, 0))

    def read(self) -> str:
        """Give what was written since the last time."""
        self.stream.flush()
        found = b""
        while True:
            try:
                found += os.read(self._reader, 65536)
            except BlockingIOError:
                return found.decode()

    def lines(self) -> list[str]:
        """Give the lines that were written since the last time, as they are seen."""
        return [line.strip("\r") for line in _CONTROL.sub("", self.read()).split("\n")]

    def close(self) -> None:
        self.stream.close()
        os.close(self._reader)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    for name in ("COLUMNS", "LINES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    opened = Terminal()
    yield opened
    opened.close()


@contextlib.contextmanager
def shown_at(terminal: Terminal, sweep: Sweep) -> Iterator[Listener]:
    before, sys.stdout = sys.stdout, terminal.stream
    kept = os.dup(1)
    os.dup2(terminal.stream.fileno(), 1)  # whose size is that of the terminal
    try:
        with sweep_listener(sweep) as listener:
            yield listener
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        sys.stdout = before


def _points(count: int) -> list[Point]:
    return [Point(n, {"optim.lr": f"0.{n}", "note": "x" * 100}) for n in range(count)]


def _failed(sweep: Sweep) -> State:
    return State("failed", RunPaths(sweep.paths.root, "light", "26-11-23-000000-aaaa"))


def test_in_a_pipe_each_event_is_a_line(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    body = f"{PLAIN}\nif lr == '2': raise SystemExit('no luck')"
    sweep = light_sweep(root, body.replace("with", "if lr != '2':\n  with"), ["1", "2"])
    with sweep_listener(sweep) as listener:
        run_all(sweep, listener=listener)
    lines = sorted(capsys.readouterr().out.splitlines())
    assert [line.split("  ")[0].split(" 26-")[0] for line in lines] == [
        "point 0 begun",
        "point 0 finished",
        "point 1 begun",
        "point 1 failed: no luck",
    ]
    assert all(f"lr={number // 2 + 1}" in line for number, line in enumerate(lines))
    assert lines[-1].endswith(f"log: {sweep.paths.log(1)}")


def test_what_is_waited_for_is_said_once(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sweep = light_sweep(root, PLAIN, ["1"])
    with sweep_listener(sweep) as listener:
        for hindrance in ("waiting", "waiting", "", "waiting"):
            listener.looked(Summary(1), [], hindrance)
    assert capsys.readouterr().out == "waiting\n"


@pytest.mark.parametrize("is_terminal", [True, False])
def test_hostile_values_are_shown_and_never_obeyed(
    root: Path, is_terminal: bool, terminal: Terminal, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep = light_sweep(root, PLAIN, ["1"])
    point = Point(0, {f"n{_HOSTILE}": _HOSTILE})
    opened = shown_at(terminal, sweep) if is_terminal else sweep_listener(sweep)
    with opened as listener:
        listener.begun(point)
        listener.looked(Summary(1), [point], _HOSTILE)
        listener.ended(point, _failed(sweep), _HOSTILE, again=False)
        listener.said(_HOSTILE)
    seen = terminal.read() if is_terminal else capsys.readouterr().out
    assert "owned" in seen
    assert "[bold]b" in seen
    assert not any(letter in seen for letter in ("\x1b]", "\x07", "\u202e"))


def test_ten_thousand_points_fit_a_small_terminal(root: Path, terminal: Terminal) -> None:
    sweep = light_sweep(root, PLAIN, ["1"])
    with shown_at(terminal, sweep) as table:
        start = time.process_time()
        table.looked(Summary(10_000, 1234, 0, 3), _points(64), "")
        lines = terminal.lines()
        assert time.process_time() - start < 5
    assert lines[0].startswith("1234 of 10000 done, 64 running, 8699 waiting, 3 failed")
    assert len(lines) <= 24
    assert max(map(cell_len, lines)) <= 80
    assert "optim.lr=0.3" in "".join(lines)
    assert lines[-1] == "and 44 more that run"


def test_a_resized_terminal_is_drawn_anew(root: Path, terminal: Terminal) -> None:
    sweep = light_sweep(root, PLAIN, ["1"])
    points = _points(64)
    with shown_at(terminal, sweep) as table:
        table.looked(Summary(100), points, "")
        table.ended(Point(99), _failed(sweep), "no luck", again=False)
        terminal.read()
        terminal.resize(50, 10)
        table.ended(points[0], State("finished"), "", again=False)
        table.looked(Summary(100, 1), points, "")
        text = terminal.read()
        lines = _CONTROL.sub("", text.rpartition("\x1b[2J")[2]).splitlines()
    assert "\x1b[2J" in text
    assert max(map(cell_len, lines)) <= 50
    assert lines[0].startswith("point 99 failed: no luck")  # printed again
    place = next(n for n, line in enumerate(lines) if line.startswith("1 of 100 done"))
    assert len(lines) - place <= 10


def test_the_table_shows_how_far_a_run_is(root: Path, terminal: Terminal) -> None:
    body = """
    with recorded() as exp:
        for epoch in range(3000):
            exp.log_metrics(epoch * 10, epoch, {"acc": 0.5, "train_loss": epoch / 4})
        exp.flush()
        (here / "flushed").touch()
        wait_for("go")
    """
    sweep = light_sweep(root, body, ["1"])
    point = read_points(sweep)[0]
    terminal.resize(120, 24)
    process = begin_attempt(sweep, point)
    until(lambda: (root.parent / "flushed").exists() or process.poll() is not None)
    assert process.poll() is None
    with shown_at(terminal, sweep) as table:
        table.begun(point)
        table.looked(Summary(1), [point], "")
        row = terminal.lines()[-1]
    (root.parent / "go").touch()
    assert process.wait(SECONDS) == 0
    assert "epoch 2999" in row
    assert "train_loss 749.75" in row
    assert "lr=1" in row


def test_failures_stay_on_the_screen_and_the_table_does_not(root: Path, terminal: Terminal) -> None:
    sweep = light_sweep(root, PLAIN, ["1"])
    with shown_at(terminal, sweep) as table:
        table.looked(Summary(2), _points(1), "")
        table.ended(Point(7), _failed(sweep), "ValueError: no", again=False)
    seen = terminal.read()
    assert "point 7 failed: ValueError: no 26-11-23-000000-aaaa" in _CONTROL.sub("", seen)
    assert seen.endswith(("\x1b[2K", "\x1b[?25h"))
    assert seen.count("\x1b[?25h") == 1  # the cursor is back
