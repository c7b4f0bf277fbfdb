"""Lets open runs end by themselves: at the interpreter's exit, at an exception, at a signal.

One hook of each kind serves all runs of the process, and what was there before it still happens.
A forked child has none of them until it goes on with a run.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, Protocol

__all__ = [
    "OpenRun",
    "end_all",
    "ending_with_fault",
    "forget",
    "status_of",
    "watch",
    "without_exit",
    "worker_exception",
]


class OpenRun(Protocol):
    """A run that can be told to end."""

    def finish(
        self, status: str, exception: BaseException | None = None, signal_name: str | None = None
    ) -> None:
        """End it; nothing in another process than its own."""


# SIGHUP comes when a terminal closes, and SIGTERM from schedulers and `kill`.
_SIGNALS = (signal.SIGTERM, signal.SIGHUP)

_open: list[OpenRun] = []
_previous_excepthook: Any = None
_previous_handlers: dict[int, Any] = {}
_signal_name: str | None = None
_worker_pid: int | None = None
_last_value: BaseException | None = None  # what Python had printed before the first run
_forking = threading.local()  # its `mask`: of the signals, before the thread forked


def watch(run: OpenRun) -> None:
    """End a run when the process ends, unless it has ended before.

    Args:
        run: The run.
    """
    global _signal_name, _last_value
    if not _open:
        _signal_name = None  # one that an earlier run survived
        _last_value = getattr(sys, "last_value", None)
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


@contextmanager
def ending_with_fault(run: OpenRun) -> Iterator[None]:
    """Have a run end with whatever cuts a block short, an interrupt above all.

    Args:
        run: The run.
    """
    try:
        yield
    except BaseException as error:
        run.finish(status_of(error), error)
        raise


def without_exit(deed: Callable[[], object]) -> None:
    """Do something at a run's end.

    Args:
        deed: What it is.

    Raises:
        RuntimeError: It called `sys.exit`, which would cut the end short.
    """
    try:
        deed()
    except SystemExit as error:
        raise RuntimeError(f"what is done at the end called sys.exit({error.code!r})") from error


def worker_exception() -> BaseException | None:
    """Tell what ends a process of multiprocessing, asked by one of its finalizers.

    Returns:
        What it raised: such a process catches it, calls no `sys.excepthook`, and exits. From Python
        3.13 on the finalizers come later and are not shown it: None.
    """
    exception = sys.exc_info()[1]
    if isinstance(exception, SystemExit) and exception.__context__ is not None:
        return exception.__context__
    return exception


def end_all(exception: BaseException | None = None) -> None:
    """End every run of this process that is open.

    Args:
        exception: What ends them; None where nothing is known to have gone wrong.
    """
    exception = exception or _uncaught()
    status = "interrupted" if _signal_name else status_of(exception)
    for run in reversed(_open[:]):
        run.finish(status, exception, _signal_name)


def _uncaught() -> BaseException | None:
    """Give what ended the script, also where someone has put a hook of their own in our place."""
    last = getattr(sys, "last_value", None)
    return None if last is _last_value or hasattr(sys, "ps1") else last


def _install() -> None:
    global _previous_excepthook
    if _previous_excepthook is None:
        _previous_excepthook = sys.excepthook
        sys.excepthook = _on_exception
        atexit.register(end_all)
    _end_with_worker()
    if threading.current_thread() is not threading.main_thread():
        return
    for number in _SIGNALS:
        current = signal.getsignal(number)
        # not ignored, not a C handler
        if number not in _previous_handlers and (current is signal.SIG_DFL or callable(current)):
            _previous_handlers[number] = current
            signal.signal(number, _on_signal)


def _end_with_worker() -> None:
    # A process of multiprocessing that was forked leaves without `atexit`.
    global _worker_pid
    if "multiprocessing.process" in sys.modules and _worker_pid != os.getpid():
        from multiprocessing import parent_process, util

        if parent_process() is not None:
            util.Finalize(None, lambda: end_all(worker_exception()), exitpriority=0)
            _worker_pid = os.getpid()


def _uninstall() -> None:
    # A hook that someone else has built upon stays, and passes everything on.
    global _previous_excepthook
    if sys.excepthook is _on_exception:
        sys.excepthook = _previous_excepthook
        _previous_excepthook = None
        atexit.unregister(end_all)
    if threading.current_thread() is not threading.main_thread():
        return
    for number, previous in list(_previous_handlers.items()):
        if signal.getsignal(number) is _on_signal:
            signal.signal(number, previous)
            del _previous_handlers[number]


def _on_exception(
    kind: type[BaseException], exception: BaseException, traceback: TracebackType | None
) -> None:
    try:
        _previous_excepthook(kind, exception, traceback)  # first: what it prints is recorded too
    finally:
        end_all(exception)


def _on_signal(number: int, frame: FrameType | None) -> None:
    global _signal_name
    _signal_name = signal.Signals(number).name
    previous = _previous_handlers.get(number)
    if callable(previous):  # someone else decides whether the process ends
        previous(number, frame)
    elif signal.getsignal(number) is _on_signal:
        # Nobody else handles the signal: the process dies of it, as it would have without us.
        try:
            end_all(None)
        finally:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)


def _hold_signals() -> None:
    # Python forgets, in a child, the signals that came to it before its first instruction, where a
    # handler written in Python was to take them: a pool that ends such a worker waits for ever.
    _forking.mask = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS if _previous_handlers else ())


def _take_signals() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, _forking.mask)


def _forget_all() -> None:
    _open.clear()
    _uninstall()
    _take_signals()


os.register_at_fork(before=_hold_signals, after_in_parent=_take_signals, after_in_child=_forget_all)
