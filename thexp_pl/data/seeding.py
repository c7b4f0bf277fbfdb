"""Seeds made out of numbers, and the global generators of torch, numpy and random set to them.

A seed is a function of numbers that a resumed training knows as well: the loader's seed, the epoch,
the batch. The numbers are taken up one after the other by the finaliser of SplitMix64 (Steele, Lea,
Flood, "Fast splittable pseudorandom number generators", 2014), in whole numbers of 64 bits: the
same on every machine and in every version of Python.
"""

from __future__ import annotations

import contextlib
import functools
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

__all__ = [
    "BATCH",
    "ITEM",
    "MAX_SEED",
    "ORDER",
    "SAMPLER",
    "WORKERS",
    "OwnStates",
    "mix",
    "mixed_with",
    "seed_all",
    "seed_held",
    "undisturbed",
]

MAX_SEED = 2**64 - 1
# what a seed is for, the first of the numbers it is made of: no two uses share a stream
BATCH, ITEM, ORDER, SAMPLER, WORKERS = range(1, 6)

_torch_cpu = torch.default_generator


def mixed_with(seed: int, number: int) -> int:
    """Take one more number up into a seed.

    Args:
        seed: 0 to 2**64 - 1.
        number: An integer; its lowest 64 bits count.

    Returns:
        The new seed, 0 to 2**64 - 1.
    """
    word = ((seed ^ number & MAX_SEED) + 0x9E3779B97F4A7C15) & MAX_SEED
    word = (word ^ word >> 30) * 0xBF58476D1CE4E5B9 & MAX_SEED
    word = (word ^ word >> 27) * 0x94D049BB133111EB & MAX_SEED
    return word ^ word >> 31


def mix(*numbers: int) -> int:
    """Make a seed of several numbers, in which their order counts.

    Args:
        numbers: Integers; of each the lowest 64 bits count.

    Returns:
        The seed, 0 to 2**64 - 1.

    >>> mix(1, 10, 0), mix(1, 0, 10)
    (6870777009454831505, 7446594392015701318)
    """
    return functools.reduce(mixed_with, numbers, 0)


def seed_all(seed: int) -> None:
    """Seed Python's `random`, numpy's global generator and torch's on the CPU; no other device's.

    Args:
        seed: 0 to 2**64 - 1; numpy and torch take its lower 32 bits.
    """
    # `torch.manual_seed` costs a hundred times as much: it tells every kind of device
    _torch_cpu.manual_seed(seed)
    np.random.seed(seed & 0xFFFFFFFF)
    random.seed(seed)


_States = tuple[torch.Tensor, dict[str, Any] | tuple[Any, ...], tuple[Any, ...]]


def _read() -> _States:
    return _torch_cpu.get_state(), np.random.get_state(legacy=False), random.getstate()


def _write(states: _States) -> None:
    _torch_cpu.set_state(states[0])
    np.random.set_state(states[1])
    random.setstate(states[2])


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Put the states of the three global generators aside, and back at the end."""
    outside = _read()
    try:
        yield
    finally:
        _write(outside)


class OwnStates:
    """States of the three global generators that belong to one consumer, which draws on and off.

    Args:
        seed: What they begin with, 0 to 2**64 - 1.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._states: _States | None = None

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """Have the global generators draw from these states inside a `with`."""
        with undisturbed():
            if self._states is None:
                seed_all(self._seed)
            else:
                _write(self._states)
            try:
                yield
            finally:
                self._states = _read()


def seed_held(owner: object, seed: int) -> None:
    """Seed the generators that an object holds as attributes.

    Args:
        owner: Any object; one without attributes holds none.
        seed: 0 to 2**64 - 1.
    """
    for held in vars(owner).values() if hasattr(owner, "__dict__") else ():
        if isinstance(held, torch.Generator):
            held.manual_seed(seed)
        elif isinstance(held, random.Random):
            held.seed(seed)
        elif isinstance(held, np.random.RandomState):
            held.seed(seed & 0xFFFFFFFF)
        elif isinstance(held, np.random.Generator):
            held.bit_generator.state = type(held.bit_generator)(seed).state
