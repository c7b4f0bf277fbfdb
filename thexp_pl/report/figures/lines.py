"""What is drawn of a curve: smoothed, and no more points than can be seen."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from thexp_pl.report.figures.curves import Array

__all__ = ["smoothed", "visible"]


def smoothed(values: Array, weight: float) -> Array:
    """Smooth values as TensorBoard does: by an exponential moving average without its bias.

    The average begins at 0; that it does is divided out (Kingma and Ba 2015, section 3). A value
    that is not finite stays and has no part in the average; where all values are the same, all
    stay. TensorBoard: ``resmoothDataset`` in ``vz_line_chart2/line-chart.ts``.

    Args:
        values: float64.
        weight: Of what came before: 0 or more, below 1.

    Returns:
        As many values.

    >>> smoothed(np.array([1.0, 2.0, 2.0]), 0.5).round(3).tolist()
    [1.0, 1.667, 1.857]
    """
    if not weight or not len(values) or (values == values[0]).all():
        return values
    result = []
    average, rest = 0.0, 1.0
    for value in values.tolist():
        if math.isfinite(value):
            average = average * weight + (1 - weight) * value
            rest *= weight
            value = average / (1 - rest)
        result.append(value)
    return np.array(result)


def visible(x: Array, lines: Sequence[Array], buckets: int) -> Array:
    """Choose the points that lines need to look as they are.

    Args:
        x: float64, finite, rising.
        lines: The y of each, finite or NaN, as many.
        buckets: How many columns of dots there are.

    Returns:
        The places of the points, rising: in each column the first and the last, of each line the
        lowest and the highest, and a NaN where it has one.
    """
    if len(x) <= 4 * buckets:
        return np.arange(len(x))
    width = (x[-1] - x[0]) / buckets
    columns = np.minimum(((x - x[0]) / width).astype(np.int64), buckets - 1)
    starts = np.flatnonzero(np.append(True, columns[1:] != columns[:-1]))
    chosen = [starts, np.append(starts[1:], len(x)) - 1]
    for y in lines:
        gaps = np.isnan(y)
        for low in (np.where(gaps, np.inf, y), np.where(gaps, np.inf, -y), ~gaps):
            order = np.lexsort((low, columns))  # within each column the lowest is first
            chosen.append(order[starts])
    return np.unique(np.concatenate(chosen))
