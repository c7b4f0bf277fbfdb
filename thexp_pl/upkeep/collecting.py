"""`collect`: dropping what nothing needs from an experiment root."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from thexp_pl.errors import RecordError
from thexp_pl.record.folders import as_root
from thexp_pl.record.paths import RunPaths
from thexp_pl.upkeep.folders import delete, is_run, size_of, trashed_runs
from thexp_pl.upkeep.leftovers import (
    age_of,
    now_in,
    restored_folders,
    settle_saves,
    temporary_files,
)
from thexp_pl.upkeep.purge import plan_purge, purge
from thexp_pl.upkeep.snapshots import DroppedCode, drop_snapshots
from thexp_pl.upkeep.sweeps import drop_code, idle_sweeps

__all__ = ["Collected", "collect"]


@dataclass
class Collected:
    """What was dropped from a root, or would be.

    Args:
        root: The experiment root.
        runs: The keys of the runs that were purged from the trash.
        needed: The checkpoints of purged runs that stay, as runs that are kept need them.
        doubt: Why all of their checkpoints stay, where nobody knows which are needed; else empty.
        snapshots: The trees of the code that was dropped.
        folders: Folders in which runs were run again, and the code of sweeps that are through.
        temporary: Files that killed processes have left.
        freed: Bytes.
        refused: Why the code was left alone; empty where it was not.
    """

    root: Path
    runs: list[str] = field(default_factory=list)
    needed: list[Path] = field(default_factory=list)
    doubt: str = ""
    snapshots: list[str] = field(default_factory=list)
    folders: list[Path] = field(default_factory=list)
    temporary: list[Path] = field(default_factory=list)
    freed: int = 0
    refused: str = ""


def collect(
    root: str | os.PathLike[str],
    *,
    older_than: timedelta = timedelta(days=30),
    dry_run: bool = False,
    progress: Callable[[int, int], object] = lambda done, total: None,
) -> Collected:
    """Drop what nothing needs: old runs in the trash, code that no run names, leftovers.

    What a run that is kept needs to be restored stays: its code, and the checkpoint of another run
    that it went on from. So do what a sweep needs whose points are not all finished, all code that
    is younger than a day, and a folder in which a run was run again that is. While a snapshot is
    being taken, or where a manifest is damaged, no code is dropped at all.

    Args:
        root: The experiment root.
        older_than: How long a run was in the trash at least, and a folder in which one was run
            again, or a sweep, was left alone; for these, below a day means a day.
        dry_run: Tell what would be dropped, and change nothing.
        progress: Called with how many runs were looked at and how many there are, anew for each
            thing that is looked for; with 0 and 0 while files are deleted.

    Returns:
        What was dropped.

    Raises:
        RecordError: There is no such root, or a folder in it cannot be looked into.
        OSError: The file system refuses.
    """
    top = as_root(root)
    if not top.is_dir():
        raise RecordError(f"no experiment root {str(top)!r}: give a folder that holds runs")
    top = top.resolve()
    found = Collected(top)
    now = now_in(top)
    going = _purge(found, older_than.total_seconds(), now, dry_run, progress)
    found.folders = restored_folders(top, older_than.total_seconds(), now)
    idle = idle_sweeps(top, older_than.total_seconds(), now)
    found.temporary = temporary_files(top, now)
    for path in (*found.folders, *found.temporary):
        found.freed += size_of(path)
        if not dry_run:
            with contextlib.suppress(FileNotFoundError):  # someone else was first
                delete(path)
    for paths in idle:
        if paths.code.is_dir():
            found.folders.append(paths.code)
            found.freed += size_of(paths.code)
            if not dry_run:
                drop_code(paths, older_than.total_seconds(), now)
    found.temporary += settle_saves(top, dry_run=dry_run)
    code = DroppedCode()
    try:
        keys = [paths.key for paths in idle]
        code = drop_snapshots(top, going, keys, dry_run=dry_run, progress=progress)
    except RecordError as error:
        found.refused = str(error)
    found.snapshots = list(code.trees)
    found.freed += code.freed
    return found


def _purge(
    found: Collected,
    older_than: float,
    now: float,
    dry_run: bool,
    progress: Callable[[int, int], object],
) -> list[RunPaths]:
    going = []
    for paths in trashed_runs(found.root):
        with contextlib.suppress(FileNotFoundError):
            # What an earlier purge has left goes as soon as nothing needs it.
            if not is_run(paths) or age_of(paths.folder, now) >= older_than:
                going.append(paths)
    plans = plan_purge(going, progress=progress)
    progress(0, 0)
    if not dry_run:
        purge(plans)
    found.runs = [plan.paths.key for plan in plans if plan.is_run]
    found.needed = [file for plan in plans for file in plan.needed]
    found.doubt = plans[0].doubt if plans else ""
    found.freed += sum(plan.freed for plan in plans)
    return going
