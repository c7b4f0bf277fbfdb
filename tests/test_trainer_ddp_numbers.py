"""Two processes end with the same bits, and with what one process reaches on the joined batch."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import ddp_cases
import pytest
import torch
from ddp_cases import Case, options_of, random_case
from ddp_helpers import Deed, together

# torch's own, of what is done here on purpose
pytestmark = pytest.mark.filterwarnings(r"ignore:Using backward\(\) with create_graph")

SEEDS = range(18)
MANY = range(100, 250)
NAMED = {
    "one model": Case(),
    "one model in float32": Case(double=False, optimizer="momentum"),
    "gradient accumulation by hand": Case(accumulate=3, optimizer="adam"),
    "clipping between backward and step": Case(clip=True, double=False),
    "a GAN": Case(gan=True, optimizer="adam"),
    "a GAN, critic first": Case(gan=True, critic_first=True, double=False),
    "two backwards before a step": Case(two_backwards=True, double=False),
    "a head that one rank uses": Case(lone_head=True, optimizer="adamw"),
    "a head that one rank uses, tied": Case(lone_head=True, tied=True, optimizer="momentum"),
    "tensors as plain attributes": Case(plain_tensor=True, trained_tensor=True),
    "an average kept by hand": Case(ema=True, peek=True, double=False),
    "a second forward without gradients": Case(peek=True),
    "a layer that thaws": Case(thaw=True, optimizer="adam", accumulate=2),
    "gradients with a graph": Case(create_graph=True, two_backwards=True, accumulate=2),
}


def run(cases: list[Case], world: int = 2, device: str = "cpu") -> list[list[Any]]:
    where = {"world": world, "device": device}
    deeds = [Deed("ddp_cases:train", **where, **options_of(case)) for case in cases]
    return together(deeds, world, "gloo" if device == "cpu" else "nccl")


def check(case: Case, ranks: list[Any]) -> None:
    expected = ddp_cases.reference(case, len(ranks))
    for rank in ranks:
        assert not isinstance(rank, BaseException), repr(rank)
        assert rank.keys() == expected.keys()
        for name, value in rank.items():
            assert torch.equal(value, ranks[0][name]), f"{name} differs between the ranks"
            furthest = (value - expected[name]).abs().max().item()
            assert furthest <= case.tolerance, f"{name} is {furthest} from that of one process"


@pytest.fixture(scope="module")
def outcomes() -> dict[str, list[Any]]:
    cases = {**NAMED, **{f"seed {seed}": random_case(seed) for seed in SEEDS}}
    return dict(zip(cases, run(list(cases.values())), strict=True))


@pytest.mark.parametrize("name", NAMED)
def test_two_ranks_train_as_one_on_the_joined_batch(name: str, outcomes: dict[str, list[Any]]):
    check(NAMED[name], outcomes[name])


@pytest.mark.parametrize("seed", SEEDS)
def test_so_they_do_whatever_is_combined(seed: int, outcomes: dict[str, list[Any]]):
    check(random_case(seed), outcomes[f"seed {seed}"])


def test_three_ranks_train_as_one_on_the_joined_batch():
    cases = [Case(gan=True, lone_head=True, clip=True), random_case(3)]
    for case, ranks in zip(cases, run(cases, world=3), strict=True):
        check(case, ranks)


def test_each_thing_a_case_can_do_changes_what_it_reaches():
    """Else a case would say nothing of it."""
    for name, case in NAMED.items():
        plain = Case(double=case.double, optimizer=case.optimizer)
        if case not in (plain, Case(create_graph=True, two_backwards=True, accumulate=2)):
            one, other = ddp_cases.reference(case, 2), ddp_cases.reference(plain, 2)
            assert any(not torch.equal(one[key], other[key]) for key in one), name


@pytest.mark.slow
@pytest.mark.parametrize("first", MANY[::25])
def test_so_they_do_for_many_more(first: int):
    cases = [random_case(seed) for seed in range(first, first + 25)]
    for case, ranks in zip(cases, run(cases), strict=True):
        check(case, ranks)


@pytest.mark.gpu
@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two CUDA devices")
def test_so_they_do_on_two_gpus():
    cases = [Case(gan=True, lone_head=True, clip=True), *map(random_case, range(5))]
    cases = [replace(case, double=True) for case in cases]
    for case, ranks in zip(cases, run(cases, device="cuda"), strict=True):
        check(case, ranks)
