"""The checkpoints of a run, by their names, their sidecars and the journal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from thexp_pl.runs.events import events_of, when_and_size
from thexp_pl.runs.run import Run
from thexp_pl.saver.choosing import MODULES
from thexp_pl.saver.inventory import CheckpointFile, checkpoints_of
from thexp_pl.saver.names import Kind, kind_of

__all__ = ["saved_of"]

_SAVED = ("checkpoint", "created", "modified")


def saved_of(run: Run) -> list[dict[str, Any]]:
    """List the checkpoints of a run; no file is read but the sidecars.

    Args:
        run: The run; it may be saving one.

    Returns:
        Of each ``path`` within the run, ``kind``, ``epoch``, ``step``, ``time``, ``size``,
        ``there`` (False for one that is gone) and ``metrics``, the numbers of its sidecar; what is
        not known is None. In the order of their epochs and steps.
    """
    found = _told(run)
    saved = (one for one in checkpoints_of(run) if one.metrics is not None)
    found.update((one.file, _of_saver(one)) for one in saved)
    return sorted(found.values(), key=lambda one: (one["epoch"] or 0, one["step"] or 0))


def _told(run: Run) -> dict[str, dict[str, Any]]:
    """Gather the files that the journal calls checkpoints, or that a Saver would name so."""
    found: dict[str, dict[str, Any]] = {}
    for event in events_of(run):
        path = event.get("path")
        if event["event"] not in _SAVED or not isinstance(path, str):
            continue
        kind = kind_of(Path(path).name)
        is_ours = kind is not None and path == f"{MODULES}/{Path(path).name}"
        if event["event"] != "checkpoint" and not is_ours:
            continue
        if event.get("final") is True and path in found:  # the time is that of the run's end
            continue
        found[path] = _of_event(run.paths.folder, kind, event)
    return found


def _of_event(folder: Path, kind: Kind | None, event: dict[str, Any]) -> dict[str, Any]:
    numbers = kind.parse(Path(event["path"]).name) if kind else None
    (time, told), size = when_and_size(event), _size(folder / event["path"])
    return {
        "path": event["path"],
        "kind": kind.noun if kind else "checkpoint",
        "epoch": numbers[0] if numbers else None,
        "step": None,
        "time": time,
        "size": told if size is None else size,
        "there": size is not None,
        "metrics": {},
    }


def _of_saver(one: CheckpointFile) -> dict[str, Any]:
    return {
        "path": one.file,
        "kind": one.kind,
        "epoch": one.epoch,
        "step": one.step,
        "time": one.time,
        "size": one.bytes,
        "there": one.bytes is not None,
        "metrics": one.metrics,
    }


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except (OSError, ValueError):  # gone, or no path at all
        return None
