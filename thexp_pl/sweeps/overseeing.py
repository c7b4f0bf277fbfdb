"""Waiting for the process of a point, with the signals that this process gets meanwhile."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

from thexp_pl.sweeps.standing import State

__all__ = ["oversee"]

_FORWARDED = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
_LOOK_SECONDS = 0.5  # between two looks at a process that is no child


def oversee(
    begin: Callable[[], subprocess.Popen[bytes]],
    already: type[Exception],
    state: Callable[[], State],
) -> int:
    """Start a process and wait for its end; where another lives, that one is waited for before.

    What the other leaves undone, such as one whose machine was lost, is begun here.

    Args:
        begin: Starts it, or raises what says that there is nothing left to do.
        already: What `begin` raises where another lives.
        state: Says how the point stands.

    Returns:
        As `thexp_pl.sweeps.attempt.run_attempt`.
    """
    with _Forwarding() as forwarding:
        while not forwarding.received:
            try:
                process = begin()
            except already:
                _wait_for_another(state, forwarding)
                continue
            forwarding.to(process)
            return process.wait()
        return 128 + forwarding.received[0]  # the other is not this process's to end


def _wait_for_another(state: Callable[[], State], forwarding: _Forwarding) -> None:
    while not forwarding.received and state().is_alive:
        time.sleep(_LOOK_SECONDS)


class _Forwarding(contextlib.AbstractContextManager["_Forwarding"]):
    """Hands signals on to a process; one that is ignored stays so.

    In another thread than the main one, Python sees to none.
    """

    def __init__(self) -> None:
        self.received: list[int] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> _Forwarding:
        if threading.current_thread() is threading.main_thread():
            self._previous = {
                number: signal.signal(number, self._handle)
                for number in _FORWARDED
                if signal.getsignal(number) not in (signal.SIG_IGN, None)
            }
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def to(self, process: subprocess.Popen[bytes]) -> None:
        """Hand on what has come so far, and what comes from now on."""
        self._process = process
        for number in dict.fromkeys(self.received):
            process.send_signal(number)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        is_again = number in self.received
        self.received.append(number)
        process = self._process
        if process is None:
            return
        if is_again and number == signal.SIGINT:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        elif not is_again:
            process.send_signal(number)
