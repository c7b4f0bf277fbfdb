"""The sidecars that were read before: a save into a folder of a thousand reads only new ones."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path

from thexp_pl.saver.sidecar import Sidecar, read_sidecar

__all__ = ["Known"]

# A file changed twice within one tick of the file system's clock looks unchanged: what is younger
# than this when it is read is read again.
SETTLED_NS = 2_000_000_000


class Known:
    """Sidecars by path, each for as long as its file stays the same.

    A file counts as the same while its inode, size, time of modification and time of change are:
    what other processes write is seen.
    """

    def __init__(self) -> None:
        self._found: dict[Path, tuple[tuple[int, ...], Sidecar]] = {}

    def sidecar(self, path: Path, beside: os.DirEntry[str] | None) -> Sidecar:
        """Give the sidecar of a file, read from disk where it is new or has changed.

        Args:
            path: The checkpoint, keypoint or model.
            beside: Its sidecar, as the folder was just listed; None if there is none.

        Raises:
            DamagedError: As `read_sidecar`.
        """
        stamp = _stamp(beside)
        found = self._found.get(path)
        if stamp and found and found[0] == stamp:
            return found[1]
        sidecar = read_sidecar(path)
        if stamp:
            self._found[path] = (stamp, sidecar)
        return sidecar

    def forget_all_but(self, paths: Iterable[Path]) -> None:
        """Forget the sidecars of files that are gone."""
        there = set(paths)
        for path in [path for path in self._found if path not in there]:
            self._found.pop(path, None)


def _stamp(beside: os.DirEntry[str] | None) -> tuple[int, ...] | None:
    """Tell one state of a file from another; None where that cannot be told."""
    try:
        status = beside.stat() if beside else None
    except OSError:
        return None
    if status is None or time.time_ns() - status.st_ctime_ns < SETTLED_NS:
        return None
    return (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
