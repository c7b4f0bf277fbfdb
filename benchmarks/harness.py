"""Timing several pieces of code against each other in one run.

Machines differ and drift, so a benchmark states ratios: the cases run in turn, A B C A B C, and a
ratio is the median over the rounds of the ratio within one round. A fixed piece of work runs along,
and says how much the machine itself varied.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import TypeVar

__all__ = ["Scale", "all_processors", "in_turn", "measure", "noise", "peer", "pin"]

# a timed sample lasts at least this long, so that the clock's own cost does not count
SAMPLE_SECONDS = 0.02
QUICK_SAMPLE_SECONDS = 0.002
T = TypeVar("T")

_reference: list[float] = []


@dataclass(frozen=True)
class Scale:
    """How much is measured.

    Args:
        repeats: Rounds of what takes microseconds.
        quick: Whether it only has to be seen that everything runs: two rounds of small sizes.
    """

    repeats: int = 25
    quick: bool = False

    def rounds(self, share: int = 1) -> int:
        """Give the rounds of what takes longer: a share of `repeats`, but at least three."""
        return 2 if self.quick else max(self.repeats // share, 3)

    def pick(self, full: T, quick: T) -> T:
        """Choose what is measured: the full size, or one that takes no time."""
        return quick if self.quick else full


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


@contextlib.contextmanager
def all_processors() -> Iterator[None]:
    """Undo the pinning: workers on the one CPU of the main process measure nothing."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    pinned = os.sched_getaffinity(0)
    os.sched_setaffinity(0, range(os.cpu_count() or 1))
    try:
        yield
    finally:
        os.sched_setaffinity(0, pinned)


def measure(
    cases: Mapping[str, Callable[[], object]], scale: Scale, share: int = 1
) -> dict[str, list[float]]:
    """Time the cases in turn, after a warm-up.

    Args:
        cases: What to call, by name.
        scale: Says how many rounds.
        share: The share of its rounds, for what takes longer than microseconds.

    Returns:
        By name the seconds a call took, one value a round.
    """
    least = scale.pick(SAMPLE_SECONDS, QUICK_SAMPLE_SECONDS)
    calls = {name: _calls_for_a_sample(case, least) for name, case in cases.items()}
    timed = {name: _timing(case, calls[name]) for name, case in cases.items()}
    return in_turn(timed, scale.rounds(share))


def in_turn(cases: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Call in turn what measures itself, without a warm-up.

    Args:
        cases: By name what gives its own figure, such as seconds.
        rounds: How often each is called.

    Returns:
        By name the figures, one a round.
    """
    values: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(rounds):
        _reference.append(_sample(_fixed_work, 1))
        for name, case in cases.items():
            values[name].append(case())
    return values


def noise() -> float:
    """Say how much the fixed piece of work varied since the last call.

    Returns:
        The span between its first and its ninth decile, as a share of the median; 0 for less than
        two rounds.
    """
    times = sorted(_reference)
    _reference.clear()
    if len(times) < 2:
        return 0.0
    deciles = statistics.quantiles(times, n=10, method="inclusive")
    return (deciles[-1] - deciles[0]) / statistics.median(times)


def _fixed_work() -> int:
    return sum(number * number for number in range(50_000))


def _timing(case: Callable[[], object], calls: int) -> Callable[[], float]:
    return lambda: _sample(case, calls)


def _calls_for_a_sample(case: Callable[[], object], least: float) -> int:
    calls = 1
    while (taken := _sample(case, calls) * calls) < least:
        calls = max(calls * 2, int(calls * least / max(taken, 1e-9)))
    return calls


def _sample(case: Callable[[], object], calls: int) -> float:
    start = time.perf_counter()
    for _ in range(calls):
        case()
    return (time.perf_counter() - start) / calls
