"""What one benchmark measured: the rounds of every case, the goals, and how costs grow."""

from __future__ import annotations

import math
import statistics
from dataclasses import asdict, dataclass, field
from typing import Any

__all__ = ["Goal", "Growth", "Report", "digits", "shown"]

_SECONDS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "us"), (1e-9, "ns"))
_ROUNDED_UP = 0.9995  # of the next size: three digits would show it as that


def digits(value: float) -> str:
    """Write a number with the three digits that count, or, from 1,000 on, to the unit.

    >>> digits(0.012345), digits(12345), digits(2e-7)
    ('0.0123', '12,345', '2e-07')
    """
    return f"{value:,.0f}" if abs(value) >= 1_000 * _ROUNDED_UP else f"{value:.3g}"


def shown(value: float, unit: str) -> str:
    """Write a figure in a unit that suits its size.

    Args:
        value: The figure.
        unit: ``"s"``, or any other unit, which is kept.

    Returns:
        Three digits that count, and the unit.

    >>> shown(0.00123, "s"), shown(84.2, "s"), shown(84.2, "MB"), shown(0, "s")
    ('1.23 ms', '84.2 s', '84.2 MB', '0 s')
    """
    if unit == "s" and value:
        sizes = (each for each in _SECONDS if abs(value) >= each[0] * _ROUNDED_UP)
        size, unit = next(sizes, _SECONDS[-1])
        value /= size
    return f"{digits(value)} {unit}"


@dataclass(frozen=True)
class Goal:
    """What is aimed at: `case` takes at most `limit` times as much as `against`.

    With `more` it takes at most `limit` milliseconds more, or units where none are seconds.
    """

    case: str
    against: str
    limit: float
    more: bool = False

    def text(self, unit: str) -> str:
        """The goal as a cell of a table."""
        limit = f"<= {digits(self.limit)}"
        return f"{limit} {_step(unit)} more" if self.more else limit


@dataclass(frozen=True)
class Growth:
    """The same work at several sizes.

    Args:
        name: Whose cost it is.
        of: What grows, such as ``"runs"``.
        cases: By size the name of the case.
    """

    name: str
    of: str
    cases: dict[int, str]


@dataclass
class Report:
    """The measured figures of every case, one for each round.

    Args:
        title: What was asked.
        values: By case the seconds a call took, or other units, one a round.
        goals: What is aimed at.
        absent: The peers that are not installed.
        unit: Of the values.
        growths: What is drawn against its size.
        why: What the floor is, and why we lose where we do.
        noise: How much a fixed piece of work varied meanwhile, as a share of its median.
        where: The machine and the versions.
        date: The day, as in 2026-11-23.
    """

    title: str
    values: dict[str, list[float]]
    goals: list[Goal]
    absent: list[str] = field(default_factory=list)
    unit: str = "s"
    growths: list[Growth] = field(default_factory=list)
    why: str = ""
    noise: float = 0.0
    where: str = ""
    date: str = ""

    def figure(self, goal: Goal) -> tuple[float, float, float] | None:
        """Give the median, smallest and largest ratio of the rounds; None if a side is absent.

        Of a goal with `more` they are differences, in milliseconds where the unit is seconds.
        """
        if goal.case not in self.values or goal.against not in self.values:
            return None
        pairs = zip(self.values[goal.case], self.values[goal.against], strict=True)
        scale = 1e3 if self.unit == "s" else 1.0
        figures = [(one - other) * scale if goal.more else one / other for one, other in pairs]
        return statistics.median(figures), min(figures), max(figures)

    def exponent(self, growth: Growth) -> float | None:
        """Give the power of the size by which a cost grows between the two largest sizes.

        Returns:
            1 for a cost that grows as its size, more where it grows worse; None where one of the
            two was not measured, or there is one size only.
        """
        last = sorted(growth.cases.items())[-2:]
        if len(last) < 2 or not all(case in self.values for _, case in last):
            return None
        (few, small), (many, large) = last
        before, after = (statistics.median(self.values[name]) for name in (small, large))
        return math.log(after / before) / math.log(many / few) if before > 0 < after else None

    def to_dict(self) -> dict[str, Any]:
        """Give everything measured, for JSON."""
        goals = [{**asdict(goal), "figure": self.figure(goal)} for goal in self.goals]
        growths = [{**asdict(each), "exponent": self.exponent(each)} for each in self.growths]
        return {**asdict(self), "goals": goals, "growths": growths}

    @classmethod
    def from_dict(cls, told: dict[str, Any]) -> Report:
        """Make a report of what `to_dict` gave."""
        goals = [
            Goal(**{name: value for name, value in goal.items() if name != "figure"})
            for goal in told["goals"]
        ]
        growths = [
            Growth(each["name"], each["of"], {int(n): case for n, case in each["cases"].items()})
            for each in told["growths"]
        ]
        return cls(**{**told, "goals": goals, "growths": growths})


def _step(unit: str) -> str:
    return "ms" if unit == "s" else unit
