"""A file of lines whose end may change, and whose size is bounded."""

from __future__ import annotations

import contextlib
import os
from collections import deque
from pathlib import Path

__all__ = ["CappedFile"]


class CappedFile:
    """Keeps the first and the last lines that it was given, and says how many are left out.

    What the disk refuses is kept and tried again with the next `write`.

    Args:
        path: The file; made with its folder where it is missing, continued where it is there.
        head: How many bytes are kept from the beginning.
        tail: How many are kept from the end, once the head is full.

    Raises:
        OSError: It cannot be opened for writing.
    """

    def __init__(self, path: Path, head: int = 50_000_000, tail: int = 250_000) -> None:
        self._head = head
        self._tail = tail
        self._fresh: list[bytes] = []  # lines that are to stay and are not on the disk
        self._last: deque[bytes] = deque()  # the newest lines once the head is full
        self._last_size = 0
        self._left_out = 0
        self._full = False
        self._on_disk: bytes | None = b""  # what lies behind the lines that stay
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        self._end = self._size = os.fstat(self._file).st_size  # on the disk; with what is fresh
        if self._end and os.pread(self._file, 1, self._end - 1) != b"\n":
            self.add(b"\n")

    def add(self, line: bytes) -> None:
        """Add a line that will not change any more.

        Args:
            line: The line with its end.
        """
        self._full = self._full or self._size + len(line) > self._head
        if not self._full:
            self._fresh.append(line)
            self._size += len(line)
            return
        self._last.append(line)
        self._last_size += len(line)
        while self._last_size > self._tail:
            self._last_size -= len(self._last.popleft())
            self._left_out += 1

    def write(self, rest: bytes) -> None:
        """Bring everything to the file.

        Args:
            rest: What follows the lines for now, and is replaced the next time.

        Raises:
            OSError: The disk refused it; it is kept.
        """
        fresh, end = b"".join(self._fresh), b"".join([self._note(), *self._last, rest])
        if not fresh and end == self._on_disk:
            return
        self._on_disk = None
        self._write_at(self._end, fresh + end)
        self._end += len(fresh)
        self._fresh.clear()
        self._on_disk = end

    def close(self) -> None:
        """Close the file; it is not used again.

        Raises:
            OSError: What was written before did not reach the disk.
        """
        os.close(self._file)

    def _note(self) -> bytes:
        if not self._left_out:
            return b""
        return f"[{self._left_out} lines are left out here: the file is full]\n".encode()

    def _write_at(self, start: int, data: bytes) -> None:
        rest, at = memoryview(data), start
        try:
            while rest:
                written = os.pwrite(self._file, rest, at)
                rest, at = rest[written:], at + written
        finally:
            with contextlib.suppress(OSError):  # nothing of what was there before shows behind it
                os.ftruncate(self._file, at)
