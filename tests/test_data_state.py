"""A loader's place: its state, hostile ones, `set_epoch`; exact loaders made of plain ones."""

from __future__ import annotations

import contextlib
import io
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
from data_helpers import Augmented, Seekable, flat, id_of, indices, rest, run
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    DistributedSampler,
    RandomSampler,
    SequentialSampler,
    WeightedRandomSampler,
)
from torch.utils.data.datapipes.iter import IterableWrapper

from thexp_pl.data import ExactDataLoader, exact
from thexp_pl.errors import CheckpointError, UsageError


def loader(size: int = 23, **options: Any) -> ExactDataLoader:
    return ExactDataLoader(
        Augmented(size), **({"batch_size": 4, "shuffle": True, "seed": 5} | options)
    )


def saved(done: int = 2) -> dict[str, Any]:
    return run(loader(), epochs=2)[1][done - 1]


def place(exact_loader: Any, ahead: int = 0) -> tuple[int, int]:
    state = exact_loader.state_dict(ahead)
    return state["epoch"], state["batches"]


def test_a_complete_epoch_is_the_next_ones_start():
    exact_loader = loader()
    stream = iter(exact_loader)
    places = [place(exact_loader)]
    for _ in range(6):
        next(stream)
        places.append(place(exact_loader))
    assert places == [(0, 0), (0, 1), (0, 2), (0, 3), (0, 4), (0, 5), (1, 0)]
    assert place(exact_loader, ahead=1) == (0, 5)
    next(iter(exact_loader))
    assert place(exact_loader, ahead=1) == (1, 0)
    assert place(exact_loader, ahead=2) == (0, 5)


def test_a_loaded_state_is_the_state_until_the_next_batch():
    for done in (1, 6, 8):
        resumed = loader()
        resumed.load_state_dict(saved(done))
        assert resumed.state_dict() == saved(done)
        iter(resumed)
        assert resumed.state_dict() == saved(done)


def test_the_state_survives_a_safe_load_and_its_seed_is_the_loaders():
    file = io.BytesIO()
    torch.save(saved(), file)
    file.seek(0)
    state = torch.load(file, weights_only=True)
    assert state == saved()
    batches, _ = run(loader())
    assert rest(loader(seed=99), state) == batches[2:]


values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=3),
    st.just([]),
    st.just({}),
)


@given(name=st.sampled_from(sorted(saved())), value=values)
def test_a_damaged_state_is_refused_or_harmless(name: str, value: Any):
    resumed = loader()
    with contextlib.suppress(CheckpointError):
        resumed.load_state_dict(saved() | {name: value})
        assert len(list(resumed)) <= 6


@pytest.mark.parametrize("state", [{}, [], None, 3, {"seed": 1}, "state"], ids=repr)
def test_what_is_no_state_is_refused(state: Any):
    with pytest.raises(CheckpointError, match="no state of an ExactDataLoader"):
        loader().load_state_dict(state)


@pytest.mark.parametrize(
    "copies",
    [
        3,
        {"workers": 0, "turn": 1, "each": []},
        {"workers": 2, "turn": 1, "each": [{"items": 1, "ended": False, "state": None}]},
        {"workers": 0, "turn": -1, "each": [{"items": 1, "ended": False, "state": None}]},
        {"workers": 0, "turn": 1, "each": [{"items": 1, "ended": 0, "state": None}]},
        {"workers": 0, "turn": 1, "each": [{"items": "1", "ended": False, "state": None}]},
        {"workers": 10**12, "turn": 1, "each": []},
    ],
    ids=str,
)
def test_a_damaged_state_of_an_iterable_dataset_is_refused(copies: Any):
    streaming = ExactDataLoader(Seekable(), batch_size=4)
    next(iter(streaming))
    with pytest.raises(CheckpointError, match="no state of an ExactDataLoader"):
        streaming.load_state_dict(streaming.state_dict() | {"copies": copies})


def test_a_dataset_of_another_length_is_refused_in_mid_epoch_only():
    with pytest.raises(CheckpointError, match="23 samples, and this one has 24"):
        loader(24).load_state_dict(saved(2))
    longer = loader(24)
    longer.load_state_dict(saved(6))
    assert sorted(indices(longer)) == list(range(24))


@pytest.mark.parametrize(
    "changes",
    [
        {"batches": 99},
        {"batches": 0},
        {"samples": 0},
        {"samples": 24},
        {"samples": 9},
        {"batches": 6, "samples": 24},
    ],
    ids=str,
)
def test_a_place_where_no_process_ever_stood_is_refused(changes: dict[str, Any]):
    with pytest.raises(CheckpointError, match="none of its 1 processes ever stood"):
        loader().load_state_dict(saved(2) | changes)


def test_set_epoch_begins_another_epoch_and_lets_the_loaded_one_go_on():
    batches, _ = run(loader(), epochs=3)
    for named, expected in ((0, batches[2:6]), (1, batches[6:12]), (2, batches[12:])):
        resumed = loader()
        resumed.load_state_dict(saved(2))
        resumed.set_epoch(named)
        resumed.set_epoch(named)  # told twice
        assert [flat(batch) for batch in resumed] == expected


def test_naming_the_epoch_in_progress_changes_nothing():
    batches, _ = run(loader(), epochs=2)
    fetched_first = loader()
    stream = iter(fetched_first)
    next(stream)
    fetched_first.set_epoch(0)  # Lightning fetches one batch before it says this
    assert [flat(batch) for batch in stream] == batches[1:6]
    assert [flat(batch) for batch in fetched_first] == batches[6:]


def test_the_same_name_given_again_begins_the_same_epoch_again():
    validation = loader()
    for _ in range(2):
        validation.set_epoch(0)
        stream = iter(validation)
        next(stream), next(stream)  # a validation of two batches
        assert place(validation) == (0, 2)


def test_a_resumed_epoch_that_is_named_once_more_begins_again():
    first = loader()
    first.set_epoch(0)
    next(iter(first))
    resumed = loader()
    resumed.load_state_dict(first.state_dict())
    resumed.set_epoch(0)
    assert len(indices(resumed)) == 19
    resumed.load_state_dict(first.state_dict())
    resumed.set_epoch(0)
    next(iter(resumed))
    resumed.set_epoch(0)
    assert indices(resumed) == indices(loader())


def test_what_collate_fn_draws_does_not_hang_on_what_the_items_drew():
    def draws(dataset: Any, per_item: bool) -> list[float]:
        options = {"batch_size": 4, "seed": 5, "seed_per_item": per_item}
        return list(ExactDataLoader(dataset, collate_fn=_draw, **options))

    assert draws(range(8), True) == draws(Augmented(8), True)
    assert draws(range(8), False) != draws(Augmented(8), False)


def _draw(items: list[Any]) -> float:
    return torch.rand(()).item()


def test_a_loader_cycled_within_an_epoch_goes_on_in_its_own():
    def epoch(cycled: ExactDataLoader, named: int) -> list[list[float]]:
        cycled.set_epoch(named)
        return [flat(batch) for _ in range(2) for batch in cycled]

    whole = loader()
    batches = epoch(whole, 0) + epoch(whole, 1)
    cycled = loader()
    cycled.set_epoch(0)
    states = []
    for _ in range(2):
        for _batch in cycled:
            states.append(cycled.state_dict())
    for done in (8, 9, 11):  # in the second pass of epoch 0
        resumed = loader()
        resumed.load_state_dict(states[done - 1])
        resumed.set_epoch(0)
        assert [flat(batch) for batch in resumed] + epoch(resumed, 1) == batches[done:]


def test_a_sampler_hands_the_epoch_on_as_lightning_gives_it():
    one, other = loader(), loader()
    one.sampler.set_epoch(3)
    other.set_epoch(3)
    assert indices(one) == indices(other)
    batches = BatchSampler(SequentialSampler(range(4)), 2, False)
    for told in (
        ExactDataLoader(Seekable()),
        ExactDataLoader(Augmented(4), batch_sampler=batches),
    ):
        assert isinstance(told.sampler, DistributedSampler)  # which Lightning leaves alone
        told.sampler.set_epoch(3)
        assert place(told) == (3, 0)
    for number in (-1, 1.0, None, True):
        with pytest.raises(UsageError, match="set_epoch"):
            one.set_epoch(number)  # type: ignore[arg-type]


def test_a_loader_that_has_not_begun_can_be_pickled():
    assert indices(pickle.loads(pickle.dumps(loader()))) == indices(loader())


@pytest.mark.parametrize(
    "options",
    [
        {"shuffle": True},
        {"shuffle": False, "drop_last": True},
        {"batch_size": None},
        {"sampler": WeightedRandomSampler(torch.ones(9), 9)},
        {"sampler": RandomSampler(range(9), num_samples=4)},
        {"batch_sampler": BatchSampler(SequentialSampler(range(9)), 2, True), "batch_size": 1},
    ],
    ids=id_of,
)
def test_exact_takes_over_a_plain_loaders_arguments(options: dict[str, Any]):
    plain = DataLoader(Augmented(9), **({"batch_size": 2} | options))
    made = exact(plain)
    assert isinstance(made, ExactDataLoader)
    assert exact(made) is made
    assert len(made) == len(plain)
    assert [len(batch) for batch in made] == [len(batch) for batch in plain]
    ordered = "sampler" not in options and not options.get("shuffle")
    if ordered and options.get("batch_size", 2):
        assert indices(made) == indices(plain)


class Collating(DataLoader[Any]):
    def __init__(self, dataset: Any, **options: Any) -> None:
        super().__init__(dataset, collate_fn=len, **options)


class Twisting(DataLoader[Any]):
    def __iter__(self) -> Any:
        return reversed([*super().__iter__()])


def test_exact_takes_a_class_that_only_sets_arguments_and_refuses_others():
    assert list(exact(Collating(range(5), batch_size=2))) == [2, 2, 1]
    with pytest.raises(UsageError, match=r"Twisting .* __iter__"):
        exact(Twisting(range(5)))  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="list is no DataLoader"):
        exact([1, 2])
    with pytest.raises(UsageError, match="DataPipe"):
        exact(DataLoader(IterableWrapper(range(3))))


def test_batches_out_of_order_are_said_to_be_inexact():
    loose: Callable[..., ExactDataLoader] = loader
    assert "in_order" in (loose(num_workers=1, in_order=False).inexact or "")
    assert loose().inexact is None
