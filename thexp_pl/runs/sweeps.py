"""The runs of a sweep: those begun for it, and those of others by which its points are finished."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from thexp_pl.errors import RecordError
from thexp_pl.record.journal import read_journal
from thexp_pl.record.paths import RunPaths
from thexp_pl.record.sweep_files import read_point_facts, read_submitted
from thexp_pl.record.sweep_folder import SweepFolder, sweeps_of
from thexp_pl.runs.index import Index
from thexp_pl.runs.index.selection import SweptRun
from thexp_pl.runs.index.texts import kept_name
from thexp_pl.runs.query.condition import Condition

__all__ = ["FINISHERS", "OWN", "Finishers", "runs_begun_for", "runs_of_sweep", "submitted_keys",
           "taken_over", "was_pruned"]  # fmt: skip

OWN = "sweep != '' AND sweep = ?"  # as the index over the runs of sweeps is spelt
FINISHERS = "sweep != '' AND code = ? AND digest != '' AND status = 'finished'"
_OF_ROOT = "+root = (SELECT id FROM roots WHERE path = ? AND host = '')"
_NAME = "hex(experiment) || '/' || hex(key)"  # names may be any bytes, and JSON is text
_FINISHED = "finished"
_PRUNED = "pruned"
_RESUMED = "resumed"


class Finishers:
    """The finished runs of one tree, by which points with the same digest are finished.

    Args:
        key: The key of the sweep whose points are asked for, whose own runs come before others.
        runs: The runs, oldest first; those that have not finished are passed over.
    """

    def __init__(self, key: str, runs: Iterable[SweptRun]) -> None:
        self._key = key
        self._runs: dict[str, list[SweptRun]] = {}
        for run in runs:
            if run.digest and run.status == _FINISHED:
                self._runs.setdefault(run.digest, []).append(run)

    def of(self, digest: str) -> SweptRun | None:
        """Give the run by which a point is finished that was itself not run to its end.

        Args:
            digest: The point's.

        Returns:
            The newest one that was not pruned; None where there is none.
        """
        runs = sorted(self._runs.get(digest, ()), key=lambda run: run.sweep == self._key)
        return next((run for run in reversed(runs) if not was_pruned(run)), None)


def was_pruned(run: SweptRun) -> bool:
    """Say whether a run has finished early, since the pruner of its search had given it up.

    Args:
        run: A finished run.

    Returns:
        Whether it was.
    """
    if _is_search(run.paths.root, run.sweep):
        with contextlib.suppress(OSError):
            events = [event["event"] for event in read_journal(run.paths.journal)]
            # one that was killed as it was given up, and went on: its last attempt tells
            last = max((at for at, name in enumerate(events) if name == _RESUMED), default=0)
            return _PRUNED in events[last:]
    return False


@lru_cache(maxsize=1000)
def _is_search(root: Path, key: str) -> bool:
    try:
        return read_submitted(SweepFolder(root, key))["study"] is not None
    except RecordError:  # it is gone, and may have been one
        return True


def runs_begun_for(key: str) -> Condition:
    """Make the condition that a run was begun for a sweep.

    Args:
        key: The sweep's key.

    Returns:
        It.
    """
    return Condition(f"({OWN})", (kept_name(key),))


def runs_of_sweep(index: Index, key: str) -> Condition:
    """Make the condition that a run is one of a sweep.

    It is where it was begun for it, or where a point that none of these has finished is finished
    by it: it was begun for another sweep of the same code, and trained with the same.

    Args:
        index: The index of the runs to look among, up to date.
        key: The sweep's key.

    Returns:
        The condition.

    Raises:
        RecordError: The files of the sweep are damaged.
    """
    parts = [OWN]
    values: list[str | bytes] = [kept_name(key)]
    for root in index.roots:
        taken = _taken_over(index, SweepFolder(root, key))
        if taken:
            parts.append(
                f"sweep != '' AND {_OF_ROOT} AND {_NAME} IN (SELECT value FROM json_each(?))"
            )
            values += [kept_name(str(root)), json.dumps([*map(_name, taken)])]
    return Condition(f"({' OR '.join(f'({part})' for part in parts)})", tuple(values))


def taken_over(index: Index, key: str) -> set[RunPaths]:
    """Find the runs of a sweep that were begun for others, see `runs_of_sweep`.

    Args:
        index: The index of the runs to look among, up to date.
        key: The sweep's key.

    Returns:
        Their files.

    Raises:
        RecordError: The files of the sweep are damaged.
    """
    return {paths for root in index.roots for paths in _taken_over(index, SweepFolder(root, key))}


def submitted_keys(root: Path, start: str) -> list[str]:
    """List the sweeps that were submitted under a root, also those of which no run is there.

    Args:
        root: The experiment root.
        start: How their keys begin.

    Returns:
        The keys.
    """
    with contextlib.suppress(OSError):
        names = os.listdir(sweeps_of(root))  # noqa: PTH208 - names are enough
        return [n for n in names if n.startswith(start) and SweepFolder(root, n).manifest.exists()]
    return []


def _taken_over(index: Index, paths: SweepFolder) -> set[RunPaths]:
    """Find the runs of other sweeps by which points of a sweep are finished."""
    if not paths.manifest.exists():
        return set()
    tree = read_submitted(paths)["facts"]["code"]["tree"]
    values = (kept_name(str(paths.root)), kept_name(paths.key), tree)
    runs = index.swept(f"{_OF_ROOT} AND (({OWN}) OR ({FINISHERS}))", values)
    own = {run.point for run in runs if run.sweep == paths.key and run.status == _FINISHED}
    finishers = Finishers(paths.key, runs)
    waiting = (told for told in read_point_facts(paths) if told["number"] not in own)
    found = (finishers.of(told["digest"]) for told in waiting)
    return {run.paths for run in found if run is not None and run.sweep != paths.key}


def _name(paths: RunPaths) -> str:
    experiment, key = (os.fsencode(name).hex().upper() for name in (paths.experiment, paths.key))
    return f"{experiment}/{key}"
