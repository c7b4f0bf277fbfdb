"""One line of a terminal, and writing over what it already shows."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

__all__ = ["MAX_LINE", "Line"]

MAX_LINE = 1 << 16  # characters; one more is kept to tell that there were more
_TAB = 8
_MAX_MARKS = 32  # on one character


class Line:
    """A line as it is seen; the columns of its characters count wide ones as two.

    Args:
        text: What it shows.
    """

    __slots__ = ("_redrawn", "text")

    def __init__(self, text: str = "") -> None:
        self.text = text
        self._redrawn = False

    @property
    def shown(self) -> str:
        """What it shows; without the spaces at its end where they came from erasing."""
        return self.text.rstrip(" ") if self._redrawn else self.text

    @property
    def width(self) -> int:
        """Its columns."""
        return len(self.text) if _is_plain(self.text) else len(_cells(self.text))

    def append(self, text: str) -> None:
        """Write at its end.

        Args:
            text: A text without control characters but for tabs.
        """
        room = MAX_LINE + 1 - len(self.text)
        if room > 0:
            self.text += text[:room]

    def overwrite(self, column: int, text: str) -> int:
        """Write over what it shows.

        Args:
            column: Where to begin; what is missing before it is filled with spaces.
            text: As in `append`.

        Returns:
            The column after the text.

        >>> line = Line("loss=0.12345")
        >>> line.overwrite(5, "1.5 "), line.text
        (9, 'loss=1.5 345')
        """
        self._redrawn = True
        if _is_plain(self.text) and _is_plain(text):
            end = column + len(text)
            head, tail = self.text[:column].ljust(min(column, MAX_LINE + 1)), self.text[end:]
            joined = head + text[: MAX_LINE + 1] + tail
        else:
            cells = _cells(self.text)
            end = _write(cells, column, text)
            joined = "".join(cells)
        self.text = joined[: MAX_LINE + 1]
        return end

    def erase(self, column: int) -> None:
        """Erase from a column to its end.

        Args:
            column: The first column that is erased.
        """
        self._redrawn = True
        if _is_plain(self.text):
            self.text = self.text[:column]
        else:
            cells = _cells(self.text)
            _blank(cells, column)
            self.text = "".join(cells[:column])


def _is_plain(text: str) -> bool:
    return text.isascii() and "\t" not in text


def _cells(text: str) -> list[str]:
    cells: list[str] = []
    _write(cells, 0, text)
    return cells


def _write(cells: list[str], column: int, text: str) -> int:
    """Write into cells: one string a column, an empty one for what a wide character takes more."""
    if len(cells) < column:
        cells.extend(" " * (min(column, MAX_LINE + 1) - len(cells)))
    for char in text:
        size = _TAB - column % _TAB if char == "\t" else _size(char)
        if column > MAX_LINE:
            column += size
        elif size == 0 and column > 0:
            _combine(cells, column - 1, char)
        else:
            size = size or 1  # a mark with nothing before it
            _blank(cells, column)
            _blank(cells, column + size)
            cells[column : column + size] = [char] + [""] * (size - 1)
            column += size
    return column


def _combine(cells: list[str], column: int, mark: str) -> None:
    while not cells[column]:
        column -= 1
    if len(cells[column]) <= _MAX_MARKS:
        cells[column] += mark


def _blank(cells: list[str], column: int) -> None:
    """Make spaces of a wide character that would be cut in half before a column."""
    if column >= len(cells) or cells[column]:
        return
    start = end = column
    while not cells[start]:
        start -= 1
    while end < len(cells) and not cells[end]:
        end += 1
    cells[start:end] = " " * (end - start)


@lru_cache(maxsize=4096)
def _size(char: str) -> int:
    if unicodedata.east_asian_width(char) in "WF":
        return 2
    return 0 if unicodedata.category(char) in ("Mn", "Me", "Cf") else 1
