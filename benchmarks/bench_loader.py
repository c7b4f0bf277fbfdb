"""What the exact loader costs above torch's DataLoader, on slow items and on tiny ones."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset

from benchmarks.harness import Goal, Report, measure
from thexp_pl.data import ExactDataLoader

BATCH = 10
SLOW = 0.5e-3  # seconds an item takes to load
PLAIN, EXACT, PER_ITEM = "DataLoader", "ExactDataLoader", "ExactDataLoader, seed_per_item"


class Items(Dataset[torch.Tensor]):
    """Items that take a given time to load, on the processor."""

    def __init__(self, count: int, seconds: float) -> None:
        self.count = count
        self.seconds = seconds
        self.item = torch.zeros(4)

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> torch.Tensor:
        end = time.perf_counter() + self.seconds
        while time.perf_counter() < end:
            pass
        return self.item


def epochs(loader: DataLoader[Any]) -> Callable[[], object]:
    """One epoch a call; workers stay, so that starting them is not measured."""

    def epoch() -> None:
        for _ in loader:
            pass

    return epoch


def loaders(items: Items, workers: int) -> dict[str, Callable[[], object]]:
    """Make the three loaders of the same items."""
    options: dict[str, Any] = {
        "batch_size": BATCH,
        "shuffle": True,
        "num_workers": workers,
        "persistent_workers": workers > 0,
    }
    return {
        PLAIN: epochs(DataLoader(items, **options)),
        EXACT: epochs(ExactDataLoader(items, seed=1, **options)),
        PER_ITEM: epochs(ExactDataLoader(items, seed=1, seed_per_item=True, **options)),
    }


@contextlib.contextmanager
def all_processors() -> Iterator[None]:
    """Undo the harness' pinning: workers on the one CPU of the main process measure nothing."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    pinned = os.sched_getaffinity(0)
    os.sched_setaffinity(0, range(os.cpu_count() or 1))
    try:
        yield
    finally:
        os.sched_setaffinity(0, pinned)


def report(repeats: int) -> Report:
    """Measure epochs of slow items, and of tiny ones the own cost a batch and an item."""
    with all_processors():
        cases, goals = cases_and_goals()
        return Report("An epoch of data", measure(cases, repeats), goals)


def cases_and_goals() -> tuple[dict[str, Callable[[], object]], list[Goal]]:
    """Make the loaders, with 0 workers and with 2."""
    cases: dict[str, Callable[[], object]] = {}
    goals: list[Goal] = []
    for workers in (0, 2):
        slow = {
            f"{who}, {workers} workers, 200 items of 0.5 ms": epoch
            for who, epoch in loaders(Items(200, SLOW), workers).items()
        }
        plain, exact, _ = slow
        goals.append(Goal(exact, plain, 1.05))
        batches = 1000
        tiny = {
            f"{who}, {workers} workers, {batches} batches of {BATCH} tiny items": epoch
            for who, epoch in loaders(Items(batches * BATCH, 0), workers).items()
        }
        plain, exact, per_item = tiny
        # milliseconds an epoch: 150 us a batch, and 8 us an item
        goals.append(Goal(exact, plain, 0.150 * batches, more=True))
        goals.append(Goal(per_item, exact, 0.008 * batches * BATCH, more=True))
        cases |= slow | tiny
    return cases, goals
