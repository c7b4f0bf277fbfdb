"""What happened to the files of a run, and the end of what it printed."""

from __future__ import annotations

from typing import Any

from thexp_pl.record.names import cut
from thexp_pl.record.paths import RunPaths
from thexp_pl.runs.events import changes_of
from thexp_pl.runs.log import last_lines
from thexp_pl.runs.run import Run

__all__ = ["files_of", "log_text"]

_NEWEST = 500  # changes
_LOG_LINES, _LOG_BYTES, _LINE_LETTERS = 200, 1 << 20, 2_000


def files_of(run: Run) -> tuple[list[dict[str, Any]], int]:
    """List the changes of a run's files.

    Args:
        run: The run.

    Returns:
        The newest 500, newest last, of each ``path``, ``event``, ``time`` and ``size`` (None where
        it is not known); and how many there were before.
    """
    found = changes_of(run)
    told = [
        {"path": one.path, "event": one.deed, "time": one.time, "size": one.size}
        for one in found[-_NEWEST:]
    ]
    return told, len(found) - len(told)


def log_text(paths: RunPaths) -> str:
    """Read the end of what a run printed, also of one that goes on.

    Args:
        paths: The run's files.

    Returns:
        The last 200 lines, of at most 1 MiB, the middle of long ones left out; an empty text where
        there is none, and why in its place where it cannot be read.
    """
    try:
        lines = last_lines(paths, _LOG_LINES, _LOG_BYTES)
    except OSError as error:
        return f"(the log cannot be read: {error.strerror or error})"
    return "\n".join(cut(line, _LINE_LETTERS) for line in lines)
