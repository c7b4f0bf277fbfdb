"""What processes that were killed have left, and folders in which runs were run again."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from thexp_pl.errors import CheckpointError
from thexp_pl.globvars import MARK_FOLDER
from thexp_pl.record.paths import trash_of
from thexp_pl.record.sweep_folder import sweeps_of
from thexp_pl.runs.run import Run, read_run
from thexp_pl.saver.lock import locked
from thexp_pl.saver.pair import leftovers
from thexp_pl.upkeep.folders import kept_runs

__all__ = ["age_of", "now_in", "restored_folders", "settle_saves", "temporary_files"]

_TEMPORARY = re.compile(r"\.tmp-[0-9a-f]{16}")  # what this package writes before it renames
_DAY = 86400.0
_RESTORED = ("reproduced", "resumed")
_ALIVE = ("running", "lost")


def now_in(folder: Path) -> float:
    """Ask a file system what time it is: a file server's clock may differ from this machine's.

    Args:
        folder: A folder on it.

    Returns:
        Seconds since 1970.

    Raises:
        OSError: The folder cannot be written.
    """
    with tempfile.TemporaryFile(dir=folder) as probe:
        return os.fstat(probe.fileno()).st_mtime


def age_of(path: Path, now: float) -> float:
    """Tell how long ago a file or a folder was last written or moved.

    Args:
        path: The file; of a symbolic link, the link itself.
        now: The time, see `now_in`.

    Returns:
        Seconds.

    Raises:
        OSError: It is gone.
    """
    facts = path.lstat()
    return now - max(facts.st_mtime, facts.st_ctime)


def temporary_files(root: Path, now: float) -> list[Path]:
    """Find the files and folders that were to be renamed and never were, older than a day.

    Args:
        root: The experiment root.
        now: The time there.

    Returns:
        Their paths; none of a run that may still be running.
    """
    hidden = root / MARK_FOLDER
    places = [root, hidden, trash_of(root), *(hidden / name for name in _RESTORED)]
    places += [path for top in (root, trash_of(root)) for path in _folders(top)]
    places += [sweeps_of(root), *_folders(sweeps_of(root))]
    found = [path for place in places for path in _entries(place)]
    for paths in kept_runs(root):
        if read_run(paths).status not in _ALIVE:
            for at, folders, names in os.walk(paths.folder):
                found += [Path(at, name) for name in (*folders, *names)]
                folders[:] = [name for name in folders if not _TEMPORARY.fullmatch(name)]
    old = []
    for path in dict.fromkeys(found):
        if _TEMPORARY.fullmatch(path.name):
            with contextlib.suppress(OSError):
                # of a folder the moment counts at which it got this name: to be deleted
                age = age_of(path, now) if path.is_dir() else now - path.lstat().st_mtime
                if age > _DAY:
                    old.append(path)
    return old


def settle_saves(root: Path, *, dry_run: bool) -> list[Path]:
    """Finish or undo the saves that were cut off, as the Saver of those folders would.

    Args:
        root: The experiment root.
        dry_run: Change nothing.

    Returns:
        The checkpoints that they were of.
    """
    found = []
    for paths in kept_runs(root):
        for folder in _folders(paths.folder):
            with contextlib.suppress(OSError, CheckpointError):  # someone is saving there
                cut_off = leftovers(folder)
                if cut_off and read_run(paths).status not in _ALIVE:
                    if not dry_run:
                        with locked(folder, "tidy", timeout_s=0):
                            pass
                    found += cut_off
    return found


def restored_folders(root: Path, older_than: float, now: float) -> list[Path]:
    """Find the folders in which runs were run again that no run uses any more.

    A process that is to use one names it in its manifest only when it has read its data and starts
    to record, so none goes on the day on which it was made.

    Args:
        root: The experiment root.
        older_than: The least age in seconds; below a day, a day.
        now: The time there.

    Returns:
        Their paths.
    """
    hidden = root / MARK_FOLDER
    folders = [path for name in _RESTORED for path in _folders(hidden / name)]
    if not folders:
        return []
    runs = [run for run in map(read_run, kept_runs(root)) if run.status in _ALIVE]
    used = {place for run in runs for place in _places(run)}
    old = []
    for folder in folders:
        real = Path(os.path.realpath(folder))
        with contextlib.suppress(OSError):
            if age_of(folder, now) >= max(older_than, _DAY) and not any(
                place == real or real in place.parents for place in used
            ):
                old.append(folder)
    return old


def _places(run: Run) -> Iterator[Path]:
    code: dict[str, Any] = run.manifest.get("code") or {}
    for text in (code.get("project"), run.manifest.get("cwd")):
        if isinstance(text, str) and "\0" not in text:
            yield Path(os.path.realpath(run.paths.root / text))


def _folders(top: Path) -> list[Path]:
    return [path for path in _entries(top) if path.is_dir() and not path.is_symlink()]


def _entries(folder: Path) -> Iterable[Path]:
    with contextlib.suppress(OSError):
        return [folder / name for name in os.listdir(folder)]  # noqa: PTH208 - names are enough
    return []
