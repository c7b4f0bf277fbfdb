"""What was not kept of a folder, seen from what a sweep keeps of it through links."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from thexp_pl.globvars import MARK_FOLDER
from thexp_pl.record.code.rules import cache_of
from thexp_pl.record.places import placed

__all__ = ["link_left_out"]

_ENVIRONMENT_MARKS = ("pyvenv.cfg", "conda-meta")


def link_left_out(project: Path, code: Path, root: Path) -> None:
    """Have all of a folder seen from what a sweep keeps of it, such as a project from its code.

    Each file or folder of it that is not among what is kept, the outermost of them, becomes a link
    to the original: data, what git ignores, what was too large. Not so the experiment root, git's
    own files, virtual environments and caches. A link that leads nowhere any more, since the
    project was moved, is made anew.

    Args:
        project: The folder, symbolic links resolved.
        code: The folder with what is kept of it.
        root: The experiment root.

    Raises:
        OSError: A link cannot be made.
    """
    moves_along = not os.path.isabs(placed(project, root))  # noqa: PTH117 - a text
    real_root = Path(os.path.realpath(root))
    waiting = [Path()]
    while waiting:
        folder = waiting.pop()
        for name in _names(project / folder):
            path, place = project / folder / name, code / folder / name
            if path in (real_root, real_root / MARK_FOLDER) or _is_none(folder / name, path):
                continue
            if _is_folder(path) and path in real_root.parents:
                place.mkdir(exist_ok=True)
            if _is_folder(path) and _is_folder(place):
                waiting.append(folder / name)
            elif not os.path.lexists(place) or _is_lost(place, path):
                place.unlink(missing_ok=True)
                above = os.path.realpath(place.parent)
                place.symlink_to(os.path.relpath(path, above) if moves_along else path)


def _names(folder: Path) -> Iterator[str]:
    try:
        yield from sorted(os.listdir(folder))  # noqa: PTH208 - names are enough
    except OSError:  # which the run could not read either
        return


def _is_none(name: Path, path: Path) -> bool:
    return (
        path.name == ".git"
        or bool(cache_of(os.fsencode(name) + b"/"))
        or any(os.path.lexists(path / mark) for mark in _ENVIRONMENT_MARKS)
    )


def _is_folder(path: Path) -> bool:
    # not the methods of Path, which raise for what may not be read
    return os.path.isdir(path) and not os.path.islink(path)  # noqa: PTH112, PTH114


def _is_lost(place: Path, path: Path) -> bool:
    """Say whether a link was made here and leads nowhere, other than one that the code holds."""
    if not os.path.islink(place) or os.path.exists(place):  # noqa: PTH110, PTH114
        return False
    return not path.is_symlink() or place.readlink() != path.readlink()
