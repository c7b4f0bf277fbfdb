"""Which points of a long curve are kept, so that it looks as the whole one does."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import pairwise

__all__ = ["places_kept"]

_A_BUCKET = 4  # first, last, smallest and largest


def places_kept(
    values: Sequence[float] | array[float], points: int, xs: Sequence[float] | None = None
) -> Sequence[int]:
    """Choose points of a curve; a spike of one point is among them.

    The curve is cut into buckets. Of each the first, the last, the smallest and the largest point
    are kept, and the first of those that are NaN, infinite and negatively infinite: three more
    where all of these are in one bucket.

    Args:
        values: The values, in their order.
        points: How many are wanted; a curve that has no more is kept as it is.
        xs: Where the values stand: buckets are as wide as one another where these rise. Else, and
            without, buckets have as many points each.

    Returns:
        Their places, rising.

    >>> list(places_kept([0.0] * 600 + [9.0] + [0.0] * 399, 8))
    [0, 499, 500, 600, 999]
    """
    count = len(values)
    if count <= points:
        return range(count)
    buckets = max(points // _A_BUCKET, 1)
    if xs is not None and xs[0] < xs[-1] and all(one <= two for one, two in pairwise(xs)):
        begin, span = xs[0], xs[-1] - xs[0]
        inner = [bisect_left(xs, begin + span * part / buckets) for part in range(1, buckets)]
        bounds = [0, *inner, count]
    else:
        bounds = [part * count // buckets for part in range(buckets + 1)]
    kept: list[int] = []
    for start, stop in pairwise(bounds):
        if start < stop:
            kept += sorted({start + place for place in _of_bucket(values[start:stop])})
    return kept


def _of_bucket(part: Sequence[float]) -> Iterator[int]:
    yield 0
    yield len(part) - 1
    # one sum in C tells of most buckets that all is finite; one that overflows is looked through
    finite = part if math.isfinite(sum(part)) else [value for value in part if math.isfinite(value)]
    if len(finite) < len(part):
        kinds: dict[str, int] = {}
        for place, value in enumerate(part):
            if not math.isfinite(value):
                kinds.setdefault(repr(value), place)
        yield from kinds.values()
    if finite:
        yield part.index(min(finite))
        yield part.index(max(finite))
