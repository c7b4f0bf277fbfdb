"""How a path outside the run's folder is written down, so that it still holds elsewhere."""

from __future__ import annotations

import os
from pathlib import Path

from thexp_pl.globvars import find_project
from thexp_pl.record.rerun import at_home

__all__ = ["placed"]

_MARKS = (".git", "pyproject.toml", "setup.py", "setup.cfg")  # those that a snapshot goes by


def placed(path: str | os.PathLike[str], root: Path) -> str:
    """Write a path as seen from the experiment root where both are moved together, else in full.

    They are taken to move together when one lies in the other, or when the folder that holds both
    lies in the working directory or in a project: it or one above has a ``.git``, a ``setup.py``, a
    ``setup.cfg``, a ``pyproject.toml`` or a ``.thexp/config.json``. What shares only the user's
    home or ``/`` with the root does not. A path in the code of a sweep is written as in the project
    that was submitted, which stays when the sweep's folder is gone.

    Args:
        path: The path, absolute or as seen from the working directory.
        root: The experiment root.

    Returns:
        A relative path, to be joined to the root's real path (symbolic links resolved), or an
        absolute one. Symbolic links below the shared folder are kept as they were named.

    >>> placed("/srv/digits/experiment/data", Path("/srv/digits/experiment"))
    'data'
    >>> placed("/srv/digits", Path("/srv/digits/experiment"))
    '..'
    >>> placed("/mnt/images", Path("/srv/digits/experiment"))
    '/mnt/images'
    """
    base = os.path.realpath(root)
    named = at_home(os.path.abspath(path))  # noqa: PTH100 - Path.absolute keeps `..`
    # The name as it was given comes first: `data` that links to a file server stays `../data`.
    for spelling in (named, os.path.realpath(named)):
        shared = os.path.commonpath([base, spelling])
        if _moves_as_one(shared, shared in (base, spelling)):
            return os.path.relpath(spelling, base)
    return named


def _moves_as_one(folder: str, is_one_of_the_two: bool) -> bool:
    home = os.path.realpath(os.path.expanduser("~"))  # noqa: PTH111 - no error without a home
    if folder in (home, os.sep):
        return False
    if is_one_of_the_two or find_project(folder) is not None:
        return True
    above = [str(each) for each in (Path(folder), *Path(folder).parents)]
    # A home that is a repository holds settings, not a project.
    candidates = [each for each in above if each not in (home, os.sep)]
    return _working_directory() in candidates or any(
        os.path.lexists(os.path.join(each, mark))  # noqa: PTH118 - texts throughout
        for each in candidates
        for mark in _MARKS
    )


def _working_directory() -> str:
    try:
        return os.getcwd()  # noqa: PTH109 - the text is wanted
    except FileNotFoundError:
        return ""
