"""Who is told of a change: the journal, and the listeners."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from thexp_pl.errors import RecordError
from thexp_pl.record.files.known import Change
from thexp_pl.record.files.stamps import Stamp

__all__ = ["MAX_CHANGES", "Fault", "Listener", "Report", "Teller", "size_and_time"]

Listener = Callable[[Path, str], object]
Report = Callable[[str, Mapping[str, Any]], object]
Fault = Callable[[Exception], object]

MAX_CHANGES = 10_000


class Teller:
    """Writes changes to the journal and calls listeners, one after another.

    Args:
        report: Writes an event and its facts to the journal.
        fault: Takes what a listener raises.
    """

    def __init__(self, report: Report, fault: Fault) -> None:
        self._report = report
        self._fault = fault
        self._suffixes: tuple[str, ...] = ()
        self._listeners: list[tuple[Listener, tuple[str, ...]]] = []
        self._untold: deque[Change] = deque()
        self._left = MAX_CHANGES
        self._calls: deque[Change] | None = None  # at the end, until listeners are called
        self._given_up: int | None = None

    @property
    def is_full(self) -> bool:
        """Whether as many changes were told as are told in one run."""
        return not self._left

    @property
    def untold(self) -> int:
        """How many changes there were after those."""
        return len(self._untold)

    def add_suffixes(self, suffixes: Iterable[str]) -> None:
        """Have more files written to the journal.

        Args:
            suffixes: Endings of file names in lower case.
        """
        self._suffixes = tuple({*self._suffixes, *suffixes})

    def add_listener(self, listener: Listener, suffixes: tuple[str, ...]) -> None:
        """Have a function told.

        Args:
            listener: The function.
            suffixes: Endings of the names of the files that it wants, in lower case.
        """
        self._listeners.append((listener, suffixes))

    def records(self, path: str) -> bool:
        """Say whether a file belongs in the journal.

        Args:
            path: The file.

        Returns:
            Whether it does.
        """
        return path.lower().endswith(self._suffixes)

    def tell(self, changes: Iterable[Change], *, last: bool = False) -> None:
        """Tell of changes, after those that were not told yet.

        Args:
            changes: The changes, in their order.
            last: Whether a line for each file that is left follows, so that the journal need not
                be told of those that were made or modified.
        """
        self._untold.extend(changes)
        while self._untold and self._left:
            self._left -= 1
            change = self._untold.popleft()
            event, facts = self._line(change)
            if event in ("deleted", "moved") or (event and not last):
                self._report(event, facts)
            if self._calls is None:
                self._call_listeners(change)
            else:
                self._calls.append(change)

    def renew(self) -> None:
        """Tell of as many changes again, as the run is at its end; listeners are kept waiting."""
        self._left = MAX_CHANGES
        self._calls = deque()

    def call_listeners(self) -> None:
        """Tell the listeners what they were kept waiting for."""
        while self._calls:
            self._call_listeners(self._calls.popleft())

    @property
    def keeps_waiting(self) -> bool:
        """Whether there is something that listeners were not told."""
        return bool(self._listeners and self._calls)

    def give_up(self, thread: int | None) -> None:
        """Do without a thread that hangs in a listener: it ends when the listener returns.

        Args:
            thread: Its number.
        """
        self._given_up = thread

    def tell_final(self, event: str, path: str, stamp: Stamp, content: Mapping[str, Any]) -> None:
        """Write what a file is like at the end to the journal.

        Args:
            event: What the run did with it, ``"created"`` or ``"modified"``.
            path: The file.
            stamp: Its stamp.
            content: What is in it.
        """
        self._report(event, {"path": path, **size_and_time(stamp), **content, "final": True})

    def remark(self, reason: str) -> None:
        """Write to the journal that not all changes are in it.

        Args:
            reason: Why, and what follows from it.
        """
        self._report("unwatched", {"reason": reason})

    def _line(self, change: Change) -> tuple[str, dict[str, Any]]:
        """Spell a change as the journal sees it, which may know one end of a move only."""
        was, became = self.records(change.path), bool(change.to and self.records(change.to))
        if change.to is None:
            event = change.event if was else ""
        elif was and became:
            facts = {"path": change.path, "to": change.to}
            return "moved", facts | size_and_time(change.stamp)
        elif became:
            return _arrival(change), {"path": change.to} | size_and_time(change.stamp)
        else:
            event = "deleted" if was else ""
        stamp = None if event == "deleted" else change.stamp
        return event, {"path": change.path} | size_and_time(stamp)

    def _call_listeners(self, change: Change) -> None:
        if change.to is not None:
            heard = [(change.path, "deleted"), (change.to, _arrival(change))]
        elif change.event == "deleted" or change.stamp:
            heard = [(change.path, change.event)]
        else:  # it was gone before anyone could be told that it is there
            heard = []
        for path, event in heard:
            for listener, suffixes in tuple(self._listeners):
                if path.lower().endswith(suffixes):
                    self._call(listener, Path(path), event)

    def _call(self, listener: Listener, path: Path, event: str) -> None:
        try:
            listener(path, event)
        except SystemExit:  # it would end the thread that listens, and nothing else
            self._fault(RecordError("a listener of file changes cannot end the program: raise"))
        except Exception as error:  # noqa: BLE001 - others are told all the same
            self._fault(error)
        if threading.get_ident() == self._given_up:
            raise SystemExit  # the run has ended without this thread


def size_and_time(stamp: Stamp | None) -> dict[str, Any]:
    """Say what a line of the journal says of a file's state.

    Args:
        stamp: The file; None for one that is gone.

    Returns:
        ``size`` and ``modified``.
    """
    return {"size": stamp and stamp.size, "modified": stamp and stamp.time}


def _arrival(change: Change) -> str:
    return "modified" if change.replaced else "created"
