"""Many values as one line of blocks."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence

__all__ = ["ASCII_LEVELS", "LEVELS", "is_shown", "scaled", "sparkline"]

LEVELS = "▁▂▃▄▅▆▇█"
ASCII_LEVELS = "_.-=+*%#"


def is_shown(letters: str) -> bool:
    """Say whether the encoding of the standard output knows some letters.

    Args:
        letters: The letters.
    """
    try:
        letters.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def sparkline(values: Sequence[float], width: int, levels: str = LEVELS) -> str:
    """Draw values as a line of blocks, from the least to the greatest of them.

    Where many values share a block it is as high as the one that stands out most from its
    surroundings, so that a single spike is seen. Where none is finite the line has a gap.

    Args:
        values: The values, in their order.
        width: The most blocks.
        levels: The blocks, lowest first.

    Returns:
        At most `width` characters.

    >>> sparkline([0, 1, 2, float("nan"), 3], 10)
    '▁▃▆ █'
    >>> sparkline([5.0] * 50 + [9.0] + [5.0] * 49, 10)
    '▁▁▁▁▁█▁▁▁▁'
    """
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return " " * min(width, len(values))
    low, high = min(finite), max(finite)
    top = len(levels) - 1
    told = _told(values, min(width, len(values)))
    return "".join(
        " " if value is None else levels[round(scaled(value, low, high) * top)] for value in told
    )


def scaled(value: float, low: float, high: float) -> float:
    """Say where a value is between two, from 0 to 1; the middle where they are one."""
    # halves: the distance of two floats may be no float
    span = high / 2 - low / 2
    return (value / 2 - low / 2) / span if span else 0.5


def _told(values: Sequence[float], width: int) -> Iterator[float | None]:
    bounds = [place * len(values) // width for place in range(width + 1)]
    for place in range(width):
        part = _finite(values[bounds[place] : bounds[place + 1]])
        around = _finite(values[bounds[max(place - 1, 0)] : bounds[min(place + 2, width)]])
        middle = sum(value / len(around) for value in around)
        yield max(part, key=lambda value: abs(value - middle)) if part else None


def _finite(values: Sequence[float]) -> list[float]:
    return [value for value in values if math.isfinite(value)]
