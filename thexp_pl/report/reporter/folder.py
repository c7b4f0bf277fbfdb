"""The numbered folders of Reporters, and the writing of their files."""

from __future__ import annotations

import os
import re
from pathlib import Path

from thexp_pl.atomic import write_bytes
from thexp_pl.errors import RecordError

__all__ = ["check_inside", "numbered_folder", "refused", "write_file"]

_NUMBER = re.compile(r"[0-9]{4,9}")


def numbered_folder(above: Path) -> Path:
    """Make a folder with a number that no other has; no two processes get the same one.

    Args:
        above: Where; it is made where it is missing.

    Returns:
        The folder, such as ``0001``.

    Raises:
        RecordError: It cannot be made.
    """
    try:
        above.mkdir(parents=True, exist_ok=True)
        names = [path.name for path in above.iterdir() if _NUMBER.fullmatch(path.name)]
        number = max(map(int, names), default=0)
        while True:
            number += 1
            try:
                (above / f"{number:04}").mkdir()
            except FileExistsError:
                continue  # another process was quicker
            return above / f"{number:04}"
    except OSError as error:
        raise refused("make a report's folder in", above, error) from error


def check_inside(folder: Path, above: Path) -> None:
    """Refuse a folder of a run that leads out of it by a link.

    Args:
        folder: The folder.
        above: The one that it belongs into.

    Raises:
        RecordError: It lies elsewhere.
    """
    if not Path(os.path.realpath(folder)).is_relative_to(os.path.realpath(above)):
        raise RecordError(
            f"{str(folder)!r} leads out of {str(above)!r} by a link: nothing is written there;"
            " remove the link"
        )


def write_file(path: Path, data: bytes) -> None:
    """Write a file, whole or not at all.

    Args:
        path: The file.
        data: Its content.

    Raises:
        RecordError: It cannot be written.
    """
    try:
        write_bytes(path, data)
    except OSError as error:
        raise refused("write", path, error) from error


def refused(deed: str, path: Path, error: OSError) -> RecordError:
    """Say in one line what could not be done with a file, why, and the way out.

    Args:
        deed: What was tried.
        path: The file or folder.
        error: What the system said.

    Returns:
        The error to raise.
    """
    return RecordError(
        f"cannot {deed} {str(path)!r}: {error.strerror or error}; free some space there, or give a"
        " folder that you may write to"
    )
