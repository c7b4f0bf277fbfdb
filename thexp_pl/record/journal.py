"""journal.jsonl: what happened in a run, one JSON object a line, never rewritten."""

from __future__ import annotations

import contextlib
import threading
from datetime import datetime
from pathlib import Path
from typing import Any

from thexp_pl.jsonable import dumps, loads
from thexp_pl.record.append import AppendFile, whole_lines

__all__ = ["Journal", "read_journal"]


class Journal:
    """Appends events to a file; each is on disk when `add` returns.

    Args:
        path: The file; made at the first event.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: AppendFile | None = None
        self._lock = threading.RLock()

    def add(self, event: str, **facts: Any) -> None:
        """Note an event.

        Args:
            event: Its kind, such as ``"created"``.
            **facts: What is known of it; see `thexp_pl.jsonable`. ``time`` is now by default.

        Raises:
            OSError: It could not be written.
        """
        now = datetime.now().astimezone().isoformat(timespec="milliseconds")
        line = dumps({"event": event, "time": now, **facts}) + b"\n"
        with self._lock:
            if self._file is None:
                self._file = AppendFile(self._path)
            self._file.append(line)

    def close(self) -> None:
        """Close the file; a later event opens it again."""
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None


def read_journal(path: Path) -> list[dict[str, Any]]:
    """Read the events of a run.

    Args:
        path: The file.

    Returns:
        The events in their order; none where there is no file. Lines that are no events are passed
        over.

    Raises:
        OSError: It is there but cannot be read.
    """
    events = []
    for line in whole_lines(path):
        with contextlib.suppress(ValueError):
            event = loads(line)
            if isinstance(event, dict) and isinstance(event.get("event"), str):
                events.append(event)
    return events
