"""Lets open runs end by themselves: at the interpreter's exit, at an exception, at SIGTERM.

One hook of each kind serves all runs of the process, and what was there before it still happens.
A forked child has the hooks too: it is the run that knows its own process and does nothing there.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
from types import FrameType, TracebackType
from typing import Any, Protocol

__all__ = ["OpenRun", "forget", "status_of", "watch"]


class OpenRun(Protocol):
    """A run that can be told to end."""

    def finish(
        self, status: str, exception: BaseException | None = None, signal_name: str | None = None
    ) -> None:
        """End it; nothing in another process than its own."""


_open: list[OpenRun] = []
_previous_excepthook: Any = None
_previous_sigterm: Any = None
_signal_name: str | None = None


def watch(run: OpenRun) -> None:
    """End a run when the process ends, unless it has ended before.

    Args:
        run: The run.
    """
    global _signal_name
    if not _open:
        _signal_name = None  # one that an earlier run survived
    _install()
    _open.append(run)


def forget(run: OpenRun) -> None:
    """Take a run that has ended out of the watch.

    Args:
        run: The run.
    """
    _open[:] = [other for other in _open if other is not run]
    if not _open:
        _uninstall()


def status_of(exception: BaseException | None) -> str:
    """Say what an exception makes of the run that it ends.

    Args:
        exception: What was raised; None for none.

    Returns:
        ``finished``, ``failed`` or ``interrupted``.

    >>> status_of(None), status_of(SystemExit(0)), status_of(SystemExit(1))
    ('finished', 'finished', 'failed')
    >>> status_of(KeyboardInterrupt())
    'interrupted'
    """
    if exception is None:
        return "finished"
    if isinstance(exception, KeyboardInterrupt):
        return "interrupted"
    if isinstance(exception, SystemExit) and exception.code in (None, 0):
        return "finished"
    return "failed"


def _end_all(exception: BaseException | None) -> None:
    status = "interrupted" if _signal_name else status_of(exception)
    for run in reversed(_open[:]):
        run.finish(status, exception, _signal_name)


def _install() -> None:
    global _previous_excepthook, _previous_sigterm
    if _previous_excepthook is None:
        _previous_excepthook = sys.excepthook
        sys.excepthook = _on_exception
        atexit.register(_end_all, None)
    if _previous_sigterm is None and threading.current_thread() is threading.main_thread():
        current = signal.getsignal(signal.SIGTERM)
        if current is signal.SIG_DFL or callable(current):  # not ignored, not a C handler
            _previous_sigterm = current
            signal.signal(signal.SIGTERM, _on_sigterm)


def _uninstall() -> None:
    # A hook that someone else has built upon stays, and passes everything on.
    global _previous_excepthook, _previous_sigterm
    if sys.excepthook is _on_exception:
        sys.excepthook = _previous_excepthook
        _previous_excepthook = None
        atexit.unregister(_end_all)
    if (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGTERM) is _on_sigterm
    ):
        signal.signal(signal.SIGTERM, _previous_sigterm)
        _previous_sigterm = None


def _on_exception(
    kind: type[BaseException], exception: BaseException, traceback: TracebackType | None
) -> None:
    previous = _previous_excepthook  # the last run's end forgets it
    try:
        _end_all(exception)
    finally:
        previous(kind, exception, traceback)


def _on_sigterm(number: int, frame: FrameType | None) -> None:
    global _signal_name
    _signal_name = "SIGTERM"
    previous = _previous_sigterm
    if callable(previous):  # someone else decides whether the process ends
        previous(number, frame)
    elif signal.getsignal(signal.SIGTERM) is _on_sigterm:
        # Nobody else handles the signal: the process dies of it, as it would have without us.
        try:
            _end_all(None)
        finally:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGTERM)
