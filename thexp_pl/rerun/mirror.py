"""Files and folders of a project's data, seen from the restored one without being written to."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
import sys
from dataclasses import dataclass, field
from pathlib import Path

from thexp_pl.record.paths import root_mark
from thexp_pl.rerun.moved import Moved

__all__ = ["Mirror", "make_folder"]

_COPIED_BYTES = 256 << 20
_FICLONE = 0x40049409  # which Python names from 3.12 on


@dataclass
class Mirror:
    """Brings data into a restored project: real folders down to the last, in them copies.

    A copy shares its blocks with the original where the file system can. Where it cannot, files
    are copied up to 256 MiB in all, and what is larger becomes a link to the original: what is
    written into such a file goes there.

    Args:
        moved: Where the project is now.
        left: How many more bytes are copied.
        linked: How many files became links.
        linked_bytes: Their size.
    """

    moved: Moved
    left: int = field(default_factory=lambda: _COPIED_BYTES)
    linked: int = 0
    linked_bytes: int = 0

    @property
    def told(self) -> str:
        """What of it the run can change in the project; an empty text for nothing."""
        if not self.linked:
            return ""
        return (
            f"{self.linked:,} files of data ({self.linked_bytes / 2**30:.2f} GiB) are links, being"
            " too large to be copied: what the run writes into them goes to the originals"
        )

    def bring(self, path: Path, place: Path) -> None:
        """Bring a file or a folder to its place; what is there already stays as it is.

        Args:
            path: The original, absolute.
            place: Where it is to be.

        Raises:
            OSError: It cannot be made, such as on a full disk.
        """
        if os.path.isdir(path):  # noqa: PTH112 - no error for what cannot be looked at
            self._folder(path, place)
        elif not os.path.lexists(place) and make_folder(place.parent, self.moved):
            self._file(path, place)

    def _folder(self, top: Path, target: Path) -> None:
        real = Path(os.path.realpath(top))
        above = {_identity(folder) for folder in real.parents}
        made: dict[tuple[int, int], Path] = {}  # a folder that two names lead to is made once
        waiting = [(top, target)]
        while waiting:
            path, place = waiting.pop()
            if os.path.lexists(place) and not place.is_dir():
                continue
            if _identity(path) in above:  # a link in a circle, which would bring in the neighbours
                continue
            known = made.setdefault(_identity(path), place)
            if known != place:
                if not os.path.lexists(place):
                    place.symlink_to(os.path.relpath(known, place.parent))
            elif root_mark(path).is_file():  # the record of other runs is no data
                if not os.path.lexists(place):
                    place.symlink_to(path)
            elif make_folder(place, self.moved):
                waiting += self._entries(path, place)

    def _entries(self, path: Path, place: Path) -> list[tuple[Path, Path]]:
        folders = []
        for entry in sorted(path.iterdir(), reverse=True):
            if os.path.isdir(entry):  # noqa: PTH112
                folders.append((entry, place / entry.name))
            elif not os.path.lexists(place / entry.name):
                self._file(entry, place / entry.name)
        return folders

    def _file(self, path: Path, place: Path) -> None:
        try:
            facts = path.stat()
        except OSError:  # a link that leads nowhere
            place.symlink_to(path)
            return
        if stat.S_ISREG(facts.st_mode):
            with contextlib.suppress(PermissionError):  # of the original
                if self._copied(path, place, facts):
                    return
        self.linked += 1
        self.linked_bytes += facts.st_size
        place.symlink_to(path)

    def _copied(self, path: Path, place: Path, facts: os.stat_result) -> bool:
        with path.open("rb") as source, place.open("xb") as copy:
            if not _cloned(source.fileno(), copy.fileno()):
                if facts.st_size > self.left:
                    place.unlink()
                    return False
                shutil.copyfileobj(source, copy)
                self.left -= facts.st_size
        shutil.copystat(path, place)
        return True


def _identity(path: Path) -> tuple[int, int]:
    facts = path.stat()
    return facts.st_dev, facts.st_ino


def _cloned(source: int, target: int) -> bool:
    """Have a file share its blocks with another, as ``cp --reflink`` does, where that is known."""
    if sys.platform != "linux":
        return False
    try:
        fcntl.ioctl(target, _FICLONE, source)
    except OSError:
        return False
    return True


def make_folder(folder: Path, moved: Moved) -> bool:
    """Make a folder in or beside a restored project, where no restored link leads elsewhere.

    Args:
        folder: The folder; one that is there stays.
        moved: Where the project is now.

    Returns:
        Whether it is there now.

    Raises:
        OSError: It cannot be made.
    """
    top = os.path.realpath(moved.code.parent)
    if os.path.commonpath([top, os.path.realpath(folder)]) != top:
        return False
    folder.mkdir(parents=True, exist_ok=True)
    return True
