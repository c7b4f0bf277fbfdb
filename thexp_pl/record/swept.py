"""What a run takes over that is started as a point of a sweep, see `thexp_pl.record.rerun`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from thexp_pl.record import rerun
from thexp_pl.record.paths import RunPaths

__all__ = ["submission_of", "sweep_entry"]

_first: Path | None = None  # the folder of the run that is the point: what else is started is none


def sweep_entry(paths: RunPaths) -> dict[str, Any]:
    """Give what the manifest of a run that starts says of its sweep.

    Args:
        paths: The run.

    Returns:
        ``sweep``: ``key``, ``point``, ``digest`` and what else the sweep has told; nothing for a
        run of none.

    Raises:
        RecordError: What the process was told cannot be read.
    """
    told = submission_of(paths)
    return {} if told is None else {"sweep": dict(told.sweep)}


def submission_of(paths: RunPaths) -> rerun.Rerun | None:
    """Give what this process was told of the sweep that a run belongs to.

    Args:
        paths: The run that starts, or goes on in its folder.

    Returns:
        It, to the first run that this process records in the sweep's root; else None.

    Raises:
        RecordError: What the process was told cannot be read.
    """
    global _first
    told = rerun.current()
    if told is None or not told.sweep or told.root != paths.root:
        return None
    _first = _first or paths.folder
    return told if paths.folder == _first else None
