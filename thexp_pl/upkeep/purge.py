"""Deleting removed runs for good, but for what other runs need."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from thexp_pl.record.names import shown
from thexp_pl.record.paths import RunPaths
from thexp_pl.record.roots import known_roots
from thexp_pl.upkeep.folders import delete, is_run, kept_runs, size_of, trashed_runs
from thexp_pl.upkeep.needs import Origin, needed_files, needs_of
from thexp_pl.upkeep.trash import root_of

__all__ = ["Purged", "plan_purge", "purge"]


@dataclass(frozen=True)
class Purged:
    """What becomes of one removed run.

    Args:
        paths: The run in the trash.
        is_run: Whether it was a whole run; else what an earlier purge had left of one.
        freed: Bytes that go.
        needed: The files that stay, as runs that are kept need them.
        doubt: Why all checkpoints stay, whether one is known to need them or not; else empty.
    """

    paths: RunPaths
    is_run: bool
    freed: int
    needed: tuple[Path, ...]
    doubt: str = ""


def plan_purge(
    runs: Sequence[RunPaths], *, progress: Callable[[int, int], object] = lambda done, total: None
) -> list[Purged]:
    """Find out what of some runs can go; nothing is changed.

    Args:
        runs: The runs, kept ones or such as `trashed_runs` gives.
        progress: Called with how many of the runs that stay were read, and how many there are.

    Returns:
        One entry a run. Of what all other runs, kept or in the trash, of all known roots went on
        from, the checkpoints stay; where one of those runs is damaged, all checkpoints do.

    Raises:
        RecordError: A folder cannot be looked into.
    """
    if not runs:
        return []
    going = {os.path.realpath(paths.folder) for paths in runs}
    own = {root_of(paths).resolve() for paths in runs}
    origins: list[Origin] = []
    doubt = ""
    roots = sorted({*own, *(root.resolve() for root in known_roots())})
    staying = [paths for root in roots for paths in _runs_in(root)]
    for done, paths in enumerate(staying):
        progress(done, len(staying))
        if os.path.realpath(paths.folder) not in going:
            needs = needs_of(paths)
            origins += needs.origins
            if needs.damage:
                root = str(root_of(paths))
                doubt = f"the run {shown(paths.key)} in {shown(root, 200)} is damaged"
    plans = []
    for paths in runs:
        home = RunPaths(root_of(paths), paths.experiment, paths.key)
        needed = needed_files(paths, home, origins, all_of_them=bool(doubt))
        freed = size_of(paths.folder) - sum(map(size_of, needed))
        plans.append(Purged(paths, is_run(paths), freed, tuple(sorted(needed)), doubt))
    return plans


def purge(plans: Iterable[Purged]) -> None:
    """Delete what was planned.

    Args:
        plans: As `plan_purge` gave them of runs in the trash, a moment ago.

    Raises:
        OSError: The file system refuses.
    """
    for plan in plans:
        folder = plan.paths.folder
        if plan.needed:
            # First the manifest: what is half deleted is no run that could be restored.
            plan.paths.manifest.unlink(missing_ok=True)
            _thin(folder, frozenset(plan.needed))
        else:
            delete(folder)
            with contextlib.suppress(OSError):  # other runs are in it
                folder.parent.rmdir()


def _runs_in(root: Path) -> list[RunPaths]:
    return [*kept_runs(root), *(each for each in trashed_runs(root) if is_run(each))]


def _thin(folder: Path, needed: frozenset[Path]) -> None:
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.is_symlink():
            if any(path in file.parents for file in needed):
                _thin(path, needed)
            else:
                shutil.rmtree(path)
        elif path not in needed:
            path.unlink()
