"""Timing several pieces of code against each other in one run.

Machines differ and drift, so a benchmark states ratios: the cases run in turn, A B C A B C, and a
ratio is the median over the rounds of the ratio within one round.
"""

from __future__ import annotations

import importlib
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from types import ModuleType

# a timed sample lasts at least this long, so that the clock's own cost does not count
SAMPLE_SECONDS = 0.02


@dataclass(frozen=True)
class Goal:
    """What is aimed at: `case` takes at most `limit` times as long as `against`.

    With `more` it takes at most `limit` milliseconds longer.
    """

    case: str
    against: str
    limit: float
    more: bool = False

    @property
    def text(self) -> str:
        """The goal as a cell of a table."""
        return f"<= {self.limit:.3g} ms more" if self.more else f"<= {self.limit:.3g}"


@dataclass
class Report:
    """The measured seconds a call of every case, one for each round."""

    title: str
    seconds: dict[str, list[float]]
    goals: list[Goal]
    absent: list[str] = field(default_factory=list)

    def figure(self, goal: Goal) -> tuple[float, float, float] | None:
        """Give the median, smallest and largest ratio of the rounds; None if a side is absent.

        Of a goal with `more` they are differences in milliseconds.
        """
        if goal.case not in self.seconds or goal.against not in self.seconds:
            return None
        pairs = zip(self.seconds[goal.case], self.seconds[goal.against], strict=True)
        figures = [(one - other) * 1e3 if goal.more else one / other for one, other in pairs]
        return statistics.median(figures), min(figures), max(figures)

    def to_dict(self) -> dict[str, object]:
        """Give everything measured, for JSON."""
        goals = [{**asdict(goal), "figure": self.figure(goal)} for goal in self.goals]
        return {
            "title": self.title,
            "seconds": self.seconds,
            "goals": goals,
            "absent": self.absent,
        }

    def print(self) -> None:
        """Print the times and the ratios as tables."""
        from rich.console import Console
        from rich.table import Table

        times = Table("case", "median us", "min us", "max us", title=self.title)
        for case, seconds in self.seconds.items():
            spread = (statistics.median(seconds), min(seconds), max(seconds))
            times.add_row(case, *(f"{value * 1e6:.2f}" for value in spread))
        ratios = Table("case", "against", "figure", "rounds", "goal", "")
        for goal in self.goals:
            found = self.figure(goal)
            shown = ("absent", "", goal.text, "")
            if found is not None:
                median, low, high = found
                verdict = "held" if median <= goal.limit else "MISSED"
                shown = (f"{median:.4f}", f"{low:.4f} .. {high:.4f}", shown[2], verdict)
            ratios.add_row(goal.case, goal.against, *shown)
        console = Console(width=110)
        console.print(times, ratios)
        for name in self.absent:
            console.print(f"{name} is not installed: its cases are absent (see peers.txt)")


def peer(name: str, absent: list[str]) -> ModuleType | None:
    """Import a library to compare with, or note in `absent` that it is not installed."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        root = name.partition(".")[0]
        if error.name != root:
            raise  # it is there, and something that it needs is not
        absent.append(root)
        return None


def pin() -> None:
    """Keep this process on one CPU, and torch to one thread."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    import torch

    torch.set_num_threads(1)


def measure(cases: dict[str, Callable[[], object]], repeats: int) -> dict[str, list[float]]:
    """Time the cases in turn, `repeats` times, after a warm-up.

    Args:
        cases: What to call, by name.
        repeats: The number of rounds.

    Returns:
        By name the seconds a call took, one value a round.
    """
    calls = {name: _calls_for_a_sample(case) for name, case in cases.items()}
    seconds: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(repeats):
        for name, case in cases.items():
            seconds[name].append(_sample(case, calls[name]))
    return seconds


def _calls_for_a_sample(case: Callable[[], object]) -> int:
    calls = 1
    while (taken := _sample(case, calls) * calls) < SAMPLE_SECONDS:
        calls = max(calls * 2, int(calls * SAMPLE_SECONDS / max(taken, 1e-9)))
    return calls


def _sample(case: Callable[[], object], calls: int) -> float:
    start = time.perf_counter()
    for _ in range(calls):
        case()
    return (time.perf_counter() - start) / calls
