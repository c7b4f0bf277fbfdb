"""`thexp-pl show --follow`: a run that goes on, shown until it has ended."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
from typed_commands import Typed, record, thexp_pl

from thexp_pl.record import Experiment

__all__ = ["thexp_pl"]

SECONDS = 180
HIDE, SHOW = b"\x1b[?25l", b"\x1b[?25h"  # the cursor


class Follower:
    """The command in a process of its own, and what it has printed so far."""

    def __init__(self, words: tuple[str, ...], output: int, terminal: int) -> None:
        self.text = b""
        self._output = output
        self.process = subprocess.Popen(
            [sys.executable, "-m", "thexp_pl", "show", *words, "--follow"],
            stdout=terminal,
            stderr=subprocess.STDOUT,
            env={**os.environ, "TERM": "xterm", "COLUMNS": "100", "LINES": "40"},
        )
        os.close(terminal)

    def wait_for(self, text: bytes) -> None:
        """Read until a text has come, or fail."""
        deadline = time.monotonic() + SECONDS
        while text not in self.text:
            assert self._read(deadline), (text, self.text)

    def ended(self) -> int:
        """Read all, and give the exit code."""
        deadline = time.monotonic() + SECONDS
        while self._read(deadline):
            pass
        return self.process.wait(SECONDS)

    def _read(self, deadline: float) -> bool:
        left = deadline - time.monotonic()
        ready, _, _ = select.select([self._output], [], [], max(left, 0))
        assert ready, self.text
        with contextlib.suppress(OSError):  # a terminal that nobody holds any more
            got = os.read(self._output, 65_536)
            self.text += got
            return bool(got)
        return False


@pytest.fixture
def following() -> Iterator[Any]:
    """Follow a run, in a pipe or at a terminal."""
    opened: list[Follower] = []

    def follow(*words: str, at_terminal: bool = False) -> Follower:
        opened.append(Follower(words, *(pty.openpty() if at_terminal else os.pipe())))
        return opened[-1]

    yield follow
    for one in opened:
        one.process.kill()
        one.process.wait(SECONDS)
        os.close(one._output)


@pytest.fixture
def running() -> Iterator[Experiment]:
    """A run of this process."""
    exp = Experiment("./experiment", "digits", code=False, console=False)
    exp.start_exp()
    yield exp
    exp.end_exp()


def test_in_a_pipe_each_epoch_and_status_is_a_line_until_the_run_has_ended(
    following: Any, running: Experiment
) -> None:
    follower = following("@last")
    follower.wait_for(f"status running  digits {running.key}\n".encode())
    running.log_metrics(9, 0, {"loss": 2.5, "loss_step": 9.0})
    running.flush()
    follower.wait_for(b"epoch 0  loss=2.5\n")
    running.log_metrics(19, 1, {"loss": 0.5, "acc": 0.75})
    running.flush()
    follower.wait_for(b"epoch 1  loss=0.5  acc=0.75\n")
    running.end_exp()
    assert follower.ended() == 0
    assert re.search(rb"\nstatus finished  \d+:\d\d:\d\d\n", follower.text)
    assert follower.text.count(b"\n") == 4


def test_a_run_that_is_killed_is_shown_as_killed(following: Any) -> None:
    script = """
import sys
from thexp_pl.record import Experiment
exp = Experiment("./experiment", "digits", code=False, console=False)
exp.start_exp()
print(exp.key, flush=True)
sys.stdin.read()
"""
    child = subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with child:
        assert child.stdout is not None
        follower = following(child.stdout.readline().strip())
        follower.wait_for(b"status running")
        child.kill()
        child.wait(SECONDS)
    assert follower.ended() == 0
    assert b"status killed" in follower.text


def test_an_ended_run_is_told_of_at_once(thexp_pl: Typed) -> None:
    record()
    lines = thexp_pl("show", "@last", "--follow", "--metrics", "loss").splitlines()
    assert lines[0] == "epoch 0  loss=0.5"
    assert lines[1].startswith("status finished")
    assert "did you mean 'loss'" in thexp_pl.ended("show", "@last", "--follow", "--metrics=los")[2]


def test_at_a_terminal_the_state_is_drawn_anew(following: Any, running: Experiment) -> None:
    follower = following("@last", at_terminal=True)
    follower.wait_for(b"running")
    running.log_metrics(9, 0, {"loss": 2.5})
    running.flush()
    follower.wait_for(b"2.5")
    assert HIDE in follower.text
    running.end_exp()
    assert follower.ended() == 0
    assert b"finished" in follower.text
    assert follower.text.rindex(SHOW) > follower.text.rindex(HIDE)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_leaving_it_gives_the_terminal_back(
    following: Any, running: Experiment, number: signal.Signals, code: int
) -> None:
    follower = following("@last", at_terminal=True)
    follower.wait_for(b"running")
    follower.process.send_signal(number)
    assert follower.ended() == code
    assert follower.text.rindex(SHOW) > follower.text.rindex(HIDE)
    assert b"Traceback" not in follower.text
    assert running.running
