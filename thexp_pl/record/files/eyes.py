"""Keeps the watch on the folders that are to be watched, for as long as that can be done."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Collection
from time import monotonic
from typing import TYPE_CHECKING

from thexp_pl.errors import RecordError

if TYPE_CHECKING:
    from thexp_pl.record.files.watch import Hear, Watch

__all__ = ["Eyes"]

_MAX_A_SECOND = 5_000  # more would take a core from the training
_PAUSE_SECONDS, _MAX_PAUSE_SECONDS = 30.0, 960.0
_MAX_IMPORT_SECONDS = 10.0

# watchdog logs that events were lost; without any handler Python would print it.
logging.getLogger("watchdog").addHandler(logging.NullHandler())
# Now and then it logs as an error that it was stopped.
logging.getLogger("watchdog.observers.inotify").addFilter(
    lambda record: "thread is inactive" not in str(record.msg)
)


class Eyes:
    """Watches folders: anew after one was deleted and made again, not during a flood of changes.

    Args:
        hear: Called for each change, see `thexp_pl.record.files.watch.Watch`.
        remark: Called with the reason why changes are not heard of for a while, or for good.
    """

    def __init__(self, hear: Hear, remark: Callable[[str], object]) -> None:
        self._hear = hear
        self._remark = remark
        self._watch: Watch | None = None
        self._closed = False
        self._heard, self._heard_before, self._counted = 0, 0, monotonic()
        self._overflown = False
        self._pause = _PAUSE_SECONDS
        self._resume_at: float | None = None

    @property
    def open(self) -> bool:
        """Whether folders are watched, or will be again after a pause."""
        return self._watch is not None or self._resume_at is not None

    def see(self, folders: Collection[str]) -> list[str]:
        """Watch some folders and no others; a folder that is not there is tried each time.

        Args:
            folders: Their absolute paths.

        Returns:
            Those in which something may have happened that was not heard of.

        Raises:
            RecordError: It cannot be done; nothing is watched any more.
        """
        self._count()
        if self._closed or (self._resume_at is not None and monotonic() < self._resume_at):
            return []
        try:
            return self._see(folders)
        except (OSError, ImportError, RuntimeError) as error:  # RuntimeError: no more threads
            self.close(f"the files cannot be watched: {error}")
            raise RecordError(
                "file changes are recorded at the end of the run only, as the system lets nothing"
                f" more be watched: {error}; raise fs.inotify.max_user_watches and"
                " fs.inotify.max_user_instances to record them as they happen"
            ) from error

    def overflow(self) -> None:
        """Say that more was heard than can be looked at."""
        self._overflown = True

    def close(self, reason: str = "") -> None:
        """Watch nothing any more.

        Args:
            reason: Why; it is remarked, unless it is empty.
        """
        was_closed, self._closed = self._closed, True
        self._resume_at = None
        if reason and not was_closed:
            self._remark(f"{reason}; what changes from now on is found at the end of the run")
        self._stop()

    def _see(self, folders: Collection[str]) -> list[str]:
        if not folders:
            return []
        if self._watch is None:
            self._watch, self._resume_at = _import.watchdog(self._count_one), None
        changed = [
            folder
            for folder in self._watch.folders
            if folder not in folders or not self._watch.sees(folder)
        ]
        for folder in changed:
            self._watch.drop(folder)
        unseen = [folder for folder in folders if folder not in self._watch.folders]
        return [*changed, *(folder for folder in unseen if self._watch.add(folder))]

    def _count_one(self, event: str, is_folder: bool, path: str, to: str) -> None:
        self._heard += 1
        self._hear(event, is_folder, path, to)

    def _count(self) -> None:
        span = monotonic() - self._counted
        if span < 1.0 and not self._overflown:
            return
        rate = (self._heard - self._heard_before) / max(span, 1e-3)
        self._heard_before, self._counted = self._heard, monotonic()
        if self._watch is not None and (self._overflown or rate > _MAX_A_SECOND):
            self._rest(rate)
        self._overflown = False

    def _rest(self, rate: float) -> None:
        self._stop()
        self._remark(
            f"{rate:,.0f} changes a second are too many: for {self._pause:.0f} s nothing is"
            " watched, and then all files are looked at"
        )
        self._resume_at = monotonic() + self._pause
        self._pause = min(2 * self._pause, _MAX_PAUSE_SECONDS)

    def _stop(self) -> None:
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.stop()


class _Import:
    """A lock that a fork waits for: what a thread imports just then stays locked in the child.

    The wait is bounded, as the thread may need what somebody else holds over the fork. Python asks
    for such locks in the reverse order of their registration, and `logging` has one, which watchdog
    needs when it is imported: so `logging` comes first here.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held = False
        os.register_at_fork(
            before=self._wait, after_in_parent=self._go_on, after_in_child=self._begin_anew
        )

    def watchdog(self, hear: Hear) -> Watch:
        with self._lock:
            from thexp_pl.record.files.watch import Watch
        return Watch(hear)

    def _wait(self) -> None:
        self._held = self._lock.acquire(timeout=_MAX_IMPORT_SECONDS)

    def _go_on(self) -> None:
        if self._held:
            self._lock.release()

    def _begin_anew(self) -> None:
        self._lock = threading.Lock()


_import = _Import()
