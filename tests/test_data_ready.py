"""Data that is ready is loaded without seeding; all else draws from seeds of its own."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from data_helpers import Augmented, flat, global_states
from torch.utils.data import ConcatDataset, Subset, TensorDataset

from thexp_pl.data import ExactDataLoader


class Noisy(TensorDataset):
    def __getitem__(self, index: int) -> Any:
        return super().__getitem__(index)[0] + torch.rand(1)


def noisy(items: list[int]) -> torch.Tensor:
    return torch.tensor(items) + torch.rand(1)


def batches(dataset: Any, **options: Any) -> list[list[float]]:
    return [flat(batch) for batch in ExactDataLoader(dataset, batch_size=4, seed=5, **options)]


@pytest.mark.parametrize(
    ("dataset", "options"),
    [
        (Augmented(23), {}),
        (Subset(Augmented(23), range(10)), {}),
        (ConcatDataset([Augmented(3), Subset(Augmented(23), range(10))]), {"batch_size": None}),
        (Noisy(torch.arange(9.0)), {}),
        (range(23), {"collate_fn": noisy}),
        ([1, 2, 3], {"collate_fn": noisy}),
    ],
    ids=["own", "subset", "parts", "subclass", "collate_fn", "collate_fn of a list"],
)
def test_what_draws_does_so_from_the_seed_and_disturbs_nothing(
    dataset: Any, options: dict[str, Any]
) -> None:
    options = {"batch_size": 4, "seed": 5} | options
    torch.manual_seed(1)
    before = global_states()
    first = [flat(batch) for batch in ExactDataLoader(dataset, **options)]
    assert [str(one) for one in global_states()] == [str(one) for one in before]

    torch.manual_seed(2)
    assert [flat(batch) for batch in ExactDataLoader(dataset, **options)] == first


def test_ready_data_comes_in_the_order_of_the_seed() -> None:
    ready = [
        range(23),
        list(range(23)),
        Subset(range(40), range(23)),
    ]
    orders = [batches(one, shuffle=True) for one in ready]

    assert orders[0] != batches(range(23), shuffle=False)
    assert all(order == orders[0] for order in orders)
