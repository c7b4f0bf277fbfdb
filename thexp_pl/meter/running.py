"""The running mean of one name, on the host."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, isfinite, nan
from typing import Any

from thexp_pl.meter.values import is_metric

__all__ = ["Running"]


@dataclass(slots=True, eq=False)
class Running:
    """What one name of an AvgMeter has seen: the last value, and the sums of all numbers.

    Args:
        last: The last value; while `column` is set, the row of a device that holds it.
        column: Where in that row it is.
        count: How many numbers were seen.
        integral: Whether all of them were Python ints, which print without a mean.
        total: The weighted sum of the finite numbers that were known on the host.
        weight: The sum of their weights.
        far_total: The weighted sum of those that lay on devices, and its rounding error.
        far_weight: The sum of their weights, and its rounding error.
        nan: How many were NaN.
        positive: How many were inf.
        negative: How many were -inf.
    """

    last: Any = None
    column: int | None = None
    count: int = 0
    integral: bool = True
    total: float = 0.0
    weight: float = 0.0
    far_total: tuple[float, float] = (0.0, 0.0)
    far_weight: tuple[float, float] = (0.0, 0.0)
    nan: int = 0
    positive: int = 0
    negative: int = 0

    def add(self, value: Any, weight: float) -> None:
        """Count a real number that is known on the host."""
        if not isinstance(value, int):
            self.integral = False
            value = float(value)
        self.last = value
        self.column = None
        self.count += 1
        try:
            number = float(value)
        except OverflowError:
            number = inf if value > 0 else -inf
        if isfinite(number):
            self.total += number * weight
            self.weight += weight
        elif number != number:
            self.nan += 1
        elif number > 0:
            self.positive += 1
        else:
            self.negative += 1

    def place(self, row: Any, column: int) -> None:
        """Note a number that stays on its device, whose sums `add_sums` brings later."""
        self.last = row
        self.column = column
        self.count += 1
        self.integral = False

    def add_sums(self, sums: list[tuple[float, float]]) -> None:
        """Add what a device summed: total, weight, and the counts of NaN, inf and -inf."""
        total, weight, *counts = sums
        self.far_total = _plus(self.far_total, total)
        self.far_weight = _plus(self.far_weight, weight)
        self.nan += round(counts[0][0])
        self.positive += round(counts[1][0])
        self.negative += round(counts[2][0])

    def keep(self, value: Any) -> None:
        """Note a value that is no number."""
        self.last = value
        self.column = None

    def merge(self, other: Running) -> None:
        """Add what another has seen after this one; a Metric stays this one's own."""
        if not is_metric(self.last):
            self.last = other.last
        self.count += other.count
        self.integral = self.integral and other.integral
        self.total += other.total
        self.weight += other.weight
        counts = [(float(n), 0.0) for n in (other.nan, other.positive, other.negative)]
        self.add_sums([other.far_total, other.far_weight, *counts])

    @property
    def finite_mean(self) -> float:
        """The weighted mean of the finite numbers; NaN where there are none."""
        weight = self.weight + sum(self.far_weight)
        return (self.total + sum(self.far_total)) / weight if weight else nan

    @property
    def mean(self) -> float:
        """The weighted mean of all numbers, as arithmetic has it: NaN and inf carry over."""
        if self.nan or (self.positive and self.negative):
            return nan
        if self.positive or self.negative:
            return inf if self.positive else -inf
        return self.finite_mean


def _plus(one: tuple[float, float], two: tuple[float, float]) -> tuple[float, float]:
    """Add two sums that are each kept as a high part and a rounding error; see `device_sums`."""
    total = one[0] + two[0]
    if not isfinite(total):
        return total, 0.0
    shadow = total - one[0]
    rest = one[1] + two[1] + ((one[0] - (total - shadow)) + (two[0] - shadow))
    high = total + rest
    return (high, rest - (high - total)) if isfinite(high) else (high, 0.0)
