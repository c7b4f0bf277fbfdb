"""A terminal that answers, for tests of what asks: a real pair of pseudo-terminals."""

from __future__ import annotations

import os
import pty
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

Answers = Callable[..., None]


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Iterator[Answers]:
    """Make stdin a terminal at which these lines have been typed."""
    opened: list[Any] = []

    def type_in(*lines: str) -> None:
        keyboard, terminal = pty.openpty()
        opened.extend((os.fdopen(keyboard, "wb", buffering=0), os.fdopen(terminal, "r")))
        os.write(keyboard, "".join(lines).encode())
        monkeypatch.setattr("sys.stdin", opened[-1])

    yield type_in
    for file in opened:
        file.close()


@pytest.fixture
def batch_job(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Make stdin what a scheduler gives a job."""
    with Path(os.devnull).open() as nothing:
        monkeypatch.setattr("sys.stdin", nothing)
        yield


@pytest.fixture(autouse=True)
def interrupts() -> Iterator[None]:
    """Have Ctrl-C mean what it did: Lightning ignores it once it has ended a training."""
    yield
    signal.signal(signal.SIGINT, signal.default_int_handler)
