"""Text made safe for terminals and log files, and fitted into a number of terminal cells."""

from __future__ import annotations

import re

__all__ = ["escape", "fit", "one_line", "period", "to_text"]

GAP = "   "  # between the end and the next beginning of a scrolling text

# Everything that moves the cursor, reorders the text or cannot be encoded: C0 but tab and newline,
# DEL, C1, line separators, bidirectional controls, lone surrogates.
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
_EMOJI_STYLE = "\ufe0f"


def to_text(value: object) -> str:
    """Format a value, whatever its `__str__` does.

    Args:
        value: Any object.

    Returns:
        `str(value)`, or a note of the exception that it raised.
    """
    try:
        return str(value)
    except Exception as error:  # noqa: BLE001 - what cannot be shown must not stop training
        return f"<{type(value).__name__}: str() raised {type(error).__name__}>"


def escape(text: str) -> str:
    r"""Show control characters as their Python escapes; tabs and newlines stay.

    Args:
        text: Any text, lone surrogates included.

    Returns:
        A text that neither moves the cursor of a terminal nor fails to encode as UTF-8.

    >>> print(escape("a\x1b[2Jb\rc"))
    a\x1b[2Jb\rc
    """
    return _UNSAFE.sub(lambda found: found.group().encode("unicode_escape").decode(), text)


def one_line(text: str) -> str:
    r"""Escape a text and join its lines, as the in-place line needs it.

    Args:
        text: Any text.

    Returns:
        One line without tabs; each line break and the spaces around it become one space.

    >>> one_line("[[1 2]\n [3 4]]")
    '[[1 2] [3 4]]'
    """
    joined = " ".join(line.strip(" \t") for line in text.split("\n"))
    return escape(joined.replace("\t", " "))


def fit(head: str, body: str, width: int, offset: int) -> str:
    """Fit a line into `width` cells: what does not fit scrolls around behind the fixed head.

    Args:
        head: The beginning that stays where it is, unless it takes more than two thirds.
        body: The rest, which scrolls where there is no room for all of it.
        width: Terminal cells; wide characters (CJK, emoji) take two, combining ones none.
        offset: How many cells of the body have scrolled out to the left.

    Returns:
        A text that takes at most `width` cells on any terminal.

    >>> fit("1/10 - ", "loss=0.5", 20, 0)
    '1/10 - loss=0.5'
    >>> fit("1/10 - ", "loss=0.5 acc=91%", 20, 5)
    '1/10 - 0.5 acc=91%  '
    >>> fit("", "训练训练", 5, 1)
    ' 练训'
    """
    if cells(head + body) <= width:
        return head + body
    if 3 * cells(head) > 2 * width:
        head, body = "", head + body
    return head + _window(_units(body + GAP), offset, width - cells(head))


def cells(text: str) -> int:
    r"""Count the terminal cells that a text takes at most.

    Args:
        text: A text of one line without control characters.

    Returns:
        Cells. Terminals disagree on joined emoji: counted are their parts, the most they can take.

    >>> cells("loss"), cells("损失"), cells("e\u0301")
    (4, 4, 1)
    """
    return len(text) if text.isascii() else sum(size for _, size in _units(text))


def period(body: str) -> int:
    """Count the cells after which a scrolling text is where it began.

    Args:
        body: As given to `fit`.

    Returns:
        Cells, at least one.
    """
    return cells(body + GAP)


def _units(text: str) -> list[tuple[str, int]]:
    """Split a text into characters with their combining marks, and the cells of each."""
    if text.isascii():
        return [(char, 1) for char in text]
    from rich.cells import cell_len  # rich costs milliseconds that most programs need not pay

    units: list[tuple[str, int]] = []
    for char in text:
        size = cell_len(char)
        if size:
            units.append((char, size))
        elif units:  # a mark with nothing before it to combine with is dropped
            base, taken = units[-1]
            units[-1] = (base + char, 2 if char == _EMOJI_STYLE and taken else taken)
    return units


def _window(units: list[tuple[str, int]], offset: int, room: int) -> str:
    """Cut `room` cells out of the units repeated without end, from cell `offset` on."""
    span = sum(size for _, size in units)
    start = offset % span
    pieces: list[str] = []
    at = 0
    for text, size in units * (2 + room // span):
        if at >= start and at + size > start + room:
            break
        if at >= start:
            pieces.append(text)
        elif at + size > start:
            pieces.append(" " * (at + size - start))  # the right half of a wide character
        at += size
    return "".join(pieces)
