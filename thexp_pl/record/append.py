"""A file that only grows, one line at a time, and survives a kill in the middle of a line."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from thexp_pl.errors import RecordError
from thexp_pl.record.inside import check_inside

__all__ = [
    "MARGIN",
    "AppendFile",
    "Block",
    "append_whole",
    "size_without_torn_line",
    "whole_blocks",
    "whole_lines",
]

MARGIN = 32
_BLOCK = 1 << 16
_MIN_READ = 1 << 12
_READ = 1 << 20  # fits into the cache of a core
_MAX_BYTES = 1 << 30  # more would not fit into the memory of many machines once it is parsed


class AppendFile:
    """A file of lines that one process appends to.

    Opening cuts off a torn last line, so that what follows does not run into it.

    Args:
        path: The file, made where it is missing.

    Raises:
        OSError: It cannot be opened for writing.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
        self._cut_torn_line()

    @property
    def size(self) -> int:
        """The bytes in the file."""
        return os.fstat(self._file).st_size

    def append(self, lines: bytes) -> None:
        """Add lines, all of them or none.

        Args:
            lines: Whole lines, the last one ended too.

        Raises:
            OSError: They could not be written; the file is as it was.
        """
        append_whole(self._file, lines)

    def close(self) -> None:
        """Close the file; it is not used again."""
        os.close(self._file)

    def _cut_torn_line(self) -> None:
        end = size = self.size
        while end:
            start = max(0, end - _BLOCK)
            newline = os.pread(self._file, end - start, start).rfind(b"\n")
            end = start if newline < 0 else start + newline + 1
            if newline >= 0:
                break
        if end < size:
            os.ftruncate(self._file, end)


def size_without_torn_line(path: Path) -> int:
    """Tell where the next line of such a file begins; a torn last line is cut off.

    Args:
        path: The file; nobody appends to it.

    Returns:
        Its size in bytes; 0 where there is none.

    Raises:
        OSError: It cannot be opened for writing.
    """
    if not path.exists():
        return 0
    file = AppendFile(path)
    try:
        return file.size
    finally:
        file.close()


def append_whole(descriptor: int, data: bytes) -> None:
    """Add bytes to a file, all of them or none.

    Args:
        descriptor: The file, opened to append.
        data: The bytes.

    Raises:
        OSError: They could not be written; the file is as it was.
    """
    before = os.fstat(descriptor).st_size
    rest = memoryview(data)
    try:
        while rest:
            rest = rest[os.write(descriptor, rest) :]
    except OSError:
        with contextlib.suppress(OSError):
            os.ftruncate(descriptor, before)
        raise


class Block(NamedTuple):
    """Some whole lines of a file.

    Args:
        buffer: They are in here, with `MARGIN` bytes before and behind; used again for the next.
        start: Where they begin.
        stop: Where they end.
    """

    buffer: bytearray
    start: int
    stop: int

    def data(self, size: int | None = None) -> bytes:
        """Give the first bytes, or all."""
        stop = self.stop if size is None else min(self.start + size, self.stop)
        return bytes(self.buffer[self.start : stop])

    def lines(self) -> list[str]:
        """Give the lines without their ends; bytes that are not UTF-8 are replaced."""
        return self.data().decode("utf-8", "replace").split("\n")[:-1]


def whole_blocks(path: Path, start: int = 0, stop: int | None = None) -> Iterator[Block]:
    """Read the lines of such a file, but for a torn last one, many at a time.

    Args:
        path: The file.
        start: The byte to begin at.
        stop: The byte to end before; None for the file's end.

    Yields:
        The lines; none where there is no file. A block is to be used before the next is asked for.

    Raises:
        OSError: It is there but cannot be read, or is no regular file.
        RecordError: It is larger than 1 GiB.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    with contextlib.ExitStack() as stack:
        stack.callback(os.close, descriptor)
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            raise OSError(errno.EINVAL, "not a regular file", os.fspath(path))
        file = stack.enter_context(os.fdopen(descriptor, "rb", buffering=0, closefd=False))
        file.seek(start)
        size = facts.st_size if stop is None else min(stop, facts.st_size)
        yield from _blocks(file, path, max(size - start, 0), is_open=stop is None)


def whole_lines(path: Path) -> list[str]:
    """Read the lines of such a file, but for a torn last one.

    Args:
        path: The file.

    Returns:
        The lines without their ends; none where there is no file. Bytes that are not UTF-8 are
        replaced.

    Raises:
        OSError: It is there but cannot be read, is no regular file, or a link out of its folder.
        RecordError: It is larger than 1 GiB.
    """
    check_inside(path, path.parent)
    return [line for block in whole_blocks(path) for line in block.lines()]


def _blocks(file: io.FileIO, path: Path, size: int, *, is_open: bool) -> Iterator[Block]:
    buffer = bytearray(MARGIN + min(max(size, _MIN_READ), _READ) + MARGIN)
    kept = MARGIN  # where what was read and not yet given ends
    total = 0
    while True:
        if max(size, total) > _MAX_BYTES:
            raise RecordError(
                f"cannot read {str(path)!r}: larger than {_MAX_BYTES} bytes; read it line by line"
                " instead"
            )
        room = len(buffer) - MARGIN
        if not is_open:  # a file that is written meanwhile is read as far as it goes by then
            room = min(room, kept + size - total)
        got = file.readinto(memoryview(buffer)[kept:room])
        if not got:
            return
        total += got
        stop = buffer.rfind(b"\n", kept, kept + got) + 1
        kept += got
        if stop:
            yield Block(buffer, MARGIN, stop)
            rest = buffer[stop:kept]
            buffer[MARGIN : MARGIN + len(rest)] = rest
            kept = MARGIN + len(rest)
        elif kept == len(buffer) - MARGIN:  # a line that is longer than the buffer
            buffer = buffer + bytearray(len(buffer))
