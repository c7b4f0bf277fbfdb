"""What a run's journal says of the files that it left, read for damage."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from thexp_pl.jsonable import loads
from thexp_pl.record.append import whole_lines
from thexp_pl.record.files.own import is_own, only_grows

__all__ = ["left_by", "read_events"]

_DEEDS = ("created", "modified", "deleted", "moved")
_CONTENT = frozenset(("sha256", "link", "unhashed"))
_SHA256 = re.compile(r"[0-9a-f]{64}")


def read_events(journal: Path) -> tuple[list[dict[str, Any]], list[int]]:
    """Read a journal.

    Args:
        journal: The file.

    Returns:
        The events; and the numbers, from 1, of the lines that are no events, or that tell of a file
        in a way in which none is written.
    """
    try:
        lines = whole_lines(journal)
    except OSError:
        return [], [1]
    events, damaged = [], []
    for number, line in enumerate(lines, 1):
        try:
            event = loads(line)
        except ValueError:
            event = None
        if isinstance(event, dict) and isinstance(event.get("event"), str) and _is_sound(event):
            events.append(event)
        else:
            damaged.append(number)
    return events, damaged


def _is_sound(event: dict[str, Any]) -> bool:
    """Say whether an event can be read as it was written: a name that changed would hide a hash."""
    facts = event.keys()
    if event["event"] not in _DEEDS:
        return not facts >= {"path", "size", "modified", "final"}
    if facts.isdisjoint(("size", "modified")):
        return True  # of the user, who may call an event as they like
    is_final = event.get("final") is True
    sha256 = event.get("sha256", "0" * 64)
    return (
        facts >= {"path", "size", "modified"}
        and is_final == ("final" in facts) == bool(facts & _CONTENT)
        and isinstance(sha256, str)
        and bool(_SHA256.fullmatch(sha256))
    )


def left_by(events: Iterable[dict[str, Any]]) -> dict[str, tuple[str, int | None]]:
    """Give the hash of each file as the run left it; none for what may have changed after that.

    Args:
        events: The events of its journal, in their order.

    Returns:
        By the path from the run's folder the SHA-256 of a file, and of how many bytes from its
        beginning that is, where more may have been added since; else None.
    """
    left: dict[str, tuple[str, int | None]] = {}
    for event in events:
        path, sha256, size = event.get("path"), event.get("sha256"), event.get("size")
        if event["event"] == "resumed":  # in its own folder: its own files are written on
            left = {path: hashed for path, hashed in left.items() if not is_own(path)}
        elif isinstance(path, str) and event["event"] in _DEEDS:
            left.pop(path, None)
            is_inside = not path.startswith("/") and ".." not in path.split("/")
            if event.get("final") and isinstance(sha256, str) and is_inside and "\0" not in path:
                left[path] = (sha256, size if only_grows(path) and type(size) is int else None)
    return left
