"""`FileChanges`: what becomes of the files in a run's held parts."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from time import monotonic

from thexp_pl.errors import RecordError, UsageError
from thexp_pl.record.files.stamps import scan
from thexp_pl.record.files.teller import Fault, Listener, Report
from thexp_pl.record.files.watcher import Watcher
from thexp_pl.record.files.worker import Worker

__all__ = ["FileChanges"]

_MAX_WAIT_SECONDS = 10.0


def _raise(error: Exception) -> None:
    raise error


class FileChanges:
    """Reports which files of held parts are created, modified, deleted and moved, as it happens.

    Whoever changes them is seen: this process, its children, other ranks on this host. What was
    missed is found by comparing at the end. A line is reported for each change, bounded in number
    and in frequency (`thexp_pl.record.files.pace`), and at the end one with ``final`` for each file
    that was created or modified and is there, with its ``sha256``. In a forked process nothing is
    reported.

    Args:
        report: Writes an event and its facts to the journal; called from several threads, never
            from two at once; never raises. Events are ``created``, ``modified``, ``deleted`` and
            ``moved``, and ``unwatched`` with the ``reason`` why changes are not reported.
        fault: Takes what a listener raises, and why nothing can be watched. What it raises in turn,
            and by default every first fault, is raised by `close`.
    """

    def __init__(self, report: Report, fault: Fault = _raise) -> None:
        self._pid = os.getpid()
        self._fault = fault
        self._refused: Exception | None = None
        self._watcher = Watcher(report, self._take_fault)
        self._worker: Worker | None = None
        self._deadline = 0.0
        self._held: set[str] = set()
        self._closed = False

    def hold(self, folder: Path, suffixes: Iterable[str], observe: bool) -> None:
        """Make a folder and, if it is to be observed, follow the files in it and below it.

        Args:
            folder: The folder, an absolute path; one that is held already stays as it is.
            suffixes: Endings of file names such as ``".ckpt"``, upper case or lower; they count for
                all folders that are held.
            observe: Whether its changes count.

        Raises:
            OSError: It cannot be made.
            UsageError: A suffix does not begin with a dot.
        """
        checked = _checked(suffixes)
        folder.mkdir(parents=True, exist_ok=True)
        self._watcher.add_suffixes(checked)
        path = str(folder)
        if observe and path not in self._held:
            self._held.add(path)
            self._watcher.hold(path, scan([path])[0])

    def listen(self, listener: Listener, suffixes: Iterable[str]) -> None:
        """Add a function that is told of changes.

        Args:
            listener: Called with a file's path and ``"created"``, ``"modified"`` or ``"deleted"``;
                a moved file was deleted where it was and created, or modified, where it is. Never
                called by two threads at once.
            suffixes: The endings of file names that it wants.

        Raises:
            UsageError: A suffix does not begin with a dot.
        """
        self._watcher.add_suffixes(_checked(suffixes), listener)

    def start(self) -> None:
        """Follow the files from now on, in a thread that never keeps the process from ending.

        Raises:
            RuntimeError: The system has no more threads; `close` compares all the same.
        """
        self._worker = Worker()
        self._worker.do(self._watcher.run)
        self._worker.start()

    def close(self) -> None:
        """Report what was missed and what the files are like now, and follow them no more.

        It is safe in a signal handler. Listeners are called in another thread, and all of them
        together are waited for 10 s at most; the journal is told all the same. Without `start`, and
        when closed before, nothing happens.

        Raises:
            Exception: See `fault`.
        """
        worker = self._worker
        if worker is None or self._closed or os.getpid() != self._pid:
            return
        self._closed = True
        self._deadline = monotonic() + _MAX_WAIT_SECONDS
        self._watcher.stop()
        # Where a listener closes, that is its thread's last deed.
        is_hanging = worker.is_free and not self._has_returned(worker)
        self._watcher.finish(_never if is_hanging else self._call)
        worker.end()
        if self._refused is not None:
            raise self._refused

    def _call(self, listeners: Callable[[], None]) -> None:
        worker = self._worker
        if worker is None or not worker.is_free:
            worker = Worker()
            try:
                worker.start()
            except RuntimeError as error:  # the system has no more threads
                self._take_fault(error)
                return
        worker.do(listeners)
        worker.end()
        self._has_returned(worker)

    def _has_returned(self, worker: Worker) -> bool:
        # One that hangs in a listener, or waits for a lock that the code under a signal handler
        # holds, does not keep the run from ending.
        if worker.wait(self._deadline - monotonic()):
            return True
        self._watcher.give_up(worker.ident)
        self._take_fault(
            RecordError(
                "a listener of file changes has not returned for"
                f" {_MAX_WAIT_SECONDS:g} s: the run ends without it; make it faster"
            )
        )
        return False

    def _take_fault(self, error: Exception) -> None:
        try:
            self._fault(error)
        except Exception as refused:  # noqa: BLE001 - `close` raises it where somebody sees it
            self._refused = self._refused or refused


def _never(listeners: Callable[[], None]) -> None:
    """Call none, as one hangs already."""


def _checked(suffixes: Iterable[str]) -> tuple[str, ...]:
    each = [suffixes] if isinstance(suffixes, str) else list(suffixes)
    for suffix in each:
        if not suffix.startswith("."):
            raise UsageError(
                f"the suffix {suffix!r} does not begin with a dot; say {'.' + suffix!r}"
            )
    return tuple(suffix.lower() for suffix in each)
