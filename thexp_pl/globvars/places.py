"""Where variables are: the user's home, and the project that a folder belongs to."""

from __future__ import annotations

import os
from pathlib import Path

from thexp_pl.errors import UsageError

__all__ = ["CONFIG_FILE", "MARK_FOLDER", "absolute", "find_project", "real", "thexp_home"]

MARK_FOLDER = ".thexp"
CONFIG_FILE = "config.json"


def thexp_home() -> Path:
    """Say where thexp keeps what belongs to the user.

    Returns:
        ``THEXP_HOME`` where it is set, else ``~/.thexp``; the folder need not exist.

    Raises:
        UsageError: It is a relative path, and the working directory was deleted.
    """
    named = os.path.expanduser(os.environ.get("THEXP_HOME") or "~/.thexp")  # noqa: PTH111 - Path.expanduser raises where there is no home
    return absolute(named)


def find_project(start: str | os.PathLike[str] | None = None) -> Path | None:
    """Find the project that a folder belongs to.

    Args:
        start: Where to begin; the working directory by default.

    Returns:
        The nearest folder at or above `start` with a ``.thexp/config.json``, or None.
    """
    try:
        folder = real(Path(start or Path.cwd()))
    except FileNotFoundError:  # the working directory was deleted
        return None
    homes = {real(thexp_home()), real(Path(os.path.expanduser("~/.thexp")))}  # noqa: PTH111
    for candidate in (folder, *folder.parents):
        mark = candidate / MARK_FOLDER
        if os.path.isfile(mark / CONFIG_FILE) and real(mark) not in homes:  # noqa: PTH113 - False, not an error, where it may not be read
            return candidate
    return None


def absolute(path: str | os.PathLike[str]) -> Path:
    """Give the absolute path of a file or folder, links kept.

    Args:
        path: The path as given.

    Raises:
        UsageError: It is a relative path, and the working directory was deleted.
    """
    try:
        return Path(os.path.abspath(path))  # noqa: PTH100 - Path.absolute keeps `..`
    except FileNotFoundError:
        # No GlobsError: from a property, an AttributeError would ask for a variable of its name.
        raise UsageError(
            f"{os.fspath(path)!r} is below the working directory, which was deleted: change to"
            " another, or give an absolute path"
        ) from None


def real(path: Path) -> Path:
    """Give the path that a path leads to, as far as it leads anywhere."""
    return Path(os.path.realpath(path))  # Path.resolve fails where a link leads to itself
