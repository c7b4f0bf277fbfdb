"""What an engine is: it runs attempts at points, and says when they have ended."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from thexp_pl.sweeps.sweep import Sweep

__all__ = ["Ended", "Engine", "ending_text"]


class Ended(NamedTuple):
    """An attempt that has ended; what became of the run stands in its record.

    Args:
        point: The point's number.
        code: The exit code of its process; the negative number of the signal that ended it; None
            where the engine lost sight of it.
        reason: What the engine knows of a failure of its own, such as a node that is gone; else
            empty.
    """

    point: int
    code: int | None
    reason: str = ""


class Engine(Protocol):
    """Runs attempts at the points of one sweep.

    It is made and checked before there is a sweep, then opened for one. It decides where and when;
    what is run, and from which checkpoint, `thexp_pl.sweeps.attempt` decides in the place where it
    runs.
    """

    @property
    def hindrance(self) -> str:
        """Why no attempt may start though there are points left; empty where nothing hinders."""

    def check(self, root: Path) -> None:
        """See that it can run anything, before anything is submitted; nothing is written.

        Args:
            root: The experiment root, which need not be there yet.

        Raises:
            UsageError: It cannot: in one line why, and the way out.
        """

    def open(self, sweep: Sweep) -> None:
        """Learn which sweep it runs, once, before anything is handed over.

        Args:
            sweep: The sweep.

        Raises:
            UsageError: It cannot run this one.
        """

    def room(self) -> int:
        """Say how many more attempts may be handed over now."""

    def start(self, point: int) -> None:
        """Hand an attempt over.

        Args:
            point: The point's number.

        Raises:
            OSError: It cannot be begun here, and so can none; `wait` says nothing of it.
        """

    def wait(self, seconds: float) -> list[Ended]:
        """Wait until attempts have ended, or for a while.

        Args:
            seconds: The longest that it waits.

        Returns:
            Those that have ended since the last call.
        """

    def running(self) -> set[int]:
        """Give the points whose attempts have begun, of those that were handed over."""

    def stop(self, *, for_good: bool) -> str:
        """Ask all attempts to end with a checkpoint, once; `wait` tells when they have.

        Args:
            for_good: None is to go on without this process, such as one that waits in a queue.

        Returns:
            What becomes of them, in one line; an empty text where there are none.
        """

    def close(self) -> None:
        """End what is left of them, and let go of all that is held; again, nothing happens."""


def ending_text(count: int) -> str:
    """Say that attempts end which this process can kill.

    Args:
        count: How many there are.

    Returns:
        What `Engine.stop` gives.

    >>> ending_text(2)
    'what runs (2) ends with a checkpoint; once more kills it'
    """
    return f"what runs ({count}) ends with a checkpoint; once more kills it" if count else ""
