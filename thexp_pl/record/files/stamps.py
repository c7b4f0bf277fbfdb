"""What tells one state of a file from another without reading it."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import NamedTuple

__all__ = ["MAX_FILES", "Stamp", "scan", "stamp_from", "stamp_of"]

MAX_FILES = 100_000  # entries of folders: a scan of them takes a second


class Stamp(NamedTuple):
    """A regular file or a symbolic link as it was once; a link is never followed.

    Args:
        inode: Its number in the file system.
        size: Its bytes.
        modified: When its content last changed, in nanoseconds since 1970.
        is_link: Whether it is a symbolic link.
    """

    inode: int
    size: int
    modified: int
    is_link: bool

    @property
    def time(self) -> str | None:
        """When it was last changed, ISO 8601 in local time; None for a time that is none."""
        try:
            when = datetime.fromtimestamp(self.modified / 1e9).astimezone()
        except (OverflowError, OSError, ValueError):
            return None
        return when.isoformat(timespec="milliseconds")


def stamp_of(path: str) -> Stamp | None:
    """Look at a file.

    Args:
        path: The file.

    Returns:
        Its stamp; None where there is neither a regular file nor a symbolic link.
    """
    try:
        return stamp_from(os.lstat(path))
    except (OSError, ValueError):
        return None


def stamp_from(facts: os.stat_result) -> Stamp | None:
    """Make a stamp of what the system says of a file.

    Args:
        facts: What ``lstat`` or ``fstat`` gave.

    Returns:
        The stamp; None for what is neither a regular file nor a symbolic link.
    """
    kind = stat.S_IFMT(facts.st_mode)
    if kind not in (stat.S_IFREG, stat.S_IFLNK):
        return None
    return Stamp(facts.st_ino, facts.st_size, facts.st_mtime_ns, kind == stat.S_IFLNK)


def scan(
    folders: Iterable[str], wanted: Callable[[str], bool] = bool
) -> tuple[dict[str, Stamp], bool]:
    """Look at all files of some folders and of the folders below them.

    Args:
        folders: Absolute paths; one that is not there holds nothing.
        wanted: Whether a path counts; by default all do.

    Returns:
        The stamps by path, and whether these are all: after `MAX_FILES` entries it stops.
    """
    found: dict[str, Stamp] = {}
    ahead = list(folders)
    seen = 0
    while ahead:
        for entry in _entries(ahead.pop()):
            if seen >= MAX_FILES:
                return found, False
            seen += 1
            try:
                if entry.is_dir(follow_symlinks=False):
                    ahead.append(entry.path)
                elif wanted(entry.path):
                    stamp = stamp_from(entry.stat(follow_symlinks=False))
                    if stamp is not None:
                        found[entry.path] = stamp
            except OSError:  # gone since the folder was listed
                continue
    return found, True


def _entries(folder: str) -> Iterable[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            yield from entries
    except OSError:  # gone, or not ours to read
        return
