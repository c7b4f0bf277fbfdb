"""What the sweeps of a root need, and which of them need their code no more."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Collection, Iterable
from pathlib import Path

from thexp_pl.atomic import read_bytes
from thexp_pl.errors import RecordError
from thexp_pl.record.locks import is_held, take
from thexp_pl.record.names import shown
from thexp_pl.record.sweep_files import read_point_facts
from thexp_pl.record.sweep_folder import SweepFolder, sweeps_of
from thexp_pl.runs.run import Run, read_run
from thexp_pl.upkeep.folders import delete, kept_runs
from thexp_pl.upkeep.leftovers import age_of

__all__ = ["drop_code", "idle_sweeps", "sweep_folders", "sweep_trees"]

_DAY = 86400.0
_TREE = re.compile(rb"(?<![0-9a-f])[0-9a-f]{40}(?![0-9a-f])")
_MAX_BYTES = 64 << 20
_LOCK_SECONDS = 5


def sweep_folders(root: Path) -> list[SweepFolder]:
    """List the sweeps of a root.

    Args:
        root: The experiment root.

    Returns:
        Their files, by key.

    Raises:
        RecordError: Their folder is there and cannot be looked into.
    """
    top = sweeps_of(root)
    try:
        with os.scandir(top) as entries:
            names = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise RecordError(
            f"cannot look into {shown(str(top), 200)}: {error.strerror or error}; nothing is"
            " dropped before that folder can be read"
        ) from error
    return [SweepFolder(root, name) for name in sorted(names) if name[0] != "."]


def sweep_trees(root: Path, idle: Collection[str] = ()) -> set[str]:
    """Collect the trees of the code of sweeps.

    Args:
        root: The experiment root.
        idle: The keys of sweeps that count no more.

    Returns:
        Their hashes, and whatever else in what was submitted looks like one.

    Raises:
        RecordError: What was submitted cannot be read, so that the tree is not known.
    """
    trees: set[str] = set()
    for paths in sweep_folders(root):
        if paths.key in idle:
            continue
        try:
            submitted = read_bytes(paths.manifest, limit=_MAX_BYTES)
        except FileNotFoundError:  # one that is just submitted, whose code is young
            continue
        except (OSError, ValueError) as error:
            raise RecordError(
                f"no code is dropped from {str(root)!r}: nobody knows what the sweep"
                f" {shown(paths.key)} needs, as its sweep.json cannot be read; mend it or remove"
                " the sweep's folder"
            ) from error
        trees.update(map(bytes.decode, _TREE.findall(submitted)))
    return trees


def idle_sweeps(root: Path, older_than: float, now: float) -> list[SweepFolder]:
    """Find the sweeps that need their code no more.

    All of their points are finished, or they have had runs and all of these are gone; no process
    works on them; and they were left alone for a while. One with points that wait keeps its code.

    Args:
        root: The experiment root.
        older_than: The least seconds for which they were left alone; below a day, a day.
        now: The time there, see `thexp_pl.upkeep.leftovers.now_in`.

    Returns:
        Their files. The next submission of the same command writes their code out again.

    Raises:
        RecordError: A folder cannot be looked into.
    """
    quiet = [
        paths
        for paths in sweep_folders(root)
        if _seconds_alone(paths, now) >= max(older_than, _DAY) and not _is_worked_on(paths)
    ]
    if not quiet:
        return []
    runs = [run for run in map(read_run, kept_runs(root)) if _entry(run).get("key")]
    digests = {(_entry(run).get("digest"), _tree(run)) for run in runs if run.status == "finished"}
    return [paths for paths in quiet if _is_through(paths, runs, digests)]


def drop_code(paths: SweepFolder, older_than: float, now: float) -> None:
    """Drop the code of a sweep, unless it was taken up meanwhile.

    Args:
        paths: The sweep, one of `idle_sweeps`.
        older_than: As there.
        now: As there.

    Raises:
        OSError: It cannot be deleted.
    """
    descriptor = take(paths.submit_lock, _LOCK_SECONDS)
    if descriptor is None:
        return
    try:
        if _seconds_alone(paths, now) >= max(older_than, _DAY) and not _is_worked_on(paths):
            with contextlib.suppress(FileNotFoundError):
                delete(paths.code)
    finally:
        os.close(descriptor)


def _seconds_alone(paths: SweepFolder, now: float) -> float:
    ages = []
    for place in (paths.folder, paths.points, paths.told(0).parent, paths.log(0).parent):
        with contextlib.suppress(OSError):
            ages.append(age_of(place, now))
    return min(ages, default=0.0)


def _is_worked_on(paths: SweepFolder) -> bool:
    return is_held(paths.lock) or any(map(is_held, paths.told(0).parent.glob("*.lock")))


def _is_through(paths: SweepFolder, runs: Iterable[Run], digests: set[tuple[object, str]]) -> bool:
    own = [run for run in runs if _entry(run)["key"] == paths.key]
    if not own:
        return any(paths.told(0).parent.glob("*.json"))
    done = {_entry(run).get("point") for run in own if run.status == "finished"}
    trees = {_tree(run) for run in own}
    try:
        points = read_point_facts(paths)
    except RecordError:
        return False
    return bool(points) and all(
        point["number"] in done or any((point["digest"], tree) in digests for tree in trees)
        for point in points
    )


def _entry(run: Run) -> dict[str, object]:
    return run.manifest.get("sweep") or {}


def _tree(run: Run) -> str:
    return str((run.manifest.get("code") or {}).get("tree"))
