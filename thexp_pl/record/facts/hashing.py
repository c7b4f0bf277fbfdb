"""SHA-256 of a file, and one of all that is in a folder."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from thexp_pl.record.paths import root_mark

__all__ = [
    "ChangedError",
    "Digest",
    "Stamp",
    "StoppedError",
    "hash_file",
    "hash_folder",
    "stamp",
]

_BLOCK = 1 << 20  # large enough that the interpreter is free for training meanwhile

Stamp = tuple[int, int, int, int]  # device, inode, size, time of the last change in nanoseconds


class ChangedError(Exception):
    """What is read changed meanwhile, so that no hash describes it."""


class StoppedError(Exception):
    """The reading was told to stop."""


class Digest(NamedTuple):
    """What was read.

    Args:
        files: Their number.
        bytes: Their sizes together.
        skipped: In a folder, how many entries are neither a file nor a folder, link to nothing or
            to the folder itself or one that holds it, or are experiment roots.
        sha256: The hash in hexadecimal.
    """

    files: int
    bytes: int
    skipped: int
    sha256: str


def stamp(facts: os.stat_result) -> Stamp:
    """Give what changes when a file does.

    Args:
        facts: What `os.stat` says of it.

    Returns:
        Its stamp.
    """
    return facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns


def hash_file(path: Path, is_stopped: Callable[[], bool], first: int | None = None) -> Digest:
    """Hash a regular file.

    Args:
        path: The file; a symbolic link is followed.
        is_stopped: Asked after each MiB whether to give up.
        first: How many bytes from its beginning count; None for all.

    Returns:
        Its digest.

    Raises:
        ChangedError: It was written to, replaced or removed meanwhile.
        OSError: It cannot be read, or is no regular file.
        StoppedError: As asked.
    """
    digest, size = hashlib.sha256(), 0
    block = memoryview(bytearray(_BLOCK))
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags), "rb", buffering=0) as file:
        before = os.fstat(file.fileno())
        if not stat.S_ISREG(before.st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        left = before.st_size if first is None else min(first, before.st_size)
        while count := file.readinto(block[: max(left - size, first is None)]):
            digest.update(block[:count])
            size += count
            if is_stopped():
                raise StoppedError
    try:
        after = path.stat()
    except FileNotFoundError:
        raise ChangedError from None
    if stamp(before) != stamp(after) or size != left:
        raise ChangedError
    return Digest(1, size, 0, digest.hexdigest())


def hash_folder(path: Path, is_stopped: Callable[[], bool]) -> Digest:
    """Hash the names and contents of all files in a folder and those in it.

    The hash is that of one line a file, ``<name from the folder>\\0<bytes>\\0<its SHA-256>\\n``, in
    the order of the names' bytes. Symbolic links are followed, and no folder is read twice; a link
    to the folder itself or to one that holds it is skipped, and so is an experiment root in it.

    Args:
        path: The folder.
        is_stopped: Asked again and again whether to give up.

    Returns:
        Its digest.

    Raises:
        ChangedError: A file was changed, or files came or went, meanwhile.
        OSError: A file or a folder in it cannot be read.
        StoppedError: As asked.
    """
    walk = _Walk(path)
    digest, files, size = hashlib.sha256(), 0, 0
    for name in walk.names():
        if is_stopped():
            raise StoppedError
        try:
            one = hash_file(path / os.fsdecode(name), is_stopped)
        except FileNotFoundError:  # it was listed a moment ago
            raise ChangedError from None
        except OSError as error:  # reading, unlike opening, does not say which file it was
            error.filename = str(path / os.fsdecode(name))
            raise
        digest.update(b"%s\0%d\0%s\n" % (name, one.bytes, one.sha256.encode()))
        files += 1
        size += one.bytes
    walk.check()
    return Digest(files, size, walk.skipped, digest.hexdigest())


class _Walk:
    """The files below a folder, never all of their names at once."""

    def __init__(self, top: Path) -> None:
        self.skipped = 0
        self._top = top
        self._seen: dict[tuple[int, int], tuple[Path, Stamp]] = {}
        real = Path(os.path.realpath(top))
        self._holding = {stamp(folder.stat())[:2] for folder in (real, *real.parents)}

    def names(self) -> Iterator[bytes]:
        """Give the names as seen from the top in the order of their bytes."""
        rest = [b""]
        while rest:
            name = rest.pop()
            if name and not name.endswith(b"/"):
                yield name
            elif self._is_new(name):
                # With its slash a folder sorts where the names of its files do.
                rest += sorted(self._listed(name), reverse=True)

    def check(self) -> None:
        """Raise `ChangedError` where a folder is not as it was when it was listed."""
        for folder, before in self._seen.values():
            try:
                after = stamp(folder.stat())
            except OSError:
                raise ChangedError from None
            if after != before:
                raise ChangedError

    def _is_new(self, name: bytes) -> bool:
        folder = self._top / os.fsdecode(name)
        now = stamp(folder.stat())
        # What comes up again from within would bring in its neighbours, such as the run's record.
        if name and (now[:2] in self._holding or root_mark(folder).is_file()):
            self.skipped += 1
            return False
        return self._seen.setdefault(now[:2], (folder, now))[0] == folder

    def _listed(self, name: bytes) -> Iterator[bytes]:
        with os.scandir(os.path.join(os.fsencode(self._top), name)) as entries:  # noqa: PTH118
            for entry in entries:
                is_file = is_folder = False
                with contextlib.suppress(OSError):  # links that lead in a circle
                    is_folder, is_file = entry.is_dir(), entry.is_file()
                self.skipped += not (is_file or is_folder)
                if is_file or is_folder:
                    yield name + entry.name + (b"/" if is_folder else b"")
