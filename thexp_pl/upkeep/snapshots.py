"""Dropping the code that no run names from the store of a root."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from thexp_pl.errors import RecordError
from thexp_pl.record.code.git import Git
from thexp_pl.record.code.store import Store
from thexp_pl.record.names import shown
from thexp_pl.record.paths import RunPaths, code_store, trash_of
from thexp_pl.upkeep.folders import is_run, kept_runs, size_of, trashed_runs
from thexp_pl.upkeep.needs import needs_of
from thexp_pl.upkeep.sweeps import sweep_trees

__all__ = ["YOUNG_SECONDS", "DroppedCode", "drop_snapshots", "named_trees"]

YOUNG_SECONDS = 86400.0  # a run that starts names its tree within seconds; clocks may differ
_STALE_SECONDS = 60.0  # git holds such a lock while it writes one small file
# Packs of old are deleted when the new one is there: it must be on the disk by then.
_FLUSHED = (
    *("-c", "core.fsync=committed", "-c", "core.fsyncMethod=fsync"),
    *("-c", "repack.writeBitmaps=false", "-c", "pack.threads=2"),
)
_NAMES = "refs/snapshots/"


@dataclass(frozen=True)
class DroppedCode:
    """What was dropped of a store, or would be.

    Args:
        trees: The snapshots.
        freed: Bytes of objects; before dropping, the most that it can be.
    """

    trees: tuple[str, ...] = ()
    freed: int = 0


def named_trees(
    root: Path,
    purged: Collection[RunPaths] = (),
    idle: Collection[str] = (),
    progress: Callable[[int, int], object] = lambda done, total: None,
) -> set[str]:
    """Collect the trees that the runs and sweeps of a root name, kept or in the trash.

    Args:
        root: The experiment root.
        purged: Runs in the trash that count no more.
        idle: The keys of sweeps that count no more.
        progress: Called with how many runs were read, and how many there are to read.

    Returns:
        Their hashes.

    Raises:
        RecordError: A kept run or a sweep is damaged, so that its tree is not known.
    """
    trees = sweep_trees(root, idle)
    trash = trash_of(root)
    # Kept runs twice: one that is restored meanwhile is seen in one place or the other.
    listed = (*kept_runs(root), *trashed_runs(root), *kept_runs(root))
    for done, paths in enumerate(listed):
        progress(done, len(listed))
        if paths.root == trash and (paths in purged or not is_run(paths)):
            continue
        needs = needs_of(paths)
        if needs.damage and paths.root != trash:
            raise RecordError(
                f"no code is dropped from {str(root)!r}: nobody knows what the run"
                f" {shown(paths.key)} needs, as {needs.damage}; mend it or remove it"
            )
        trees |= needs.trees
    return trees


def drop_snapshots(
    root: Path,
    purged: Collection[RunPaths],
    idle: Collection[str] = (),
    *,
    dry_run: bool,
    progress: Callable[[int, int], object] = lambda done, total: None,
) -> DroppedCode:
    """Drop the snapshots that no run of a root names, but for young ones.

    Args:
        root: The experiment root.
        purged: Runs in the trash that count no more.
        idle: The keys of sweeps that count no more.
        dry_run: Change nothing.
        progress: As for `named_trees`; then with 0 and 0, while git is at work.

    Returns:
        What was dropped.

    Raises:
        GitError: git fails; what runs need is still there.
        RecordError: A kept run is damaged, or someone else is at work in the store.
    """
    if not (code_store(root) / "HEAD").is_file():
        return DroppedCode()
    store = Store(root)
    git = store.git(store.path, more=_FLUSHED, patient=True)
    with store.dropping():
        needed = named_trees(root, purged, idle, progress)
        progress(0, 0)
        commits = _commits(git)
        old = tuple(sorted(tree for tree in commits if tree not in needed and _is_old(store, tree)))
        if dry_run:
            return DroppedCode(old, _weight(git, commits, old))
        before = size_of(store.path / "objects")
        store.sweep()
        begun = store.path / "thexp" / "dropping"  # left by a kill: then the rest is to be done
        if old:
            begun.touch()
        _remove_refs(store, git, old)
        if begun.exists():  # else a new pack would make all that is in it young again
            git("repack", "-A", "-d", "-l", "-q", "--unpack-unreachable=1.day.ago")
        git("prune", "--expire=1.day.ago")
        begun.unlink(missing_ok=True)
        return DroppedCode(old, max(0, before - size_of(store.path / "objects")))


def _commits(git: Git) -> dict[str, str]:
    lines = git("for-each-ref", "--format=%(objectname) %(refname)", _NAMES).decode().splitlines()
    named = (line.split(" ", 1) for line in lines)
    return {name.removeprefix(_NAMES): commit for commit, name in named}


def _is_old(store: Store, tree: str) -> bool:
    """Judge a ref by the file system's own clock; a packed one by the age of the whole file."""
    clock = store.path / "in-use"
    os.utime(clock)
    now = clock.stat().st_mtime
    for file in (store.ref(tree), store.path / "packed-refs"):
        with contextlib.suppress(FileNotFoundError):
            return now - file.stat().st_mtime > YOUNG_SECONDS
    return False  # it is gone


def _weight(git: Git, commits: dict[str, str], old: Collection[str]) -> int:
    if not old:
        return 0
    words = [f"{'' if tree in old else '^'}{commit}" for tree, commit in commits.items()]
    size = git(
        *("rev-list", "--objects", "--disk-usage", "--stdin"), feed="\n".join(words).encode()
    )
    return int(size)


def _remove_refs(store: Store, git: Git, trees: Iterable[str]) -> None:
    clock = (store.path / "in-use").stat().st_mtime
    locks = (store.path / "packed-refs.lock", *(store.path / _NAMES).glob("*.lock"))
    for lock in locks:  # of a git that was killed
        with contextlib.suppress(FileNotFoundError):
            if clock - lock.stat().st_mtime <= _STALE_SECONDS:
                raise RecordError(
                    f"another git is at work in the code store, or was killed ({str(lock)!r}): try"
                    " again in a minute"
                )
            lock.unlink()
    commands = "".join(f"delete {_NAMES}{tree}\n" for tree in trees)
    if commands:
        git("update-ref", "--stdin", feed=commands.encode())
