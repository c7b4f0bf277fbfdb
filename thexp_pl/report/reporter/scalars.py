"""The scalars of a report, by tag."""

from __future__ import annotations

import csv
import io
import math
from array import array
from collections.abc import Iterator

from thexp_pl.report.markup import table

__all__ = ["Scalars", "csv_of"]

_MOST_ROWS = 200  # of a table; all values are in the CSV file


class Scalars:
    """The values of one tag in the order in which they were added, 16 bytes each.

    Args:
        picture: The name of the file that its curve is drawn into.
    """

    def __init__(self, picture: str) -> None:
        self.picture = picture
        self.steps = array("q")
        self.values = array("d")
        self.drawn = 0  # of how many of them the picture is
        self.is_shown = False  # whether there is one

    def __len__(self) -> int:
        return len(self.values)

    def add(self, step: int, value: float) -> None:
        """Add a value.

        Args:
            step: Of 64 bits.
            value: NaN and the infinities included.
        """
        self.steps.append(step)
        self.values.append(value)

    def table(self, every: int) -> str:
        """Make a table of every n-th value and the last one.

        Args:
            every: The n; a larger one where there would be too many rows.

        Returns:
            Markdown: the table, and how many values there are.
        """
        count = len(self)
        every = max(every, math.ceil(count / _MOST_ROWS))
        places = list(range(0, count, every))
        if places[-1] != count - 1:
            places.append(count - 1)
        rows = ((str(self.steps[place]), f"{self.values[place]:.6g}") for place in places)
        odd = count - sum(map(math.isfinite, self.values))
        told = f"{count:,} value{'s' * (count > 1)}"
        told += f", one of every {every:,} and the last shown" if every > 1 and count > 1 else ""
        told += f"; {odd:,} not finite" if odd else ""
        return f"{table(('step', 'value'), rows)}\n\n{told}."


def csv_of(scalars: dict[str, Scalars]) -> bytes:
    """Write all values, one a line.

    Args:
        scalars: By tag.

    Returns:
        The content of a CSV file: tag, step, value.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("tag", "step", "value"))
    writer.writerows(_lines(scalars))
    return text.getvalue().encode("utf-8", "backslashreplace")


def _lines(scalars: dict[str, Scalars]) -> Iterator[tuple[str, int, float]]:
    for tag, one in scalars.items():
        for step, value in zip(one.steps, one.values, strict=True):
            yield tag, step, value
