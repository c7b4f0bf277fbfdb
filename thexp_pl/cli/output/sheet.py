"""A table of texts in three forms: for people, as Markdown, as CSV.

What a run calls itself reaches a terminal and a page as text, never as what they would obey.
"""

from __future__ import annotations

import csv
import io
import json
import math
import sys
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from thexp_pl.compare.values import MISSING, identity
from thexp_pl.jsonable import to_jsonable
from thexp_pl.record.names import escaped

__all__ = ["Sheet", "csv_text", "markdown_text", "print_sheet", "value_text", "value_texts"]

_MAX_CELL = 30  # letters of a cell at a terminal
_GAP = "  "
_SPECIAL = str.maketrans({letter: f"\\{letter}" for letter in r"\`*_[]<>|#"})


@dataclass(frozen=True)
class Sheet:
    """A table.

    Args:
        titles: The columns' titles.
        rows: The cells' texts.
        best: Row and column of the cells that are marked as best.
        names: How many columns, from the left, tell a row from the others: a table that is too wide
            for the terminal goes on below, beginning with these again.
        whole: The columns whose cells are never cut.
    """

    titles: Sequence[str]
    rows: Sequence[Sequence[str]]
    best: frozenset[tuple[int, int]] = field(default_factory=frozenset)
    names: int = 1
    whole: frozenset[int] = field(default_factory=frozenset)

    def transposed(self) -> Sheet:
        """Give the same with rows as columns; its first column are then the titles."""
        columns = list(zip(*self.rows, strict=True)) if self.rows else [() for _ in self.titles]
        rows = [(title, *cells) for title, cells in zip(self.titles, columns, strict=True)]
        best = frozenset((column - 1, row + 1) for row, column in self.best)
        return Sheet(rows[0], rows[1:], best, 1)


def value_text(value: Any) -> str:
    """Write a value for people: no text for none at all, and none that could be taken for that.

    Args:
        value: A value as JSON has it, or `MISSING`.

    Returns:
        A text itself, unless it is blank; numbers in five digits; lists and objects as JSON.

    >>> [value_text(value) for value in (0.1234567, 3, "SGD", "", None, [1, 0.5], MISSING)]
    ['0.12346', '3', 'SGD', "''", 'None', '[1, 0.5]', '']
    """
    if value is MISSING:
        return ""
    if isinstance(value, float):
        return f"{value:.5g}".replace("nan", "NaN")
    if isinstance(value, list | dict):
        return json.dumps(to_jsonable(value), ensure_ascii=False)
    text = str(value)
    return text if text.strip() else repr(text)


def value_texts(values: Sequence[Any]) -> list[str]:
    """Write values that stand in one column, so that none looks like another one.

    Args:
        values: Values as JSON has them, or `MISSING`.

    Returns:
        Of each what `value_text` gives; where that is the same for several, a text stands in quotes
        and a number in as many digits as tell it from the others.

    >>> value_texts([1, "1", "a", 0.1234567, 0.1234568, 0.5])
    ['1', '"1"', 'a', '0.1234567', '0.1234568', '0.5']
    """
    texts = [value_text(value) for value in values]
    alike: dict[str, dict[Hashable, Any]] = {}
    for text, value in zip(texts, values, strict=True):
        alike.setdefault(text, {})[identity(value)] = value
    apart = {
        (text, key): other
        for text, own in alike.items()
        if len(own) > 1
        for key, other in zip(own, _told_apart(text, [*own.values()]), strict=True)
    }
    if not apart:
        return texts
    pairs = zip(texts, values, strict=True)
    return [apart.get((text, identity(value)), text) for text, value in pairs]


def _told_apart(text: str, values: list[Any]) -> list[str]:
    numbers = [value for value in values if isinstance(value, float)]
    enough = (
        n for n in range(5, 17) if len({f"{value:.{n}g}" for value in numbers}) == len(numbers)
    )
    digits = next(enough, 17)
    return [
        json.dumps(value, ensure_ascii=False)
        if isinstance(value, str)
        else f"{value:.{digits}g}"
        if isinstance(value, float) and math.isfinite(value)
        else text
        for value in values
    ]


def print_sheet(sheet: Sheet) -> None:
    """Print a table, to a terminal in parts of its width.

    Args:
        sheet: The table. Its best cells have a ``*``, and at a terminal a colour.
    """
    cells = [[escaped(text) for text in row] for row in sheet.rows]
    for row, column in sheet.best:
        cells[row][column] += "*"
    titles = [escaped(title) for title in sheet.titles]
    if sys.stdout.isatty():
        _print_at_terminal(replace(sheet, titles=titles, rows=cells))
        return
    lines = [titles, *cells]
    widths = _widths(lines)
    places = range(len(titles))
    sys.stdout.writelines(f"{_line(line, widths, places)}\n" for line in lines)


def markdown_text(sheet: Sheet) -> str:
    """Write a table as Markdown, its best cells in bold.

    Args:
        sheet: The table.

    Returns:
        Lines, with one at the end.
    """
    lines = [sheet.titles, ["---"] * len(sheet.titles)]
    for row, texts in enumerate(sheet.rows):
        cells = [escaped(text).translate(_SPECIAL) for text in texts]
        lines.append(
            [f"**{t}**" if (row, column) in sheet.best else t for column, t in enumerate(cells)]
        )
    lines[0] = [escaped(title).translate(_SPECIAL) for title in sheet.titles]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def csv_text(titles: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Write values as CSV.

    Args:
        titles: The columns' names.
        rows: Values as JSON has them, numbers in full precision; `MISSING` is an empty field, an
            empty text is ``""``, None is ``null``. Control characters are escaped.

    Returns:
        The lines, one a row.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for line in (titles, *([_field(value) for value in row] for row in rows)):
        writer.writerow([escaped(cell) for cell in line])
    return text.getvalue()


def _field(value: Any) -> str:
    if value is MISSING:
        return ""
    if type(value) is float and math.isfinite(value):
        return repr(value)
    plain = to_jsonable(value)
    is_text = isinstance(plain, str) and plain
    return plain if is_text else json.dumps(plain, ensure_ascii=False)


# -- the terminal --------------------------------------------------------------------------------


def _print_at_terminal(sheet: Sheet) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(file=sys.stdout, highlight=False, markup=False, emoji=False)
    lines = [
        [text if place in sheet.whole else _short(text) for place, text in enumerate(line)]
        for line in (sheet.titles, *sheet.rows)
    ]
    widths = _widths(lines)
    for part, places in enumerate(_parts(widths, sheet.names, console.width)):
        if part:
            console.print()
        for number, line in enumerate(lines):
            text = Text(style="bold" if number == 0 else "", end="\n")
            for place in places:
                style = "bold green" if (number - 1, place) in sheet.best else ""
                text.append(_padded(line[place], widths[place]), style)
                text.append(_GAP)
            text.rstrip()
            console.print(text, no_wrap=True, overflow="crop", crop=True)


def _parts(widths: Sequence[int], names: int, width: int) -> list[list[int]]:
    """Share the columns out among tables of the terminal's width, each with the names."""
    first = list(range(min(names, len(widths))))
    parts, room = [[*first]], width - sum(widths[place] + len(_GAP) for place in first)
    left = room
    for place in range(len(first), len(widths)):
        if widths[place] > left and len(parts[-1]) > len(first):
            parts.append([*first])
            left = room
        parts[-1].append(place)
        left -= widths[place] + len(_GAP)
    return parts


def _short(text: str) -> str:
    from rich.cells import cell_len, set_cell_size

    if cell_len(text) <= _MAX_CELL:
        return text
    half = _MAX_CELL // 2
    start, end = set_cell_size(text, half), text[-half // 2 :]
    return f"{start}…{end if cell_len(end) < half else ''}"


def _widths(lines: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(_width, column)) for column in zip(*lines, strict=True)]


def _width(text: str) -> int:
    if text.isascii():
        return len(text)
    from rich.cells import cell_len  # wide characters

    return cell_len(text)


def _padded(text: str, width: int) -> str:
    return text + " " * (width - _width(text))


def _line(line: Sequence[str], widths: Sequence[int], places: Iterable[int]) -> str:
    return _GAP.join(_padded(line[place], widths[place]) for place in places).rstrip()
