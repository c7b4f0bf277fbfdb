"""Streams kept apart: what is drawn aside leaves no trace, and ranks draw differently."""

from __future__ import annotations

import random
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from thexp_pl import rnd


def draw() -> list[float]:
    return [random.random(), float(np.random.rand()), torch.rand(1).item()]


@pytest.fixture(autouse=True)
def generators_as_before() -> Iterator[None]:
    state = rnd.get_state()
    yield
    rnd.set_state(state)


def test_what_is_drawn_in_isolation_is_drawn_again_after_it_and_after_an_error() -> None:
    rnd.fix_seed(1)
    with rnd.isolate():
        inside = draw()
    with pytest.raises(ZeroDivisionError), rnd.isolate():
        draw()[0] / 0
    assert draw() == inside


def test_each_rank_has_streams_of_its_own_that_its_number_and_the_common_state_make() -> None:
    drawn = {}
    for seed in (1, 2):
        for rank in (0, 1, 2**20):
            rnd.fix_seed(seed)
            rnd.seed_apart(rank)
            drawn[seed, rank] = draw()
    numbers = [number for one in drawn.values() for number in one]
    assert len(set(numbers)) == len(numbers)
    rnd.fix_seed(2)
    rnd.seed_apart(1)
    assert draw() == drawn[2, 1]


def test_ranks_apart_still_have_the_seed_in_common_also_once_it_is_restored() -> None:
    for seed in (0, 5, 2**32 - 1):
        rnd.fix_seed(seed)
        rnd.seed_apart(3)
        assert torch.initial_seed() == seed
        state = rnd.get_state()
        drawn = draw()
        rnd.fix_seed(77)
        rnd.set_state(state)
        assert (torch.initial_seed(), draw()) == (seed, drawn)
