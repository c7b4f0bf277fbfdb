"""Datasets that draw at random and say what they load, and what tests of loaders ask of them."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset, IterableDataset, get_worker_info

WAIT = 60  # seconds that a worker or a process may take on a busy machine


def id_of(options: dict[str, Any]) -> str:
    """The name of a test with these options: the same in every process, of whatever samplers."""
    shown = {
        k: v if isinstance(v, (int, str, type(None))) else type(v).__name__
        for k, v in options.items()
    }
    return str(shown)


def drawn(index: int) -> torch.Tensor:
    """An item: its index, and a number of each of the global generators."""
    numbers = [index, torch.rand(1).item(), np.random.rand(), random.random()]
    return torch.tensor(numbers, dtype=torch.float64)


class Augmented(Dataset[torch.Tensor]):
    """Items that draw from torch, numpy and random; `loaded` lists the indices asked for here."""

    def __init__(self, size: int = 23) -> None:
        self.size = size
        self.loaded: list[int] = []

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> torch.Tensor:
        self.loaded.append(index)
        return drawn(index)


def worker_share() -> tuple[int, int]:
    info = get_worker_info()
    return (0, 1) if info is None else (info.id, info.num_workers)


class Seekable(IterableDataset[torch.Tensor]):
    """Each worker yields its share of the indices, from the item that `seek` named."""

    def __init__(self, size: int = 23) -> None:
        self.size = size
        self.start = 0
        self.loaded: list[int] = []

    def seek(self, item: int) -> None:
        self.start = item

    def __iter__(self) -> Iterator[torch.Tensor]:
        first, stride = worker_share()
        for index in range(first + self.start * stride, self.size, stride):
            self.loaded.append(index)
            yield drawn(index)


class CountsOn(IterableDataset[torch.Tensor]):
    """Keeps its state: the next item and the epochs it had; back at the start after the last."""

    def __init__(self, size: int = 23) -> None:
        self.size = size
        self.item = 0
        self.epochs = 0

    def __iter__(self) -> Iterator[torch.Tensor]:
        first, stride = worker_share()
        while first + self.item * stride < self.size:
            self.item += 1
            yield drawn(first + (self.item - 1) * stride + 1000 * self.epochs)
        self.item, self.epochs = 0, self.epochs + 1

    def state_dict(self) -> dict[str, Any]:
        return {"item": self.item, "epochs": self.epochs}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.item, self.epochs = state["item"], state["epochs"]


class StartsOver(IterableDataset[torch.Tensor]):
    """Keeps its state, and after the last item still says that it is there."""

    def __init__(self, size: int = 23) -> None:
        self.size = size
        self.item = self.start = 0

    def __iter__(self) -> Iterator[torch.Tensor]:
        first, stride = worker_share()
        begin, self.start = self.start, 0
        for number, index in enumerate(range(first + begin * stride, self.size, stride), begin):
            self.item = number + 1
            yield drawn(index)

    def state_dict(self) -> dict[str, Any]:
        return {"item": self.item}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.item = self.start = state["item"]


def flat(batch: Any) -> list[float]:
    """A batch, of a loader or of a bundle, as numbers to compare bit by bit."""
    parts = batch if isinstance(batch, tuple) else (batch,)
    return [number for part in parts for number in part.reshape(-1).tolist()]


def indices(loader: Any) -> list[int]:
    """What an epoch of `Augmented` yields, by index."""
    return [int(index) for batch in loader for index in batch[:, 0]]


def run(loader: Any, epochs: int = 2) -> tuple[list[list[float]], list[dict[str, Any]]]:
    """Run a loader to the end: every batch, and the state after each."""
    batches, states = [], []
    for _ in range(epochs):
        for batch in loader:
            batches.append(flat(batch))
            states.append(loader.state_dict())
    return batches, states


def rest(loader: Any, state: dict[str, Any], epochs: int = 2) -> list[list[float]]:
    """What a fresh loader yields from a state on, to the end of epoch `epochs - 1`."""
    loader.load_state_dict(state)
    return [flat(batch) for _ in range(state["epoch"], epochs) for batch in loader]


def assert_resumes_everywhere(
    make: Callable[[], Any], resumed: Callable[[], Any] | None = None, epochs: int = 2
) -> None:
    """After every batch of a run a fresh loader goes on with the same bits."""
    batches, states = run(make(), epochs)
    assert len(batches) >= epochs
    for done, state in enumerate(states, 1):
        got = rest((resumed or make)(), state, epochs)
        assert got == batches[done:], f"after {done} of {len(batches)} batches: {state}"


def global_states() -> tuple[Any, ...]:
    """The states of the global generators, to compare."""
    numpy = np.random.get_state(legacy=True)
    return torch.get_rng_state().tolist(), random.getstate(), numpy[1].tolist(), numpy[2:]
