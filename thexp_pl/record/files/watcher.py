"""What follows the held parts from the start to the end of a run."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from functools import partial
from queue import Empty, SimpleQueue
from time import monotonic

from thexp_pl.record.files.eyes import Eyes
from thexp_pl.record.files.final import write_final
from thexp_pl.record.files.known import Change, KnownFiles
from thexp_pl.record.files.pace import CREATED, GONE, Pace
from thexp_pl.record.files.stamps import MAX_FILES, Stamp
from thexp_pl.record.files.teller import MAX_CHANGES, Fault, Listener, Report, Teller

__all__ = ["Watcher"]

_TICK_SECONDS, _CARE_SECONDS = 0.25, 1.0
_MAX_WAITING = 10_000
_HEARD = {"created": CREATED, "deleted": GONE, "moved": GONE}


class Watcher:
    """Does one thing after another, as they are put in line: no state of it needs a lock.

    What is heard of a file is only a reason to look at it; what is told is what was seen. So a
    change of which nobody heard is told when its file, or all files, are looked at the next time.

    Args:
        report: Writes an event and its facts to the journal.
        fault: Takes what fails; it never raises.
    """

    def __init__(self, report: Report, fault: Fault) -> None:
        self._fault = fault
        self._known = KnownFiles()
        self._teller = Teller(report, fault)
        self._pace = Pace()
        self._eyes = Eyes(self._hear, self._teller.remark)
        # A queue that even a signal handler may use, whatever it has interrupted.
        self._tasks: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._unsure: set[str] = set()  # folders of which all files are to be looked at
        self._sure_at = self._cared_at = monotonic()
        self._stopped = False

    def hold(self, folder: str, files: Mapping[str, Stamp]) -> None:
        """Follow the files of a folder.

        Args:
            folder: Its absolute path.
            files: What was in it when it was held.
        """
        self._tasks.put(partial(self._hold, folder, files))

    def add_suffixes(self, suffixes: tuple[str, ...], listener: Listener | None = None) -> None:
        """Follow more files.

        Args:
            suffixes: Endings of their names in lower case.
            listener: Who wants to know of them; by default the journal.
        """
        self._tasks.put(partial(self._add_suffixes, suffixes, listener))

    def stop(self) -> None:
        """Have `run` return after what it does just now."""
        self._stopped = True
        self._tasks.put(self._tick)  # it may be waiting for something to do

    def run(self) -> None:
        """Follow the files until `stop`; it is called once, in the thread of a worker."""
        while not self._stopped:
            try:
                task = self._tasks.get(timeout=self._patience())
            except Empty:
                task = self._tick
            self._try(task)
            if monotonic() >= self._cared_at + _CARE_SECONDS:
                self._try(self._care)
                self._try(self._tick)

    def give_up(self, thread: int | None) -> None:
        """Do without a thread that hangs in a listener.

        Args:
            thread: Its number.
        """
        self._teller.give_up(thread)

    def finish(self, call: Callable[[Callable[[], None]], None]) -> None:
        """Tell of what was missed, and what each file is like at the end.

        Args:
            call: Carries out what calls listeners, as far as they return.
        """
        self._stopped = True
        self._teller.renew()
        self._try(self._eyes.close)
        with contextlib.suppress(Empty):
            while True:
                self._try(self._tasks.get_nowait())
        self._try(self._compare_last)
        if self._teller.keeps_waiting:
            call(self._teller.call_listeners)
        self._try(partial(write_final, self._known, self._teller))

    def _patience(self) -> float | None:
        if self._unsure or not self._pace.is_idle:
            return _TICK_SECONDS
        return _CARE_SECONDS if self._eyes.open else None

    def _try(self, task: Callable[[], None]) -> None:
        try:
            task()
        except Exception as error:  # noqa: BLE001 - the next task may well succeed
            self._fault(error)

    def _hear(self, event: str, is_folder: bool, path: str, to: str) -> None:
        """Put in line what is to be looked at; watchdog calls it, in a thread of its own."""
        if self._tasks.qsize() > _MAX_WAITING:
            self._eyes.overflow()
        elif is_folder:
            for folder in (path, to):
                if folder and folder not in self._unsure:
                    self._tasks.put(partial(self._unsure.add, folder))
        elif to and self._known.watches(path) and self._known.watches(to):
            self._tasks.put(partial(self._look_at_move, path, to))
        else:
            for file, what in ((path, _HEARD.get(event, 0)), (to, 0)):
                if self._known.watches(file) and self._pace.hear(file, what):
                    self._tasks.put(partial(self._look, file))

    def _hold(self, folder: str, files: Mapping[str, Stamp]) -> None:
        self._known.hold(folder, files)
        self._care()
        self._tasks.put(self._tick)  # a listener that waits in line is to hear of it too

    def _add_suffixes(self, suffixes: tuple[str, ...], listener: Listener | None) -> None:
        if listener is None:
            self._teller.add_suffixes(suffixes)
        else:
            self._teller.add_listener(listener, suffixes)
        if self._known.add_suffixes(suffixes):
            self._unsure.update(self._known.folders)

    def _look(self, path: str) -> None:
        heard = self._pace.take(path, monotonic())
        if heard is None:
            return
        change = self._known.look(path, was_created=bool(heard & CREATED))
        if change is not None:
            self._tell([change])
            if change.event == "created" and change.stamp is None:
                self._pace.hear(path, GONE)

    def _look_at_move(self, path: str, to: str) -> None:
        self._tell(self._known.move(path, to))

    def _tell(self, changes: list[Change]) -> None:
        self._teller.tell(changes, last=self._stopped)
        for change in changes:
            self._pace.told(change.to or change.path, change.event, monotonic())
        if self._teller.is_full:
            self._eyes.close(f"{MAX_CHANGES:,} changes are told of, which is all that is kept")

    def _tick(self) -> None:
        for path in self._pace.rested(monotonic()):
            self._look(path)
        if self._unsure and monotonic() >= self._sure_at:
            folders = tuple(self._unsure)
            self._unsure.clear()
            begun = monotonic()
            self._tell(self._known.compare(folders)[0])
            # However many files there are, most of the time is left to the training.
            self._sure_at = monotonic() + max(_TICK_SECONDS, 10 * (monotonic() - begun))

    def _care(self) -> None:
        if not self._stopped:
            self._unsure.update(self._eyes.see(self._known.folders))
        self._cared_at = monotonic()

    def _compare_last(self) -> None:
        changes, complete = self._known.compare(self._known.folders)
        self._teller.tell(changes, last=True)
        if not complete:
            self._teller.remark(f"there are more files than the {MAX_FILES:,} that are looked at")
        if self._teller.untold:
            self._teller.remark(
                f"{self._teller.untold:,} changes more are found at the end than the"
                f" {MAX_CHANGES:,} that are told of"
            )
