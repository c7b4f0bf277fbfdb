"""DataBundler on several ranks: a share of every loader for each, and as many batches for all."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from data_helpers import WAIT, Augmented, Seekable, flat
from hypothesis import given, settings
from hypothesis import strategies as st
from test_data_ranks import rank_of
from torch import distributed
from torch.utils.data import DataLoader, DistributedSampler, IterableDataset

from thexp_pl.data import DataBundler, ExactDataLoader
from thexp_pl.errors import UsageError


class Numbers:
    """A custom iterable of batches, the same in every process."""

    def __init__(self, batches: int) -> None:
        self.batches = batches

    def __len__(self) -> int:
        return self.batches

    def __iter__(self) -> Iterator[torch.Tensor]:
        return (torch.tensor([[float(number)]]) for number in range(self.batches))


class Shared(IterableDataset[torch.Tensor]):
    """A stream that shares itself out."""

    shares_itself = True

    def __iter__(self) -> Iterator[torch.Tensor]:
        rank, world = distributed.get_rank(), distributed.get_world_size()
        return (torch.tensor([float(index)]) for index in range(rank, 8, world))


def loader(size: int, batch: int = 2, **options: Any) -> ExactDataLoader:
    options = {"batch_size": batch, "shuffle": True, "seed": 5, "seed_per_item": True} | options
    return ExactDataLoader(Augmented(size), **options)


def stream(size: int, **options: Any) -> ExactDataLoader:
    return ExactDataLoader(Seekable(size), batch_size=2, seed=1, **options)


# -- any bundle ----------------------------------------------------------------------------------

exact_loaders = st.builds(
    lambda size, batch, drop: lambda: loader(size, batch, drop_last=drop and size >= 4 * batch),
    st.integers(1, 30),
    st.integers(1, 4),
    st.booleans(),
)
streams = st.builds(
    lambda size, drop: (
        lambda: ExactDataLoader(Seekable(size), batch_size=2, drop_last=drop, seed=1)
    ),
    st.integers(9, 20),
    st.booleans(),
)
iterables = st.builds(lambda batches: lambda: Numbers(batches), st.integers(1, 9))


def bundles(children: st.SearchStrategy[Any], again: Any) -> st.SearchStrategy[Any]:
    def build(ended: list[Any], cycled: list[Any], zips: bool) -> Any:
        def make() -> DataBundler:
            bundler = DataBundler()
            for one in ended:
                bundler.add(one())
            for one in cycled if zips else ():
                bundler.cycle(one())
            return bundler.zip_mode() if zips else bundler

        return make

    several = st.lists(children, min_size=1, max_size=3)
    return st.builds(build, several, st.lists(again, max_size=2), st.booleans())


sized = exact_loaders | iterables
nested = sized | bundles(sized, sized)
any_bundle = bundles(nested | streams, nested | streams)


def flattened(batch: Any) -> list[float]:
    if isinstance(batch, tuple):
        return [number for part in batch for number in flattened(part)]
    return flat(batch)


def has_stream(bundler: DataBundler) -> bool:
    return any(
        isinstance(one, ExactDataLoader) and one.known_length() is None
        for one, _ in bundler.leaves()
    )


@settings(max_examples=60)
@given(make=any_bundle, world=st.integers(1, 4), data=st.data())
def test_all_ranks_get_as_many_batches_of_any_bundle_and_go_on_anywhere(
    make: Any, world: int, data: st.DataObject
) -> None:
    epochs = 2
    counts = set()
    for rank in range(world):
        with rank_of(rank, world):
            bundler = make().shared_out()
            batches, states = [], []
            for _ in range(epochs):
                for batch in bundler:
                    batches.append(flattened(batch))
                    states.append(bundler.state_dict())
            counts.add(len(batches))
            if not has_stream(bundler):
                assert len(batches) == epochs * len(bundler)
            if states and not bundler.inexact:
                state = data.draw(st.sampled_from(states))
                again = make().shared_out()
                again.load_state_dict(state)
                rest = [flattened(b) for _ in range(state["epoch"], epochs) for b in again]
                assert rest == batches[states.index(state) + 1 :]
    assert len(counts) == 1


# -- who gets what -------------------------------------------------------------------------------


def on_ranks(world: int, make: Any) -> list[list[Any]]:
    """The batches of each rank, as lists of the first numbers of their rows."""
    found = []
    for rank in range(world):
        with rank_of(rank, world):
            found.append([_firsts(batch) for batch in make()])
    return found


def _firsts(batch: Any) -> Any:
    if isinstance(batch, tuple):
        return tuple(_firsts(part) for part in batch)
    return [int(row[0]) for row in batch]


def test_side_by_side_each_rank_gets_its_share_of_both_loaders() -> None:
    def make() -> DataBundler:
        few, many = loader(4, 1, shuffle=False), loader(12, shuffle=False)
        return DataBundler().cycle(few).add(many).zip_mode()

    first, second = on_ranks(2, make)

    assert first == [([0], [0, 2]), ([2], [4, 6]), ([0], [8, 10])]
    assert second == [([1], [1, 3]), ([3], [5, 7]), ([1], [9, 11])]


def test_what_cannot_share_itself_is_dealt_out_a_batch_at_a_time() -> None:
    def make() -> DataBundler:
        return DataBundler().add(stream(9)).add(Numbers(3)).shared_out()

    # 5 batches and 3: the last ones of both ranks are the same
    first, second = on_ranks(2, make)

    assert first == [[0, 1], [4, 5], [8], [0], [2]]
    assert second == [[2, 3], [6, 7], [8], [1], [2]]


def test_a_stream_that_drops_its_last_batch_drops_an_incomplete_round_too() -> None:
    def make() -> DataBundler:
        return DataBundler().add(stream(7, drop_last=True)).shared_out()

    assert on_ranks(2, make) == [[[0, 1]], [[2, 3]]]


def test_without_other_processes_sharing_out_changes_nothing() -> None:
    bundler = DataBundler().add(Numbers(3)).add(loader(5, shuffle=False))
    before = [_firsts(batch) for batch in bundler]
    assert [_firsts(batch) for batch in bundler.shared_out()] == before
    assert bundler.len_list() == [3, 3]


def test_lengths_are_those_of_a_rank() -> None:
    with rank_of(1, 2):
        bundler = DataBundler().add(loader(9), "nine").add(Numbers(5), "five").shared_out()
        assert bundler.len_dict() == {"nine": 3, "five": 3}
        assert len(bundler.zip_mode()) == 3
        assert len(bundler.chain_mode()) == 6


def test_a_stream_that_says_it_shares_itself_is_left_to_do_so() -> None:
    def make() -> DataBundler:
        return DataBundler().add(DataLoader(Shared(), batch_size=2)).shared_out()

    assert on_ranks(2, make) == [[[0, 2], [4, 6]], [[1, 3], [5, 7]]]


def test_a_loader_of_a_class_of_its_own_is_refused_unless_it_has_a_distributed_sampler() -> None:
    class Own(DataLoader[Any]):
        def batches_of_mine(self) -> None:
            pass

    with pytest.raises(UsageError, match=r"'mine', a Own, .* derive it from .*ExactDataLoader"):
        DataBundler().add(Own(Augmented(4)), "mine").shared_out()
    sampler: Any = DistributedSampler(Augmented(4), 2, 1, shuffle=False)
    bundler = DataBundler().add(Own(Augmented(4), sampler=sampler)).shared_out()
    assert [_firsts(batch) for batch in bundler] == [[1], [3]]


# -- real processes ------------------------------------------------------------------------------


def _process(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    store = f"file://{folder}/store"
    distributed.init_process_group("gloo", init_method=store, rank=rank, world_size=2)
    torch.manual_seed(100 + rank)  # one seed is to be agreed on
    few = ExactDataLoader(Augmented(5), batch_size=1, shuffle=True)
    many = stream(22, num_workers=1)
    bundler = DataBundler().cycle(few).add(many).zip_mode().shared_out()
    torch.save([_firsts(batch) for batch in bundler], f"{folder}/{rank}")
    distributed.destroy_process_group()


def test_two_real_processes_share_a_cycled_loader_and_a_stream(tmp_path: Path) -> None:
    fork = multiprocessing.get_context("fork")
    processes = [fork.Process(target=_process, args=(rank, str(tmp_path))) for rank in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(WAIT)
        if process.is_alive():
            process.kill()
    assert [process.exitcode for process in processes] == [0, 0]
    first, second = (torch.load(tmp_path / str(rank)) for rank in range(2))
    assert len(first) == len(second) == 6
    assert [a + b for (_, a), (_, b) in zip(first, second, strict=True)][:5] == [
        [*range(4 * number, 4 * number + 4)] for number in range(5)
    ]
    seen = [
        index for (few, _), (more, _) in zip(first, second, strict=True) for index in few + more
    ]
    assert set(seen[:6]) == set(range(5)), "an epoch of the cycled one, its first sample twice"
