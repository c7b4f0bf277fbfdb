"""A file that only grows, one line at a time, and survives a kill in the middle of a line."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from thexp_pl.atomic import read_bytes
from thexp_pl.errors import RecordError

__all__ = ["AppendFile", "whole_lines"]

_BLOCK = 1 << 16
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
        before = self.size
        rest = memoryview(lines)
        try:
            while rest:
                rest = rest[os.write(self._file, rest) :]
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, before)
            raise

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


def whole_lines(path: Path) -> list[str]:
    """Read the lines of such a file, but for a torn last one.

    Args:
        path: The file.

    Returns:
        The lines without their ends; none where there is no file. Bytes that are not UTF-8 are
        replaced.

    Raises:
        OSError: It is there but cannot be read, or is no regular file.
        RecordError: It is larger than 1 GiB.
    """
    try:
        data = read_bytes(path, limit=_MAX_BYTES)
    except FileNotFoundError:
        return []
    except ValueError as error:
        raise RecordError(
            f"cannot read {str(path)!r}: {error}; read it line by line instead"
        ) from None
    return data.decode("utf-8", "replace").split("\n")[:-1]
