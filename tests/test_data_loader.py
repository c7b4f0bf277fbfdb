"""ExactDataLoader over datasets that are asked by index: the same bits from any batch on."""

from __future__ import annotations

import gc
import multiprocessing
import random
import time
from typing import Any

import numpy as np
import pytest
import torch
from data_helpers import (
    WAIT,
    Augmented,
    assert_resumes_everywhere,
    flat,
    global_states,
    id_of,
    indices,
    rest,
    run,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    RandomSampler,
    Sampler,
    WeightedRandomSampler,
    get_worker_info,
)

from thexp_pl.data import ExactDataLoader
from thexp_pl.errors import UsageError


def loader(size: int = 23, **options: Any) -> ExactDataLoader:
    options = {"batch_size": 4, "shuffle": True, "seed": 5} | options
    if options["batch_size"] == "own":
        del options["batch_size"]
    return ExactDataLoader(Augmented(size), **options)


class OwnGenerators(Sampler[int]):
    """Draws from a generator of its own, lazily, and from the global ones; never ends."""

    def __init__(self) -> None:
        self.numbers = np.random.default_rng()
        self.other = random.Random()

    def __iter__(self) -> Any:
        while True:
            yield (int(self.numbers.integers(23)) + self.other.randrange(23) + _global_draw()) % 23


def _global_draw() -> int:
    return int(torch.randint(23, ()).item()) + int(np.random.randint(23)) + random.randrange(23)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"shuffle": False},
        {"drop_last": True},
        {"seed_per_item": True},
        {"batch_size": None},
        {"batch_size": None, "seed_per_item": True},
        {"shuffle": None, "sampler": WeightedRandomSampler(torch.ones(23), 30)},
        {"shuffle": None, "sampler": RandomSampler(range(23), generator=torch.Generator())},
        {
            "shuffle": None,
            "batch_size": "own",
            "batch_sampler": BatchSampler(RandomSampler(range(23)), 4, False),
        },
    ],
    ids=id_of,
)
def test_a_resumed_stream_has_the_same_bits_after_every_batch(options: dict[str, Any]):
    assert_resumes_everywhere(lambda: loader(**options), epochs=3)


@pytest.mark.parametrize(
    ("before", "after"),
    [(0, 2), (2, 0), (1, 2)],
)
def test_the_stream_is_the_same_with_any_number_of_workers(before: int, after: int):
    batches, states = run(loader(num_workers=before))
    for done in (1, 5, 6, 9):
        assert rest(loader(num_workers=after), states[done - 1]) == batches[done:]


def test_persistent_workers_go_on_from_a_state_and_into_the_next_epoch():
    batches, states = run(loader(), epochs=3)
    staying = loader(num_workers=2, persistent_workers=True)
    assert rest(staying, states[2], epochs=3) == batches[3:]
    assert rest(staying, states[7], epochs=3) == batches[8:]  # the same workers, back again


def test_batches_before_the_place_are_not_loaded():
    first = loader()
    stream = iter(first)
    for _ in range(4):
        next(stream)
    resumed = loader()
    resumed.load_state_dict(first.state_dict())
    assert len(list(resumed)) == 2
    assert resumed.dataset.loaded == [int(i) for batch in stream for i in batch[:, 0]]


def test_iter_loads_nothing_and_the_place_is_read_at_the_first_next():
    batches, states = run(loader())
    resumed = loader()
    stream = iter(resumed)
    resumed.load_state_dict(states[2])
    assert resumed.dataset.loaded == []
    assert flat(next(stream)) == batches[3]


@pytest.mark.parametrize("workers", [0, 2])
def test_the_global_generators_stay_as_if_nothing_was_drawn(workers: int):
    before = global_states()
    for seed in (None, 3):
        run(loader(seed=seed, num_workers=workers), epochs=1)
        run(loader(seed=seed, shuffle=None, sampler=WeightedRandomSampler(torch.ones(23), 9)))
    assert global_states() == before


def test_an_infinite_sampler_with_generators_of_its_own_goes_on():
    def endless() -> ExactDataLoader:
        return loader(shuffle=None, sampler=OwnGenerators())

    first = endless()
    stream = iter(first)
    for _ in range(5):
        next(stream)
    resumed = endless()
    resumed.load_state_dict(first.state_dict())
    other = iter(resumed)
    assert [flat(next(other)) for _ in range(20)] == [flat(next(stream)) for _ in range(20)]
    with pytest.raises(TypeError):
        len(resumed)


@settings(max_examples=60)
@given(
    size=st.integers(0, 30),
    batch=st.integers(1, 7),
    drop_last=st.booleans(),
    data=st.data(),
)
def test_every_sample_comes_once_an_epoch_and_the_rest_follows_from_any_place(
    size: int, batch: int, drop_last: bool, data: st.DataObject
):
    def make() -> ExactDataLoader:
        return loader(size, batch_size=batch, drop_last=drop_last)

    whole = make()
    batches, states = run(whole, epochs=2)
    assert len(batches) == 2 * len(whole)
    seen = indices(whole)
    assert len(set(seen)) == len(seen) == (size // batch * batch if drop_last else size)
    if states:
        done = data.draw(st.integers(1, len(states)))
        assert rest(make(), states[done - 1]) == batches[done:]


def test_epochs_and_seeds_have_orders_of_their_own():
    one = loader()
    orders = [tuple(indices(one)) for _ in range(3)]
    other = tuple(indices(loader(seed=6)))
    assert len({*orders, other}) == 4
    items = {batch[0][1] for batch in (b.tolist() for b in loader(shuffle=False))}
    assert len(items) == 6  # a batch draws numbers of its own


def test_without_a_seed_the_one_of_torch_is_taken_at_the_first_batch_and_kept():
    torch.manual_seed(41)
    unseeded = loader(seed=None)
    torch.manual_seed(42)
    first = indices(unseeded)
    assert first == indices(loader(seed=42))
    torch.manual_seed(43)
    assert unseeded.state_dict()["seed"] == 42
    again = loader(seed=None)
    again.load_state_dict(unseeded.state_dict() | {"epoch": 0})
    assert indices(again) == first
    generator = torch.Generator().manual_seed(42)
    assert indices(loader(seed=None, generator=generator)) == first


def test_a_seed_per_item_is_one_of_its_place_whatever_the_batches():
    small = [row for b in loader(seed_per_item=True) for row in b.tolist()]
    large = [row for b in loader(batch_size=9, seed_per_item=True) for row in b.tolist()]
    assert small == large
    assert small != [row for b in loader() for row in b.tolist()]


def test_getitems_and_the_users_collate_fn_are_used():
    class Many(Augmented):
        def __getitems__(self, wanted: list[int]) -> list[int]:
            return [index * 10 for index in wanted]

    exact = ExactDataLoader(Many(4), batch_size=2, collate_fn=lambda items: ("mine", items))
    assert list(exact) == [("mine", [0, 10]), ("mine", [20, 30])]


def _mark(worker: int) -> None:
    info = get_worker_info()
    assert info is not None
    info.dataset.mark = worker + 1  # type: ignore[attr-defined]


class Marked(Augmented):
    mark = 0

    def __getitem__(self, index: int) -> Any:
        info = get_worker_info()
        assert info is not None
        assert info.dataset is self
        return torch.tensor([self.mark, info.num_workers])


def test_in_a_worker_the_users_dataset_is_the_one_that_worker_init_fn_finds():
    exact = ExactDataLoader(Marked(4), num_workers=2, worker_init_fn=_mark)
    assert [batch.tolist() for batch in exact] == [[[1, 2]], [[2, 2]]] * 2


class Broken(Augmented):
    def __getitem__(self, index: int) -> torch.Tensor:
        if index == 2:
            raise KeyError("the sample at fault")
        return torch.tensor([index])


@pytest.mark.parametrize("workers", [0, 2])
def test_an_exception_of_the_dataset_arrives_with_its_traceback(workers: int):
    before = global_states()
    stream = iter(ExactDataLoader(Broken(6), num_workers=workers))
    next(stream), next(stream)
    with pytest.raises(KeyError, match="the sample at fault") as raised:
        next(stream)
    assert "in __getitem__" in str(raised.value) or raised.traceback[-1].name == "__getitem__"
    assert next(stream).tolist() == [[3]]  # as torch's goes on
    assert global_states() == before


@pytest.mark.parametrize("persistent", [False, True])
def test_dropping_the_iterator_or_the_loader_ends_the_workers(persistent: bool):
    before = set(multiprocessing.active_children())
    gc.disable()  # the last reference alone is to do it
    try:
        exact = loader(num_workers=2, persistent_workers=persistent)
        stream = iter(exact)
        next(stream)
        workers = set(multiprocessing.active_children()) - before
        assert len(workers) == 2
        del stream
        if persistent:
            assert all(worker.is_alive() for worker in workers)
            del exact
        deadline = time.monotonic() + WAIT
        while any(worker.is_alive() for worker in workers) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not any(worker.is_alive() for worker in workers)
    finally:
        gc.enable()


def test_of_two_iterators_at_once_the_newest_says_the_place():
    exact = loader()
    first, second = iter(exact), iter(exact)
    next(first), next(second), next(second)
    next(first), next(first)
    assert (exact.state_dict()["epoch"], exact.state_dict()["batches"]) == (1, 2)


def test_arguments_that_cannot_be_meant_are_refused():
    for seed in (-1, 2**64, 1.5, "7", True):
        with pytest.raises(UsageError, match="whole number"):
            loader(seed=seed)
    with pytest.raises(ValueError, match="sampler"):
        loader(sampler=range(23))
    with pytest.raises(ValueError, match="drop_last"):
        loader(batch_size=None, drop_last=True)


def test_the_length_is_that_of_a_plain_loader_before_and_after_resuming():
    for options in ({}, {"drop_last": True}, {"batch_size": None}):
        plain = DataLoader(Augmented(), **{"batch_size": 4, **options})
        exact = loader(**options)
        assert len(exact) == len(plain)
        next(iter(exact))
        resumed = loader(**options)
        resumed.load_state_dict(exact.state_dict())
        assert len(resumed) == len(plain)
