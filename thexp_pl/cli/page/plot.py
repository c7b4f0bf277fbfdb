"""A curve with its axes, drawn in the terminal with the dots of braille letters.

A library for this would be one more dependency for one flag, and names of metrics, which may hold
anything, would have to be kept from it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise

from thexp_pl.cli.page.sparkline import scaled

__all__ = ["plot"]

_Place = tuple[int, int]  # a column from the left, a row from the top

_BRAILLE = 0x2800
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))  # by row and column
_LABEL = 10


def plot(
    points: Sequence[tuple[float, float]], width: int, height: int = 8, *, braille: bool = True
) -> list[str]:
    """Draw a curve.

    Where several points share a column of dots, all from the lowest to the highest is drawn, so
    that a single spike is seen. What is not finite leaves a gap.

    Args:
        points: Pairs of where and what, from left to right.
        width: The columns of letters, axis included.
        height: The rows of letters, without the axis.
        braille: Draw with 2x4 dots a letter; else one star a letter, for an encoding of ASCII.

    Returns:
        The lines.
    """
    finite = [point for point in points if math.isfinite(point[1])]
    if not finite:
        return ["no value is finite"]
    left, right = min(x for x, _ in points), max(x for x, _ in points)
    low, high = min(y for _, y in finite), max(y for _, y in finite)
    columns = max(width - _LABEL - 2, 10)
    across, down = (2, 4) if braille else (1, 1)

    def place(point: tuple[float, float]) -> _Place | None:
        x, y = point
        if not math.isfinite(y):
            return None
        row = (1 - scaled(y, low, high)) * (height * down - 1)
        return round(scaled(x, left, right) * (columns * across - 1)), round(row)

    lit = set(_lines([place(point) for point in points]))
    rows = _letters(lit, columns, height) if braille else _stars(lit, columns, height)
    return list(_framed(rows, (low, high), (left, right), "│└─" if braille else "|+-"))


def _lines(places: Sequence[_Place | None]) -> Iterator[_Place]:
    """Go through all dots of a curve: those of its points, and those that join neighbours."""
    yield from (place for place in places if place is not None)
    for one, two in pairwise(places):
        if one is None or two is None or one == two:
            continue
        steps = max(abs(two[0] - one[0]), abs(two[1] - one[1]))
        for step in range(1, steps):
            share = step / steps
            yield (
                round(one[0] + (two[0] - one[0]) * share),
                round(one[1] + (two[1] - one[1]) * share),
            )


def _letters(lit: set[_Place], columns: int, height: int) -> list[str]:
    cells = [[0] * columns for _ in range(height)]
    for column, row in lit:
        cells[row // 4][column // 2] |= _DOTS[row % 4][column % 2]
    return ["".join(chr(_BRAILLE + dots) if dots else " " for dots in row) for row in cells]


def _stars(lit: set[_Place], columns: int, height: int) -> list[str]:
    return ["".join(" *"[(x, y) in lit] for x in range(columns)) for y in range(height)]


def _framed(
    rows: list[str], bounds: tuple[float, float], ends: tuple[float, float], frame: str
) -> Iterator[str]:
    low, high = bounds
    labels = {len(rows) // 2: low} if low == high else {len(rows) - 1: low, 0: high}
    for number, row in enumerate(rows):
        label = f"{labels[number]:.5g}" if number in labels else ""
        yield f"{label:>{_LABEL}} {frame[0]}{row}".rstrip()
    yield f"{'':{_LABEL}} {frame[1]}{frame[2] * len(rows[0])}"
    first, last = (f"{end:,.0f}" for end in ends)
    gap = len(rows[0]) - len(first)
    yield f"{'':{_LABEL}}  {first}{last:>{max(gap, len(last) + 1)}}"
