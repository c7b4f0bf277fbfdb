"""What the exact loader costs beside torch's DataLoader, and how soon it goes on in an epoch."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from functools import partial
from itertools import islice
from types import ModuleType
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset

from benchmarks.harness import Scale, all_processors, in_turn, measure, peer
from benchmarks.report import Goal, Growth, Report
from benchmarks.timing import timed
from thexp_pl.data import ExactDataLoader

BATCH = 10
SLOW = 0.5e-3  # seconds an item takes to load
LONG = (10_000, 100_000, 1_000_000)  # items of the epoch in which is resumed
LONG_BATCH = 100
PLAIN, STATEFUL = "DataLoader", "StatefulDataLoader"
EXACT, PER_ITEM = "ExactDataLoader", "ExactDataLoader, seed_per_item"
ORDER = "torch.randperm, the order alone"
TORCHDATA = "torchdata.stateful_dataloader"
WHY = (
    "The floor of an epoch is the plain loader's. What the exact one costs above it is a seed for"
    " torch, numpy and random before each batch, or each item, and in the main process their states"
    " put aside and back; workers seed beside the main process, where there are processors enough,"
    " and put nothing back. A resumed epoch draws its order anew, so its floor is `torch.randperm`,"
    " which slows down where an order outgrows the processor's cache. The exact loader then takes"
    " up its slice of the order, StatefulDataLoader passes over one index after the other, and a"
    " plain DataLoader has to load all that came before, here items that cost nothing. With workers"
    " their start comes on top."
)


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


class Resumed:
    """An epoch that was left one batch before its end, and goes on there with a loader of its own.

    Args:
        make: Makes the loader; a plain one is iterated up to its place.
        items: How many the epoch has.
    """

    def __init__(self, make: Callable[[], DataLoader[Any]], items: int) -> None:
        self._make = make
        self._before = items // LONG_BATCH - 1
        loader = make()
        self._state = None
        if hasattr(loader, "state_dict"):
            for _ in islice(batches := iter(loader), self._before):
                pass
            self._state = loader.state_dict()
            del batches
        self._batches: Any = None

    def seconds(self) -> float:
        """Time the first batch; workers are ended afterwards."""
        return timed(self._first, self._end)

    def _first(self) -> None:
        loader: Any = self._make()
        passed = 0
        if self._state is None:
            passed = self._before
        else:
            loader.load_state_dict(self._state)
        self._batches = iter(loader)
        batch = next(islice(self._batches, passed, None))
        assert len(batch) == LONG_BATCH

    def _end(self) -> None:
        self._batches = None


def resumed_by(who: str, items: int, workers: int = 0) -> Resumed:
    """Leave an epoch of items that cost nothing by one of the loaders."""
    maker: Callable[..., DataLoader[Any]] = DataLoader
    if who == STATEFUL:
        maker = importlib.import_module(TORCHDATA).StatefulDataLoader
    elif who == EXACT:
        maker = partial(ExactDataLoader, seed=1)
    options = {"batch_size": LONG_BATCH, "shuffle": True, "num_workers": workers}
    return Resumed(partial(maker, Items(items, 0), **options), items)


def report(scale: Scale) -> Report:
    """Measure epochs of slow items and of tiny ones, and the first batch after resuming."""
    absent: list[str] = []
    torchdata = peer(TORCHDATA, absent)
    with all_processors():
        epochs, goals = _epochs(scale, torchdata)
        resumed, more, growths = _resumed(scale, torchdata)
        seconds = measure(epochs, scale) | in_turn(resumed, scale.rounds(3))
    return Report("Loading data", seconds, goals + more, absent, growths=growths, why=WHY)


def _epochs(
    scale: Scale, torchdata: ModuleType | None
) -> tuple[dict[str, Callable[[], object]], list[Goal]]:
    cases: dict[str, Callable[[], object]] = {}
    goals: list[Goal] = []
    slow, batches = scale.pick((200, 1_000), (20, 20))
    for workers in (0, 2):
        of_slow = f"{workers} workers, {slow} items of {SLOW * 1e3} ms"
        of_tiny = f"{workers} workers, {batches:,} batches of {BATCH} tiny items"
        cases |= _loaders(of_slow, Items(slow, SLOW), workers, torchdata)
        cases |= _loaders(of_tiny, Items(batches * BATCH, 0), workers, torchdata)
        plain, exact, per_item = (f"{who}, {of_tiny}" for who in (PLAIN, EXACT, PER_ITEM))
        goals += [
            *(Goal(f"{EXACT}, {of_slow}", f"{who}, {of_slow}", 1.05) for who in (PLAIN, STATEFUL)),
            # milliseconds an epoch: 150 us a batch, and 8 us an item
            Goal(exact, plain, 0.150 * batches, more=True),
            Goal(per_item, exact, 0.008 * batches * BATCH, more=True),
        ]
    return cases, goals


def _loaders(
    named: str, items: Items, workers: int, torchdata: ModuleType | None
) -> dict[str, Callable[[], object]]:
    """Make the loaders of the same items; workers stay, so that starting them is not measured."""
    options: dict[str, Any] = {
        "batch_size": BATCH,
        "shuffle": True,
        "num_workers": workers,
        "persistent_workers": workers > 0,
    }
    made: dict[str, DataLoader[Any]] = {PLAIN: DataLoader(items, **options)}
    if torchdata is not None:
        made[STATEFUL] = torchdata.StatefulDataLoader(items, **options)
    made[EXACT] = ExactDataLoader(items, seed=1, **options)
    made[PER_ITEM] = ExactDataLoader(items, seed=1, seed_per_item=True, **options)
    return {f"{who}, {named}": partial(_epoch, loader) for who, loader in made.items()}


def _epoch(loader: DataLoader[Any]) -> None:
    for _ in loader:
        pass


def _resumed(
    scale: Scale, torchdata: ModuleType | None
) -> tuple[dict[str, Callable[[], float]], list[Goal], list[Growth]]:
    cases: dict[str, Callable[[], float]] = {}
    sizes = scale.pick(LONG, (200, 400))
    whose = [PLAIN, *([STATEFUL] if torchdata is not None else []), EXACT]
    for count in sizes:
        cases[_goes_on(ORDER, count)] = partial(timed, partial(torch.randperm, count))
        for workers in (0, 2) if count == sizes[-1] else (0,):
            for who in whose:
                cases[_goes_on(who, count, workers)] = resumed_by(who, count, workers).seconds
    limits = {(PLAIN, 0): 0.1, (STATEFUL, 0): 0.1, (PLAIN, 2): 1, (STATEFUL, 2): 1}
    goals = [
        Goal(_goes_on(EXACT, sizes[-1], workers), _goes_on(who, sizes[-1], workers), limit)
        for (who, workers), limit in limits.items()
    ]
    growths = [
        Growth(named, "items", {count: _goes_on(who, count) for count in sizes})
        for who, named in [(ORDER, ORDER), *((who, f"{who}, resumed") for who in whose)]
    ]
    return cases, goals, growths


def _goes_on(who: str, count: int, workers: int = 0) -> str:
    if who == ORDER:
        return f"{who}, {count:,} items"
    return f"{who}, {workers} workers, resumed at the end of {count:,} items"
