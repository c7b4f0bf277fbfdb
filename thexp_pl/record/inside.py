"""Files of a run that a symbolic link takes out of its folder: they are not read.

A run may come from somebody else, in a shared root or a copied folder, and is shown with the rights
of who looks at it: a link in the place of its log would show any file of the reader's. A root, an
experiment or a run's whole folder that is itself a link has been linked by whoever named it, and
what lies behind it belongs to the run; links within the run's folder do no harm either.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

from thexp_pl.record.folders import rank_places
from thexp_pl.record.paths import RunPaths

__all__ = ["check_inside", "leads_out", "links_out"]

_REFUSED = "a symbolic link out of its folder, which is not followed: put the file itself there"


def leads_out(path: Path, folder: Path) -> bool:
    """Say whether a link takes a file out of a folder that it lies in by its name.

    Args:
        path: The file or folder; it need not exist.
        folder: The folder; a link above it, or in its own place, counts for nothing.
    """
    part = path
    while part != folder:
        if part.is_symlink():  # most files have none on their way: no need of two real paths
            return not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))
        part = part.parent
    return False


def check_inside(path: Path, folder: Path) -> None:
    """Refuse a file that a link takes out of a folder.

    Args:
        path: The file or folder; it need not exist.
        folder: The folder that it lies in by its name.

    Raises:
        OSError: It lies elsewhere.
    """
    if leads_out(path, folder):
        raise OSError(errno.ELOOP, _REFUSED, os.fspath(path))


def links_out(paths: RunPaths) -> Iterator[str]:
    """Go through the links in the place of a run's own files that lead out of its folder.

    Args:
        paths: The run's files.

    Yields:
        Of each a text: its path within the run, and that it is not read.
    """
    own = [paths.notes, paths.journal, paths.metrics, paths.console, paths.code, paths.keycode]
    own += [file for place in rank_places(paths) for file in (place.manifest, place.exit)]
    for path in own:
        if leads_out(path, paths.folder):
            yield f"{path.relative_to(paths.folder)}: {_REFUSED}"
