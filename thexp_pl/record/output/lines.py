r"""What remains visible of a text that was written to a terminal, line by line.

Progress bars draw themselves again and again: with a carriage return, by moving the cursor up, by
erasing. `VisibleLines` follows that over the last 100 lines, as tqdm (several bars), rich (Live and
Progress) and thexp_pl's own Logger need it, and forgets colours. It is no terminal: lines are never
wrapped, nothing scrolls away, and clearing the screen begins a new line below what was there.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable

from thexp_pl.record.output.cells import MAX_LINE, Line

__all__ = ["VisibleLines"]

WINDOW = 100  # lines that can still be drawn again

_TITLE = 8192  # characters in the text of a title, a link or an image
_ESCAPE = rf"""
    (?: \x1b\[ | \x9b ) (?P<params>[0-?]{{0,64}}) [ -/]{{0,8}} (?P<final>[@-~])   # CSI
    | \x1b [\]PX^_] [^\x00-\x1f\x7f]{{0,{_TITLE}}} (?: \x07 | \x1b\\ )            # OSC and its kin
    | \x1b (?: [ -/]{{1,8}}[0-~] | [0-OQ-WYZ\\`-~] )
"""
_CONTROL = re.compile(_ESCAPE + r"| [\x00-\x08\x0b-\x1f\x7f-\x9f]", re.VERBOSE)
_BEGUN = re.compile(
    rf"""
    (?: (?: \x1b\[ | \x9b ) [0-?]{{0,64}} [ -/]{{0,8}}
      | \x1b [\]PX^_] [^\x00-\x1f\x7f]{{0,{_TITLE}}} \x1b?
      | \x1b [ -/]{{0,8}} ) \Z
    """,
    re.VERBOSE,
)
_LONGEST = _TITLE + 4
_ALTERNATE_SCREENS = ("?47", "?1047", "?1049")


class VisibleLines:
    r"""Follows a text piece by piece; where it is cut into pieces makes no difference.

    Args:
        done: Takes each line that nothing can change any more, in their order.

    >>> lines = VisibleLines(done=print)
    >>> lines.feed("begin\n 50%|##  |\r100%|####|")
    >>> [line.shown for line in lines.open_lines()]
    ['begin', '100%|####|']
    """

    def __init__(self, done: Callable[[Line], None]) -> None:
        self._done = done
        self._lines = deque([Line()])
        self._row = 0
        self._column: int | None = None  # None: the end of the line, which need not be counted
        self._hidden = False  # on the alternate screen, which leaves nothing behind
        self._begun = ""  # an escape sequence whose end has not come

    def feed(self, text: str) -> None:
        """Take in what is written next.

        Args:
            text: Any text.
        """
        text = self._begun + text
        begun = _BEGUN.search(text, max(0, len(text) - _LONGEST))
        end = begun.start() if begun else len(text)
        self._begun = text[end:]
        start = 0
        for found in _CONTROL.finditer(text, 0, end):
            self._print(text[start : found.start()])
            self._control(found)
            start = found.end()
        self._print(text[start:end])

    def open_lines(self) -> list[Line]:
        """Give the lines that may still change.

        Returns:
            At least one, at most 100; the last one has not ended. Erased lines below the cursor
            are left out.
        """
        lines = list(self._lines)
        while len(lines) > self._row + 1 and not lines[-1].shown:
            lines.pop()
        return lines

    def _print(self, text: str) -> None:
        if self._hidden or not text:
            return
        first, *others = text.split("\n")
        self._put(first)
        for line in others:
            self._new_line()
            self._put(line)

    def _put(self, text: str) -> None:
        if not text:
            return
        line = self._lines[self._row]
        if self._column is None:
            line.append(text)
        else:
            self._column = line.overwrite(self._column, text)

    def _new_line(self) -> None:
        if self._row + 1 == len(self._lines):
            self._lines.append(Line())
        if len(self._lines) > WINDOW:
            self._done(self._lines.popleft())
            self._row -= 1
        self._go(self._row + 1, 0)

    def _go(self, row: int, column: int) -> None:
        self._row = min(max(row, 0), len(self._lines) - 1)
        at_end = column <= 0 and not self._lines[self._row].text
        self._column = None if at_end else min(max(column, 0), MAX_LINE)

    def _control(self, found: re.Match[str]) -> None:
        name, params = found["final"] or found[0], found["params"] or ""
        if name in ("h", "l") and params in _ALTERNATE_SCREENS:
            self._hidden = name == "h"
        elif not self._hidden:
            digits = params.partition(";")[0]
            number = int(digits) if digits.isdecimal() else 0
            if name in ("K", "J", "H", "f"):
                self._erase(name, number)
            else:
                self._move(name, number or 1)

    def _move(self, name: str, by: int) -> None:
        if name == "\r":
            self._go(self._row, 0)
        elif name in ("\v", "\f"):
            self._new_line()
        elif name in ("A", "\x1bM"):
            self._go(self._row - by, self._where())
        elif name == "B":
            self._go(self._row + by, self._where())
        elif name == "C":
            self._go(self._row, self._where() + by)
        elif name in ("D", "\b"):
            self._go(self._row, self._where() - by)
        elif name == "E":
            self._go(self._row + by, 0)
        elif name == "F":
            self._go(self._row - by, 0)
        elif name in ("G", "`"):
            self._go(self._row, by - 1)

    def _erase(self, name: str, what: int) -> None:
        line = self._lines[self._row]
        if name in ("H", "f") or (name == "J" and what in (2, 3)):
            self._begin_below()
        elif what == 0:
            if self._column is not None:
                line.erase(self._column)
            while name == "J" and len(self._lines) > self._row + 1:
                self._lines.pop()
        elif name == "K":
            column = self._where()
            if what == 2:
                line.erase(0)
            else:
                line.overwrite(0, " " * (column + 1))
            self._go(self._row, column)

    def _begin_below(self) -> None:
        lines = self.open_lines()
        if not lines[-1].shown:
            lines.pop()
        for line in lines:
            self._done(line)
        self._lines = deque([Line()])
        self._go(0, 0)

    def _where(self) -> int:
        return self._lines[self._row].width if self._column is None else self._column
