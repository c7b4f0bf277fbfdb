"""Texts on their way from those who write them to the one thread that keeps them."""

from __future__ import annotations

from collections import deque

__all__ = ["Backlog"]

_LIMIT = 64_000_000  # bytes, about
_COST = 64  # bytes that a text takes besides its characters
_BATCH = 1_000_000


class Backlog:
    """A bounded queue without a lock: `put` never waits and may come from a signal handler.

    A text that finds the queue full is dropped; in its place stands a line that says so.

    Args:
        limit: How many bytes may wait, about.
    """

    def __init__(self, limit: int = _LIMIT) -> None:
        self.size = 0
        self._limit = limit
        self._texts: deque[str] = deque()
        self._dropped = 0

    def put(self, text: str) -> None:
        """Add a text, or drop it.

        Args:
            text: The text.
        """
        if self.size > self._limit:
            self._dropped += len(text)
            return
        if self._dropped:
            self._tell()
        self._append(text)

    def take(self) -> str:
        """Take texts out, a million characters or a little more at once.

        Returns:
            The texts joined; an empty one where none is left.
        """
        if not self._texts and self._dropped:
            self._tell()
        texts: list[str] = []
        length = 0
        while self._texts and length < _BATCH:
            texts.append(self._texts.popleft())
            length += len(texts[-1])
        self.size -= length + _COST * len(texts)
        return "".join(texts)

    def _append(self, text: str) -> None:
        if text:
            self._texts.append(text)
            self.size += len(text) + _COST

    def _tell(self) -> None:
        dropped, self._dropped = self._dropped, 0
        self._append(f"\n[{dropped} characters are left out here: they came too fast]\n")
