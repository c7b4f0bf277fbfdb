"""What remains of a metric when its rows are put away: last, least, greatest, mean, count."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

__all__ = ["MetricsSummary"]


class MetricsSummary:
    """A running summary of metrics by name.

    NaN and the infinities are counted and may be the last value, but have no part in the least,
    the greatest and the mean; these are NaN where no value was finite.

    >>> summary = MetricsSummary()
    >>> summary.add({"loss": 2.0})
    >>> summary.add({"loss": 1.0})
    >>> summary.to_dict()
    {'loss': {'last': 1.0, 'min': 1.0, 'max': 2.0, 'mean': 1.5, 'count': 2, 'nonfinite': 0}}
    """

    def __init__(self) -> None:
        # name -> [last, least, greatest, sum, finite values, other values]
        self._cells: dict[str, list[float]] = {}

    def add(self, values: Mapping[str, float]) -> None:
        """Take in one value of each metric.

        Args:
            values: The values by name.
        """
        for name, value in values.items():
            cell = self._cells.get(name)
            if cell is None:
                cell = self._cells[name] = [value, math.inf, -math.inf, 0.0, 0, 0]
            cell[0] = value
            if -math.inf < value < math.inf:
                if value < cell[1]:
                    cell[1] = value
                if value > cell[2]:
                    cell[2] = value
                cell[3] += value
                cell[4] += 1
            else:
                cell[5] += 1

    @classmethod
    def of(cls, rows: Iterable[tuple[object, object, object, str, float]]) -> MetricsSummary:
        """Summarise the rows of a metrics file.

        Args:
            rows: As `MetricColumns.rows` gives them: the name and the value are the last two.

        Returns:
            Their summary.
        """
        summary = cls()
        for _, _, _, name, value in rows:
            summary.add({name: value})
        return summary

    def to_dict(self) -> dict[str, dict[str, float]]:
        """Give the summary as it stands.

        Returns:
            By name: ``last``, ``min``, ``max``, ``mean``, ``count`` and ``nonfinite`` (how many of
            the ``count`` values were NaN or infinite).
        """
        return {name: _summary(cell) for name, cell in self._cells.items()}


def _summary(cell: list[float]) -> dict[str, float]:
    last, least, greatest, total, finite, other = cell
    if not finite:
        least = greatest = total = math.nan
    return {
        "last": last,
        "min": least,
        "max": greatest,
        "mean": total / max(finite, 1),
        "count": int(finite + other),
        "nonfinite": int(other),
    }
