"""Where a sweep stands, in numbers, and who wants to know."""

from __future__ import annotations

import signal
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from thexp_pl.sweeps.point import Point
    from thexp_pl.sweeps.standing import State

__all__ = ["Listener", "Summary"]


@dataclass(frozen=True)
class Summary:
    """Where a sweep stands.

    Args:
        total: How many points there are to be.
        finished: How many have a finished run.
        pruned: How many a search has stopped early, which is an end as well.
        failed: How many have failed, and are not tried again.
        before: How many were done before this process began.
        signal: The number of the signal that stopped it; 0 of none.
        fault: Why an attempt could not be begun, and none after it was; else empty.

    >>> Summary(total=15, finished=7, signal=signal.SIGINT).text
    'interrupted: 7 of 15 done; the same command goes on'
    """

    total: int
    finished: int = 0
    pruned: int = 0
    failed: int = 0
    before: int = 0
    signal: int = 0
    fault: str = ""

    @property
    def done(self) -> int:
        """How many need no run any more."""
        return self.finished + self.pruned

    @property
    def left(self) -> int:
        """How many are neither done nor failed."""
        return max(self.total - self.done - self.failed, 0)

    @property
    def exit_code(self) -> int:
        """What a command ends with: 0 where all are done, 128 plus the signal that stopped it."""
        if self.signal:
            return 128 + self.signal
        return 1 if self.failed or self.left else 0

    @property
    def text(self) -> str:
        """All of it in one line."""
        done = f"{self.done} of {self.total} done"
        failed = f", {self.failed} failed" if self.failed else ""
        pruned = f" ({self.pruned} pruned)" if self.pruned else ""
        if self.signal:
            how = "interrupted" if self.signal == signal.SIGINT else "ended by a signal"
            return f"{how}: {done}{pruned}{failed}; the same command goes on"
        left = f", {self.left} left; the same command goes on" if self.left else ""
        fault = f"; {self.fault}" if self.fault else ""
        return f"{done}{pruned}{failed}{left}{fault}"


class Listener(Protocol):
    """Is told how a sweep goes on."""

    def begun(self, point: Point) -> None:
        """Learn that an attempt at a point has begun.

        Args:
            point: The point.
        """

    def ended(self, point: Point, state: State, reason: str, *, again: bool) -> None:
        """Learn that an attempt at a point has ended.

        Args:
            point: The point.
            state: Where it stands.
            reason: Why it failed, one line that may hold anything; empty where it did not.
            again: Whether it is tried again.
        """

    def said(self, line: str) -> None:
        """Learn something about the sweep as a whole.

        Args:
            line: One line.
        """

    def looked(self, summary: Summary, running: Collection[Point], hindrance: str) -> None:
        """Learn a few times a second where the sweep stands.

        Args:
            summary: The counts.
            running: The points whose attempts run.
            hindrance: Why no more run though there are points left; empty where nothing hinders.
        """
