"""The trash of a root: runs that were removed, until they are restored or purged.

A run goes there as it is, in one step. What it is called in its manifest has no say in it: its
folder is the one in which it was found.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from thexp_pl.errors import RecordError, near_miss
from thexp_pl.record.names import shown
from thexp_pl.record.paths import RunPaths, trash_of
from thexp_pl.runs.keys import find_sweep
from thexp_pl.runs.run import read_run
from thexp_pl.runs.selecting import select_runs
from thexp_pl.runs.viewer import ExperimentViewer
from thexp_pl.upkeep.folders import is_run, trashed_runs

__all__ = ["check_removable", "find_any", "find_trashed", "remove", "restore", "root_of"]


def remove(runs: Sequence[RunPaths]) -> list[RunPaths]:
    """Move runs to the trash of their roots; all of them can go, or none does.

    Args:
        runs: The runs.

    Returns:
        Where they are now.

    Raises:
        RecordError: One of them is running, is gone, lies in the trash already, or is seen through
            a linked experiment.
        OSError: The file system refuses.
    """
    check_removable(runs)
    return [_moved(paths, _in_trash(paths)) for paths in runs]


def check_removable(runs: Sequence[RunPaths]) -> None:
    """See that runs can be moved to the trash of their roots.

    Args:
        runs: The runs.

    Raises:
        RecordError: One of them is running, is gone, lies in the trash already, or is seen through
            a linked experiment.
    """
    for paths in runs:
        if read_run(paths).status == "running":
            raise RecordError(
                f"the run {shown(paths.key)} is running: end it first, then remove it"
            )
        if not is_run(paths):
            raise RecordError(f"the run {shown(paths.key)} is gone: nothing is removed")
        if paths.folder.parent.is_symlink():  # its files are not of this root
            place = str(paths.folder.parent.resolve())
            raise RecordError(
                f"{str(paths.folder.parent)!r} is a link to {place!r}: remove the link, or the run"
                " where it lies"
            )
        target = _in_trash(paths)
        if os.path.lexists(target.folder):
            raise RecordError(
                f"the trash of {str(paths.root)!r} holds a run {shown(paths.key)} already: purge"
                " that one with `thexp-pl rm --purge`, or restore it"
            )


def restore(trashed: Sequence[RunPaths]) -> list[RunPaths]:
    """Bring runs back from the trash; all of them can come, or none does.

    Args:
        trashed: The runs, as `find_trashed` or `remove` gave them.

    Returns:
        Where they are now.

    Raises:
        RecordError: One of them was purged, or its place is taken.
        OSError: The file system refuses.
    """
    homes = [RunPaths(root_of(paths), paths.experiment, paths.key) for paths in trashed]
    for paths, home in zip(trashed, homes, strict=True):
        if not is_run(paths):
            raise RecordError(
                f"the run {shown(paths.key)} was purged: of it only what other runs need is left"
            )
        if os.path.lexists(home.folder):
            raise RecordError(
                f"a run {shown(home.key)} is in {str(home.folder.parent)!r} already: remove that"
                " one first"
            )
    return [_moved(paths, home) for paths, home in zip(trashed, homes, strict=True)]


def find_trashed(roots: Iterable[Path], word: str) -> list[RunPaths]:
    """Find the removed run that a word means, or those of a sweep.

    Args:
        roots: The experiment roots.
        word: The run's key, or the beginning of just that key; or the same of a sweep.

    Returns:
        Where they are, see `trashed_runs`.

    Raises:
        RecordError: There is none, or more than one.
    """
    there, found = _there_and_meant(roots, word)
    if len(found) == 1 or (not found and (found := _of_sweep(there, word))):
        return found
    if found:
        raise RecordError(
            f"the key {shown(word)} means {len(found)} removed runs: give more of the key, or one"
            " root"
        )
    hint = near_miss(word, {paths.key for paths in there})
    raise RecordError(
        f"no removed run has the key {shown(word)}{hint}; `thexp-pl rm --list` shows them"
    )


def find_any(viewer: ExperimentViewer, roots: Iterable[Path], word: str) -> list[RunPaths]:
    """Find the runs that a word means among those that are kept and those in the trash.

    Args:
        viewer: The kept ones.
        roots: The experiment roots whose trash is looked into.
        word: What means kept runs, see `select_runs`; or the key of one in the trash, or the
            beginning of just one key, wherever that run is; or the same of a sweep, for the runs
            that were begun for it.

    Returns:
        The runs; none where a query meets none. Of a run that is in its root and in the trash of
        that root, the one in the trash.

    Raises:
        RecordError: There is none, or more than one.
        QueryError: A query cannot be carried out as written.
    """
    there, removed = _there_and_meant(roots, word)
    if not removed and (swept := _of_sweep(there, word)):
        return [*_kept_beside(viewer, swept, word), *swept]
    if not removed:
        return [row.paths for row in select_runs(viewer, [word], taken_over=False)]
    kept: list[RunPaths] = []
    with contextlib.suppress(RecordError):
        kept = [row.paths for row in select_runs(viewer, [word], taken_over=False)]
    if removed[0].key == word:
        homes = {root_of(paths) for paths in removed}
        if any(paths.key == word and paths.root not in homes for paths in kept):
            raise RecordError(
                f"the key {shown(word)} means a kept run and a removed one, in two roots: name one"
                " root with --exps_dir"
            )
    elif any(word in (paths.key, paths.experiment) for paths in kept):
        return kept
    elif begun := [key for key in viewer.list() if key.startswith(word)]:
        raise RecordError(
            f"the key {shown(word)} means {len(begun)} kept and {len(removed)} removed: give more"
            " of the key"
        )
    return find_trashed(roots, word)


def root_of(paths: RunPaths) -> Path:
    """Say which root a run belongs to.

    Args:
        paths: The run, kept or as `trashed_runs` gives it.

    Returns:
        The experiment root.
    """
    root = paths.root.parent.parent
    return root if paths.root == trash_of(root) else paths.root


def _there_and_meant(roots: Iterable[Path], word: str) -> tuple[list[RunPaths], list[RunPaths]]:
    there = [paths for root in roots for paths in trashed_runs(root) if is_run(paths)]
    found = [paths for paths in there if paths.key == word]
    return there, found or [paths for paths in there if word and paths.key.startswith(word)]


def _of_sweep(there: Iterable[RunPaths], word: str) -> list[RunPaths]:
    """Give the removed runs of the one sweep that a word means; none where it means none."""
    if not word.startswith("sweep-"):
        return []
    sweeps: dict[str, list[RunPaths]] = {}
    for paths in there:
        sweeps.setdefault(_sweep(paths), []).append(paths)
    keys = [word] if word in sweeps else [key for key in sweeps if key.startswith(word)]
    if len(keys) > 1:
        raise RecordError(
            f"{shown(word)} means {len(keys)} sweeps with removed runs: give more of the key"
        )
    return sweeps[keys[0]] if keys else []


def _sweep(paths: RunPaths) -> str:
    return str((read_run(paths).manifest.get("sweep") or {}).get("key"))


def _kept_beside(
    viewer: ExperimentViewer, swept: Sequence[RunPaths], word: str
) -> Iterator[RunPaths]:
    """Give the kept runs of a sweep that has removed ones, where the word means no other sweep."""
    key = find_sweep(viewer.index(), word)
    if key is None:
        return
    if key != _sweep(swept[0]):
        raise RecordError(
            f"{shown(word)} means a sweep with kept runs and one with removed ones: give more of"
            " the key"
        )
    for row in viewer.rows(f"sweep == {json.dumps(key)}"):
        yield row.paths


def _in_trash(paths: RunPaths) -> RunPaths:
    return RunPaths(trash_of(paths.root), paths.experiment, paths.key)


def _moved(paths: RunPaths, target: RunPaths) -> RunPaths:
    parent = target.folder.parent
    try:
        parent.mkdir(parents=True, exist_ok=True)
        if paths.folder.is_symlink():
            # As seen from elsewhere, a relative link would lead elsewhere.
            target.folder.symlink_to(os.path.realpath(paths.folder))
            paths.folder.unlink()
        else:
            paths.folder.rename(target.folder)
    except OSError as error:
        with contextlib.suppress(OSError):
            parent.rmdir()
        if error.errno == errno.EXDEV:
            raise RecordError(
                f"cannot move {str(paths.folder)!r}: it lies on another file system than its root;"
                " delete that folder by hand"
            ) from error
        raise
    with contextlib.suppress(OSError):  # other runs are in it
        paths.folder.parent.rmdir()
    return target
