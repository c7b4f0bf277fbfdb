"""What ranks hold besides the weights: buffers, tensors, what is new in mid-training, precision."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from ddp_helpers import Deed, together
from ddp_states import Batches, LitGAN
from torch.optim import SGD

from thexp_pl.errors import TrainerError

DEEDS = {
    "state": Deed("ddp_states:state"),
    "grown": Deed("ddp_states:grown"),
    "bf16": Deed("ddp_states:precise", precision="bf16-mixed"),
    "fp16": Deed("ddp_states:precise", precision="16-mixed"),
    "twice": Deed("ddp_states:twice"),
    "lightning": Deed("ddp_states:lightning"),
    "automatic": Deed("ddp_states:lightning", automatic=True),
}


@pytest.fixture(scope="module")
def outcomes() -> dict[str, list[Any]]:
    return dict(zip(DEEDS, together(list(DEEDS.values())), strict=True))


def ranks(outcomes: dict[str, list[Any]], name: str) -> list[Any]:
    for rank in outcomes[name]:
        assert not isinstance(rank, BaseException), repr(rank)
    return outcomes[name]


def same(one: torch.Tensor, other: torch.Tensor) -> bool:
    return one.dtype == other.dtype and torch.equal(one.to_dense(), other.to_dense())


def test_batchnorm_gathers_of_its_own_and_evaluates_as_rank_0(outcomes: dict[str, list[Any]]):
    first, second = ranks(outcomes, "state")
    assert not torch.equal(first["own"], second["own"])
    for rank in (first, second):
        assert torch.equal(rank["evaluated"]["1.running_mean"], first["own"])
        assert torch.equal(rank["saved"]["model.1.running_mean"], first["own"])
    for name in ("0.weight", "1.weight", "2.weight"):
        assert torch.equal(first["weights"][name], second["weights"][name])


@pytest.mark.parametrize(
    "name",
    [
        "same_shape",
        "other_shape",
        "other_dtype",
        "sparse",
        "truths",
        "complexes",
        "transposed",
        "empty",
        "on_first_only",
    ],
)
def test_tensors_as_attributes_are_those_of_rank_0(name: str, outcomes: dict[str, list[Any]]):
    first, second = ranks(outcomes, "state")
    assert same(first["evaluated"][name], second["evaluated"][name])


def test_what_is_new_in_mid_training_is_trained_alike(outcomes: dict[str, list[Any]]):
    first, second = ranks(outcomes, "grown")
    assert {"more.weight", "model.2.weight", "shift"} <= first.keys()
    assert not torch.equal(first["model.2.bias"], torch.full((2,), 0.5))
    for name, value in first.items():
        assert torch.equal(value, second[name]), name


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_mixed_precision_leaves_the_same_bits(precision: str, outcomes: dict[str, list[Any]]):
    first, second = ranks(outcomes, precision)
    for name, value in first.items():
        assert torch.equal(value, second[name]), name


def test_training_again_and_again_opens_nothing_that_stays_open(outcomes: dict[str, list[Any]]):
    for counts in ranks(outcomes, "twice"):
        assert counts[-1] <= counts[0]


def test_the_strategy_serves_a_plain_lightning_trainer(outcomes: dict[str, list[Any]]):
    first, second = ranks(outcomes, "lightning")
    own = LitGAN(rank=0)
    generator, critic = (SGD(one.parameters(), lr=0.05) for one in (own.generator, own.critic))
    for _ in range(5):
        for pair in zip(Batches(0), Batches(1), strict=True):
            xs = torch.cat(pair)
            own.critic(own.generator(xs)).square().mean().backward()
            made = own.generator(xs).detach()  # before the step, as there
            generator.step()
            generator.zero_grad(), critic.zero_grad()
            ((own.critic(xs) - 1).square().mean() + own.critic(made).square().mean()).backward()
            critic.step()
    for name, value in own.state_dict().items():
        assert torch.equal(first[name], second[name])
        assert (first[name] - value).abs().max() <= 1e-6


def test_automatic_optimization_is_refused_in_one_line(outcomes: dict[str, list[Any]]):
    for rank in outcomes["automatic"]:
        assert isinstance(rank, TrainerError)
        assert str(rank) == (
            "ManualDDPStrategy is for manual optimization, and LitGAN has Lightning optimize; use "
            "strategy='ddp'"
        )
