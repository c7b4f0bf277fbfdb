"""The folders of roots and runs: naming, making and listing them."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import string
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from thexp_pl.errors import RecordError
from thexp_pl.record.names import shown
from thexp_pl.record.paths import RankPaths, RunPaths

__all__ = [
    "announce",
    "as_root",
    "experiment_folders",
    "make_run_folder",
    "new_key",
    "rank_places",
    "record_error",
    "remove_empty",
    "run_folders",
    "subfolders",
]

_TAIL_LETTERS = string.ascii_lowercase + string.digits
_TAIL_LENGTH = 4
_ATTEMPTS = 100


def as_root(root: str | os.PathLike[str]) -> Path:
    """Make the absolute path of an experiment root, ``~`` included; nothing is created.

    Args:
        root: The folder as given.

    Returns:
        Its absolute path, symbolic links kept.

    Raises:
        RecordError: No folder can have that path.
    """
    text = os.path.expanduser(os.fspath(root))  # noqa: PTH111 - no error where there is no home
    if "://" in text:
        raise RecordError(
            f"the experiment root {shown(text)} is a URL, and a record is made of local files; give"
            " a path such as './experiment'"
        )
    if not text or "\0" in text:
        raise RecordError(
            f"the experiment root {shown(text)} cannot be a folder; give a path such as"
            " './experiment'"
        )
    try:
        return Path(os.path.abspath(text))  # noqa: PTH100 - Path.absolute keeps `..`
    except FileNotFoundError:
        raise RecordError(
            f"the experiment root {shown(text)} is below the working directory, which was deleted:"
            " change to another, or give an absolute path"
        ) from None


def record_error(deed: str, path: Path, error: OSError) -> RecordError:
    """Say in one line that something of the record could not be made, why, and the way out.

    Args:
        deed: What was tried, such as ``"make the run's folder"``.
        path: Where.
        error: What the system said.

    Returns:
        The error to raise.
    """
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        way_out = "free some space there or choose another experiment root"
    else:
        way_out = "choose an experiment root that you may write to"
    return RecordError(f"cannot {deed} {str(path)!r}: {error.strerror or error}; {way_out}")


def make_run_folder(root: Path, experiment: str) -> RunPaths:
    """Make the folder of a new run; no two processes ever get the same one.

    Args:
        root: The experiment root; it and the experiment's folder are made where they are missing.
        experiment: The experiment's name, checked.

    Returns:
        The run's paths; its key is the local time and a short random tail.

    Raises:
        RecordError: It cannot be made; nothing is left behind.
    """
    parent = root / experiment
    missing = tuple(path for path in (parent, *parent.parents) if not os.path.lexists(path))
    refusal: OSError = FileExistsError(errno.EEXIST, f"no free name in {_ATTEMPTS} attempts")
    try:
        for _ in range(_ATTEMPTS):
            key = new_key()
            try:
                parent.mkdir(parents=True, exist_ok=True)
                if _made_exclusively(parent / key):
                    return RunPaths(root, experiment, key, (parent / key, *missing))
            # Another process that failed may take an empty parent away between the two steps;
            # where it is so each time, as in /proc, no folder can be made.
            except FileNotFoundError as error:
                refusal = error
        raise refusal
    except OSError as error:
        remove_empty(missing)
        raise record_error("make a run's folder under", parent, error) from error


def announce(paths: RunPaths) -> None:
    """Give the experiment's folder a new time, by which readers know that a run in it has changed.

    Args:
        paths: The run.
    """
    with contextlib.suppress(OSError):  # in another's folder: the run is looked at in its turn
        os.utime(paths.folder.parent)


def remove_empty(folders: Iterable[Path]) -> None:
    """Take back folders that were made; one that holds something by now stays.

    Args:
        folders: The folders, inner ones first.
    """
    for folder in folders:
        with contextlib.suppress(OSError):
            folder.rmdir()


def _made_exclusively(folder: Path) -> bool:
    try:
        folder.mkdir()
    except FileExistsError:
        return False
    return True


def new_key() -> str:
    """Draw a key: the local time and a short random tail.

    Returns:
        The key.
    """
    # `secrets`, not `random`: a seeded script would draw the same tail each time, and be changed.
    tail = "".join(secrets.choice(_TAIL_LETTERS) for _ in range(_TAIL_LENGTH))
    return f"{datetime.now():%y-%m-%d-%H%M%S}-{tail}"


def run_folders(root: Path) -> list[RunPaths]:
    """List the runs of a root: the folders with a manifest.

    Args:
        root: The experiment root.

    Returns:
        Their paths, in no particular order; folders that cannot be read are passed over.
    """
    return [
        paths
        for experiment in experiment_folders(root)
        for run in subfolders(experiment)
        if os.path.lexists((paths := RunPaths(root, experiment.name, run.name)).manifest)
    ]


def rank_places(paths: RunPaths) -> list[RankPaths]:
    """List the files of the ranks other than 0 of a run.

    Args:
        paths: The run.

    Returns:
        They, by rank.
    """
    numbers = sorted(int(entry.name) for entry in subfolders(paths.ranks) if entry.name.isdecimal())
    return [RankPaths(paths, rank) for rank in numbers]


def experiment_folders(root: str | os.PathLike[str]) -> list[os.DirEntry[str]]:
    """List the experiments of a root.

    Args:
        root: The experiment root.

    Returns:
        Its folders that are not hidden, and the links to others; a link to an experiment of the
        same root is only another name of it.
    """
    found = subfolders(root)
    if not any(entry.is_symlink() for entry in found):
        return found
    own = os.path.realpath(root)
    return [
        entry
        for entry in found
        if not entry.is_symlink() or os.path.dirname(os.path.realpath(entry.path)) != own  # noqa: PTH120
    ]


def subfolders(folder: str | os.PathLike[str]) -> list[os.DirEntry[str]]:
    """List the folders in a folder that are not hidden.

    Args:
        folder: The folder.

    Returns:
        Its folders and the links to some; none where it cannot be read.
    """
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        return [entry for entry in entries if entry.name[0] != "." and _is_folder(entry)]
    return []


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself, which hides nothing beside it
        return False
