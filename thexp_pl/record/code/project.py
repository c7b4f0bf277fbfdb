"""Which folder holds the code of a run, and which repository that folder is in."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from thexp_pl import globvars
from thexp_pl.record.code.entry import entry_script
from thexp_pl.record.code.walk import is_repository

__all__ = ["find_project", "working_tree"]

_MARKS = ("pyproject.toml", "setup.py", "setup.cfg")


def find_project(given: Path | None = None) -> Path | None:
    """Find the folder whose code is that of the run.

    It is the folder given; else, of the script, the git working tree that it is in, else the
    nearest folder above with a ``.thexp/config.json``, a ``pyproject.toml``, a ``setup.py`` or a
    ``setup.cfg``, else its own. An interactive prompt, a notebook, ``python -c`` and a program of
    the environment, such as pytest, count as a script in the working directory.

    Args:
        given: The folder, where the user named it.

    Returns:
        The folder, symbolic links resolved; None where it could only be the user's home, ``/`` or
        another folder that holds the home.
    """
    if given is not None:
        return _first([Path(os.path.realpath(given))])
    script = entry_script()
    try:
        start = Path.cwd() if script is None else script.parent
    except FileNotFoundError:  # the working directory was deleted
        return None
    start = Path(os.path.realpath(start))
    tree = working_tree(start)
    return _first([*([] if tree is None else [tree]), *_marked(start), start])


def working_tree(folder: Path) -> Path | None:
    """Find the git working tree that a folder is in.

    Args:
        folder: The folder, symbolic links resolved.

    Returns:
        Its top; None where there is none, or only one that is the user's home or holds it: that
        keeps settings, not the code below.
    """
    for candidate in (folder, *folder.parents):
        if is_repository(os.fsencode(candidate)):
            return _first([candidate])
    return None


def _marked(start: Path) -> Iterable[Path]:
    marked = globvars.find_project(start)
    for folder in (start, *start.parents):
        if folder == marked or any(os.path.isfile(folder / mark) for mark in _MARKS):  # noqa: PTH113 - False, not an error, where it may not be read
            yield folder


def _first(candidates: Iterable[Path]) -> Path | None:
    home = Path(os.path.realpath(os.path.expanduser("~")))  # noqa: PTH111 - no error without a home
    for candidate in candidates:
        if candidate != candidate.parent and candidate != home and candidate not in home.parents:
            return candidate
    return None
