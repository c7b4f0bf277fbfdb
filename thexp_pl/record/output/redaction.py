"""Lines without secrets, as bytes, where the last ones may still change."""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Callable, Iterable
from typing import NamedTuple

from thexp_pl.record.output.cells import MAX_LINE

__all__ = ["LineRedaction"]

Redact = Callable[[str], str]

_MAX_SECRET = 4096  # characters


class _Entry(NamedTuple):
    text: str
    data: bytes
    after: Redact  # as it is once it has seen this line


class LineRedaction:
    """Takes the secrets out of lines, and of each line once for as long as nothing changes.

    Args:
        redact: Takes secrets out of one line. It is given the lines in their order; where it
            remembers what it has seen, `copy.copy` of it must remember the same by itself.
    """

    def __init__(self, redact: Redact) -> None:
        self.fault: Exception | None = None  # what `redact` raised first
        self._redact = redact  # as it is once it has seen all lines that are kept
        self._open: deque[_Entry] = deque()  # each right for those before it

    def keep(self, text: str) -> bytes:
        """Take in the first open line, which will not change any more.

        Args:
            text: The line without its end.

        Returns:
            It without secrets, in UTF-8; what has no bytes is escaped.
        """
        if self._open and self._open[0].text == text:
            entry = self._open.popleft()
        else:
            self._open.clear()
            entry = self._entry(text, self._redact)
        self._redact = entry.after
        return entry.data

    def open(self, texts: Iterable[str]) -> list[bytes]:
        """Look at the lines behind those that are kept, which may still change.

        Args:
            texts: The lines without their ends.

        Returns:
            As `keep` gives them.
        """
        known, self._open = self._open, deque()
        redact = self._redact
        for text in texts:
            if known and known[0].text == text:
                entry = known.popleft()
            else:
                known.clear()
                entry = self._entry(text, redact)
            self._open.append(entry)
            redact = entry.after
        return [entry.data for entry in self._open]

    def _entry(self, text: str, redact: Redact) -> _Entry:
        redact = copy.copy(redact)
        try:
            redacted = redact(text)
        except Exception as error:  # noqa: BLE001 - whatever it is, its line is not written
            self.fault = self.fault or error
            redacted = "[a line that could not be searched for secrets is left out]"
        else:
            if len(text) > MAX_LINE:  # where it was cut, half a secret may stand
                redacted = redacted[:-_MAX_SECRET] + " [the rest of this line is left out]"
        return _Entry(text, redacted.encode("utf-8", "backslashreplace"), redact)
