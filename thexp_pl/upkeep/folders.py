"""The runs of a root without gaps: what cannot be looked into is an error, not an empty folder.

Readers pass over what they cannot read. Who deletes must not: a folder that is not seen would be
taken for runs that need nothing.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from thexp_pl.errors import RecordError
from thexp_pl.record.names import shown
from thexp_pl.record.paths import RunPaths, trash_of

__all__ = ["delete", "is_run", "kept_runs", "size_of", "trashed_runs"]


def kept_runs(root: Path) -> list[RunPaths]:
    """List all runs of a root.

    Args:
        root: The experiment root.

    Returns:
        Their paths, sorted.

    Raises:
        RecordError: A folder cannot be looked into, or a link leads nowhere.
    """
    return [paths for paths in _two_deep(root) if is_run(paths)]


def trashed_runs(root: Path) -> list[RunPaths]:
    """List what lies in a root's trash: removed runs, and checkpoints of purged ones.

    Args:
        root: The experiment root.

    Returns:
        Their paths, with the trash in the place of the root, sorted.

    Raises:
        RecordError: A folder cannot be looked into.
    """
    return _two_deep(trash_of(root))


def is_run(paths: RunPaths) -> bool:
    """Say whether a folder holds a run: it has a manifest, whole or damaged.

    Args:
        paths: The folder.

    Returns:
        Whether it does.

    Raises:
        RecordError: It cannot be looked into.
    """
    try:
        paths.manifest.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise _unreadable(paths.folder, error) from error
    return True


def size_of(path: Path) -> int:
    """Add up the sizes of all files in a folder.

    Args:
        path: The folder, or a file; a symbolic link counts as one.

    Returns:
        The bytes; what cannot be looked at counts nothing.
    """
    size = 0
    waiting = [path]
    while waiting:
        one = waiting.pop()
        try:
            facts = one.lstat()
            if one.is_dir() and not one.is_symlink():
                waiting += one.iterdir()
            else:
                size += facts.st_size
        except OSError:
            continue
    return size


def delete(path: Path) -> None:
    """Delete a folder for good, at once for readers: it takes a hidden name before.

    Args:
        path: The folder or file; of a symbolic link the link goes, not what it leads to.

    Raises:
        OSError: It cannot be deleted.
    """
    aside = path.with_name(f".tmp-{os.urandom(8).hex()}")
    path.rename(aside)
    if aside.is_symlink() or not aside.is_dir():
        aside.unlink()
    else:
        shutil.rmtree(aside)


def _two_deep(top: Path) -> list[RunPaths]:
    return sorted(
        (
            RunPaths(top, experiment, key)
            for experiment in _subfolders(top)
            for key in _subfolders(top / experiment)
        ),
        key=lambda paths: (paths.experiment, paths.key),
    )


def _subfolders(folder: Path) -> Iterator[str]:
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name[0] == ".":
                    continue
                if entry.is_symlink() and not os.path.lexists(os.path.realpath(entry.path)):
                    raise RecordError(
                        f"{shown(entry.path, 200)} leads nowhere: bring back what it leads to, or"
                        " remove it, so that nothing is dropped that a run there needs"
                    )
                if entry.is_dir():
                    yield entry.name
    except (FileNotFoundError, NotADirectoryError):
        return
    except RecordError:
        raise
    except OSError as error:
        raise _unreadable(folder, error) from error


def _unreadable(folder: Path, error: OSError) -> RecordError:
    return RecordError(
        f"cannot look into {shown(str(folder), 200)}: {error.strerror or error}; nothing is"
        " dropped before that folder can be read"
    )
