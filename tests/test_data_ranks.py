"""Several processes: every sample once, the same joined batches, and other numbers of processes."""

from __future__ import annotations

import contextlib
import multiprocessing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from data_helpers import WAIT, Augmented, Seekable, run
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import distributed
from torch.testing._internal.distributed.fake_pg import FakeStore
from torch.utils.data import (
    BatchSampler,
    DistributedSampler,
    RandomSampler,
    SequentialSampler,
    WeightedRandomSampler,
)

from thexp_pl.data import DataBundler, ExactDataLoader
from thexp_pl.errors import CheckpointError


@contextlib.contextmanager
def rank_of(rank: int, world: int) -> Iterator[None]:
    """Be one of several processes, for all that torch.distributed says."""
    distributed.init_process_group("fake", store=FakeStore(), rank=rank, world_size=world)
    try:
        yield
    finally:
        distributed.destroy_process_group()


def loader(size: int, batch: int, **options: Any) -> ExactDataLoader:
    options = {"batch_size": batch, "shuffle": True, "seed": 5, "seed_per_item": True} | options
    return ExactDataLoader(Augmented(size), **options)


def all_ranks(
    world: int, make: Any, state: Any = None, epochs: int = 1
) -> list[list[torch.Tensor]]:
    """The batches of each rank."""
    streams = []
    for rank in range(world):
        with rank_of(rank, world):
            own = make()
            if state is not None:
                own.load_state_dict(state)
            streams.append([batch for _ in range(epochs) for batch in own])
            assert len(own) * epochs == len(streams[-1]) or state is not None
    return streams


def joined(streams: list[list[torch.Tensor]]) -> list[list[list[float]]]:
    """Of all ranks together the rows of each batch, in the order of the epoch."""
    return [
        [
            rows[place].tolist()
            for place in range(max(map(len, ranks)))
            for rows in ranks
            if place < len(rows)
        ]
        for ranks in zip(*streams, strict=True)
    ]


@settings(max_examples=40)
@given(
    size=st.integers(1, 40),
    batch=st.integers(1, 5),
    world=st.integers(1, 4),
    drop_last=st.booleans(),
    data=st.data(),
)
def test_ranks_share_every_epoch_and_go_on_from_any_place(
    size: int, batch: int, world: int, drop_last: bool, data: st.DataObject
):
    def make() -> ExactDataLoader:
        return loader(size, batch, drop_last=drop_last)

    streams = all_ranks(world, make, epochs=2)
    assert len({len(stream) for stream in streams}) == 1
    epoch = len(streams[0]) // 2
    seen = [int(row[0]) for rows in joined(streams)[:epoch] for row in rows]
    if drop_last:
        assert len(seen) == len(set(seen)) == size // (world * batch) * world * batch
    else:
        assert set(seen) == set(range(size))
        assert len(seen) == -(-size // world) * world
    done = data.draw(st.integers(0, len(streams[0])))
    for rank in range(world):
        with rank_of(rank, world):
            first, second = make(), make()
            stream = (batch for _ in range(2) for batch in first)
            for _ in range(done):
                next(stream)
            second.load_state_dict(first.state_dict())
            rest = [batch for _ in range(second.state_dict()["epoch"], 2) for batch in second]
            assert [batch.tolist() for batch in rest] == [b.tolist() for b in streams[rank][done:]]


@pytest.mark.parametrize(
    "sampler",
    [None, WeightedRandomSampler(torch.arange(1, 33.0), 32), RandomSampler(range(32))],
    ids=["own order", "weighted", "random"],
)
@pytest.mark.parametrize(
    ("before", "after"), [((2, 4), (1, 8)), ((1, 8), (4, 2)), ((2, 4), (2, 2))]
)
def test_another_number_of_processes_goes_on_at_the_same_sample(
    before: tuple[int, int], after: tuple[int, int], sampler: Any
):
    def make(batch: int) -> ExactDataLoader:
        return loader(32, batch, sampler=sampler, shuffle=sampler is None)

    (world, batch), (other_world, other_batch) = before, after
    whole = [
        row for rows in joined(all_ranks(world, lambda: make(batch), epochs=2)) for row in rows
    ]
    with rank_of(0, world):
        first = make(batch)
        stream = iter(first)
        next(stream), next(stream)
        state = first.state_dict()
    assert state["samples"] == 16
    rest = joined(all_ranks(other_world, lambda: make(other_batch), state, epochs=2))
    assert [row for rows in rest for row in rows] == whole[16:]


def test_a_place_within_a_joined_batch_is_refused_with_a_way_out():
    with rank_of(0, 3):
        first = loader(32, 2)
        next(iter(first))
    resumed = loader(32, 4)
    resumed.load_state_dict(first.state_dict() | {"batches": 1})
    stream = iter(resumed)
    for _ in range(2):  # nor does another try go on somewhere else
        with pytest.raises(CheckpointError, match="divides 6"):
            next(stream)


def test_what_cannot_be_cut_anew_is_refused_for_another_number_of_processes():
    for options in (
        {"sampler": DistributedSampler(range(32), 2, 0), "shuffle": None},
        {"batch_sampler": BatchSampler(SequentialSampler(range(32)), 4, False), "shuffle": None},
    ):
        batch = 1 if "batch_sampler" in options else 4
        with rank_of(0, 2):
            first = loader(32, batch, **options)
            next(iter(first))
        resumed = loader(32, batch, **options)
        resumed.load_state_dict(first.state_dict())
        with pytest.raises(CheckpointError, match="saved by 2 processes, and there are 1"):
            next(iter(resumed))
    with rank_of(0, 2):
        stream = ExactDataLoader(Seekable(), batch_size=4)
        next(iter(stream))
    resumed = ExactDataLoader(Seekable(), batch_size=4)
    resumed.load_state_dict(stream.state_dict())
    with pytest.raises(CheckpointError, match="resume with 2"):
        next(iter(resumed))


def test_a_batch_sampler_is_dealt_out_a_batch_at_a_time():
    def make() -> ExactDataLoader:
        batches = BatchSampler(SequentialSampler(range(10)), 2, False)
        return ExactDataLoader(Augmented(10), batch_sampler=batches, seed=1)

    first, second = all_ranks(2, make)
    assert [batch[:, 0].tolist() for batch in first] == [[0, 1], [4, 5], [8, 9]]
    assert [batch[:, 0].tolist() for batch in second] == [[2, 3], [6, 7], [0, 1]]


def test_a_sampler_that_shares_by_itself_is_left_to_it():
    def make() -> ExactDataLoader:
        rank = distributed.get_rank()
        sampler = DistributedSampler(range(8), 2, rank, shuffle=False)
        return loader(8, 2, sampler=sampler, shuffle=None)

    first, second = all_ranks(2, make)
    assert [batch[:, 0].tolist() for batch in first] == [[0, 2], [4, 6]]
    assert [batch[:, 0].tolist() for batch in second] == [[1, 3], [5, 7]]


def test_ranks_draw_apart_unless_the_seed_is_one_per_item():
    first, second = all_ranks(2, lambda: loader(8, 2, seed_per_item=False))
    assert not {row[1] for b in first for row in b.tolist()} & {
        row[1] for b in second for row in b.tolist()
    }
    one = joined(all_ranks(2, lambda: loader(8, 2)))
    assert one == joined(all_ranks(1, lambda: loader(8, 4)))


def test_a_bundle_goes_on_with_another_number_of_processes():
    def make(batch: int) -> DataBundler:
        return DataBundler().cycle(loader(8, batch)).add(loader(32, batch)).zip_mode()

    with rank_of(0, 2):
        first = make(2)
        stream = iter(first)
        next(stream), next(stream), next(stream)
        state = first.state_dict()
    whole, _ = run(make(4))
    resumed = make(4)
    resumed.load_state_dict(state)
    assert [[row for part in batch for row in part.reshape(-1).tolist()] for batch in resumed] == (
        whole[3:8]
    )
    with pytest.raises(CheckpointError, match="epochs of 8 batches"):
        make(2).load_state_dict(state)


def _process(rank: int, folder: str) -> None:
    """A real process of two: its batches, and its state after the second."""
    torch.set_num_threads(1)
    store = f"file://{folder}/store"
    distributed.init_process_group("gloo", init_method=store, rank=rank, world_size=2)
    torch.manual_seed(100 + rank)  # seeds that differ: rank 0's is to be agreed on
    own = loader(32, 4, seed=None, num_workers=1)
    stream = iter(own)
    batches = [next(stream), next(stream)]
    state = own.state_dict()
    torch.save((batches + list(stream), state), f"{folder}/{rank}")
    distributed.destroy_process_group()


def test_two_real_processes_agree_on_a_seed_and_one_goes_on_for_them(tmp_path: Path):
    fork = multiprocessing.get_context("fork")
    processes = [fork.Process(target=_process, args=(rank, str(tmp_path))) for rank in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(WAIT)
        if process.is_alive():
            process.kill()
    assert [process.exitcode for process in processes] == [0, 0]
    streams, states = zip(*(torch.load(tmp_path / str(rank)) for rank in range(2)), strict=True)
    assert states[0] == states[1]
    assert states[0]["seed"] == 100
    resumed = loader(32, 8, seed=None)
    resumed.load_state_dict(states[1])
    assert [batch.tolist() for batch in resumed] == joined([list(s) for s in streams])[2:]
