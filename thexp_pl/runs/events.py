"""What the journal of a run tells, whoever wrote it."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any, NamedTuple

from thexp_pl.record.journal import read_journal
from thexp_pl.runs.run import Run

__all__ = ["Change", "changes_of", "events_of", "when_and_size"]

_CHANGES = ("created", "modified", "moved", "deleted")


class Change(NamedTuple):
    """What happened to a file.

    Args:
        path: Within the run.
        event: ``created``, ``modified``, ``moved`` or ``deleted``.
        to: Where it was moved to; None for the others.
        time: When, ISO 8601; None where that is not known.
        size: Its size in bytes; None where that is not known.
        is_final: Whether it was found at the run's end, where each file is told of once more.
    """

    path: str
    event: str
    to: str | None
    time: str | None
    size: int | None
    is_final: bool

    @property
    def deed(self) -> str:
        """What happened, and where to."""
        return self.event if self.to is None else f"moved to {self.to}"


def events_of(run: Run) -> list[dict[str, Any]]:
    """Read a run's journal; one that cannot be read has no events.

    Args:
        run: The run.
    """
    with contextlib.suppress(OSError):
        return read_journal(run.paths.journal)
    return []


def changes_of(run: Run) -> list[Change]:
    """List the changes of a run's files, oldest first.

    Args:
        run: The run.
    """
    return [
        Change(
            event["path"],
            event["event"],
            event["to"] if event["event"] == "moved" and isinstance(event.get("to"), str) else None,
            *when_and_size(event),
            event.get("final") is True,
        )
        for event in events_of(run)
        if event["event"] in _CHANGES and isinstance(event.get("path"), str)
    ]


def when_and_size(event: Mapping[str, Any]) -> tuple[str | None, int | None]:
    """Take the time and the number of bytes out of an event, each None where it is not known.

    Args:
        event: The event.
    """
    time, size = event.get("time"), event.get("size")
    return time if isinstance(time, str) else None, size if type(size) is int else None
