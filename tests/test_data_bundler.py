"""DataBundler: loaders side by side and in turn, and its place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from data_helpers import (
    Augmented,
    Seekable,
    assert_resumes_everywhere,
    flat,
    rest,
    run,
)
from torch.utils.data import DataLoader

from thexp_pl.data import DataBundler, ExactDataLoader, exact
from thexp_pl.errors import CheckpointError, UsageError


def loader(size: int, **options: Any) -> ExactDataLoader:
    options = {"batch_size": 2, "shuffle": True, "seed": size} | options
    return ExactDataLoader(Augmented(size), **options)


def plain(*numbers: int) -> DataLoader[Any]:
    return DataLoader(list(numbers), batch_size=2)  # type: ignore[arg-type]


def listed(bundler: Any) -> list[Any]:
    """Batches as lists of numbers, side by side as tuples of them."""
    return [
        tuple(part.tolist() for part in batch) if isinstance(batch, tuple) else batch.tolist()
        for batch in bundler
    ]


def zipped() -> DataBundler:
    return DataBundler().cycle(loader(5), "few").add(loader(15), "many").zip_mode()


def chained() -> DataBundler:
    return DataBundler.create_chain_bundler(loader(5), last=loader(4))


def nested() -> DataBundler:
    return DataBundler().cycle(chained()).add(loader(25)).zip_mode()


def with_stream() -> DataBundler:
    stream = ExactDataLoader(Seekable(13), batch_size=2, seed=1)
    return DataBundler().add(stream).cycle(chained()).zip_mode()


def two_streams() -> DataBundler:
    streams = [ExactDataLoader(Seekable(n), batch_size=2, seed=1) for n in (5, 6)]
    return DataBundler.create_chain_bundler(*streams)


@pytest.mark.parametrize("make", [zipped, chained, nested, with_stream, two_streams])
def test_a_resumed_bundle_has_the_same_bits_after_every_batch(make: Callable[[], DataBundler]):
    assert_resumes_everywhere(make, epochs=3)


@pytest.mark.parametrize("make", [zipped, chained, nested, with_stream])
def test_a_complete_epoch_of_a_bundle_is_the_next_ones_start(make: Callable[[], DataBundler]):
    _, states = run(make(), epochs=1)
    assert (states[-1]["epoch"], states[-1]["batches"]) == (1, 0)
    assert (states[-2]["epoch"], states[-2]["batches"]) == (0, len(states) - 1)


def test_a_bundle_of_loaders_with_workers_resumes_too():
    def make() -> DataBundler:
        few = loader(5, num_workers=1, persistent_workers=True)
        return DataBundler().cycle(few).add(loader(15)).zip_mode()

    batches, states = run(make())
    assert batches == run(zipped())[0]
    assert rest(make(), states[3]) == batches[4:]


def test_side_by_side_ends_with_the_shortest_and_cycled_loaders_do_not_count():
    few, many = plain(1, 2, 3), plain(10, 11, 12, 13, 14, 15)
    assert listed(DataBundler().add(few).add(many).zip_mode()) == [
        ([1, 2], [10, 11]),
        ([3], [12, 13]),
    ]
    bundler = DataBundler().cycle(few).add(many).zip_mode()
    assert listed(bundler) == [([1, 2], [10, 11]), ([3], [12, 13]), ([1, 2], [14, 15])]
    assert len(bundler) == 3


def test_in_turn_is_the_mode_it_begins_with_and_a_single_loader_gives_its_own_batches():
    few, many = plain(1, 2, 3), plain(10, 11)
    assert listed(DataBundler().add(few).add(many)) == [[1, 2], [3], [10, 11]]
    assert listed(DataBundler().add(few).zip_mode()) == [[1, 2], [3]]
    assert listed(DataBundler().add(few).add(many).zip_mode().chain_mode()) == [
        [1, 2],
        [3],
        [10, 11],
    ]


def test_a_cycled_loader_counts_epochs_of_its_own_and_repeats_no_order():
    few = loader(6)
    bundler = DataBundler().cycle(few).add(loader(16)).zip_mode()
    passes = [tuple(row[0] for batch in listed(bundler) for row in batch[0][:6]) for _ in range(3)]
    orders = [one[start : start + 6] for one in passes for start in (0, 6)]
    assert all(sorted(order) == [0, 1, 2, 3, 4, 5] for order in orders)
    assert len(set(orders)) == len(orders)


def test_a_cycled_loader_draws_augmentation_anew():
    bundler = DataBundler().cycle(loader(2, shuffle=False)).add(loader(6)).zip_mode()
    draws = {batch[0][0][1] for batch in listed(bundler)}
    assert len(draws) == 3


def test_lengths_and_names():
    bundler = DataBundler.create_zip_bundler(loader(5), many=loader(15))
    assert (len(bundler), bundler.len_list()) == (3, [3, 8])
    assert bundler.len_dict() == {"unnamed_0": 3, "many": 8}
    assert len(bundler.chain_mode()) == 11
    assert len(DataBundler().add(bundler).add(loader(4)).zip_mode()) == 2
    assert isinstance(bundler["many"], ExactDataLoader)
    with pytest.raises(UsageError, match="did you mean 'many'"):
        bundler["mny"]
    with pytest.raises(UsageError, match="'many' is in this bundler already"):
        bundler.add(loader(2), "many")
    with pytest.raises(UsageError, match="nothing to iterate"):
        bundler.add(3)  # type: ignore[arg-type]


def test_a_bundle_that_never_ends_or_begins_is_refused_before_the_first_batch():
    for bundler, word in (
        (DataBundler(), "without loaders"),
        (DataBundler().cycle(loader(4)).zip_mode(), "every loader"),
        (DataBundler().cycle(loader(4)).add(loader(4)), "chain"),
    ):
        with pytest.raises(UsageError, match=word):
            iter(bundler)
    empty = DataBundler().cycle(loader(0)).add(loader(4)).zip_mode()
    with pytest.raises(UsageError, match="no batch"):
        list(empty)


def test_batches_of_another_size_come_from_the_sample_it_stands_at():
    bundler = zipped()
    assert bundler.set_batch_size(4) is bundler
    assert [len(batch) // 4 for batch in map(flat, bundler["many"])] == [4, 4, 4, 3]
    outer = DataBundler().add(chained()).set_batch_size(1)
    assert outer.len_list() == [9]
    half = loader(8)
    one = DataBundler().add(half)
    stream = iter(one)
    seen = [row for _ in range(2) for row in next(stream)[:, 0].tolist()]
    one.set_batch_size(4)
    assert sorted(seen + next(iter(one["unnamed_0"]))[:, 0].tolist()) == list(range(8))
    with pytest.raises(UsageError, match="makes its own batches"):
        DataBundler().add(loader(4, batch_size=None), "single").set_batch_size(2)


def test_a_first_batch_can_be_had_without_moving_on():
    bundler = zipped()
    batches, _ = run(zipped(), epochs=1)
    assert flat(bundler.choice_batch()) == batches[0]
    stream = ExactDataLoader(Seekable(6), batch_size=2, seed=1)
    assert flat(DataBundler().add(stream).choice_batch())[0] == 0.0
    assert stream.dataset.loaded == []
    assert [flat(batch) for batch in bundler] == batches


def test_a_bundle_says_which_member_will_not_resume_exactly():
    bundler = DataBundler().add(loader(4), "good").add(plain(1, 2), "bad")
    assert bundler.inexact is not None
    assert bundler.inexact.startswith("bad: DataLoader keeps no place")
    converted = exact(bundler)
    assert converted.inexact is None
    assert converted["good"] is bundler["good"]
    assert listed(converted)[2:] == [[1, 2]]
    assert zipped().inexact is None


def test_another_epoch_than_the_loaded_one_begins_at_its_start():
    whole = zipped()
    epochs = [[flat(batch) for batch in whole] for _ in range(2)]
    _, states = run(zipped(), epochs=1)
    resumed = zipped()
    resumed.load_state_dict(states[2])
    resumed.set_epoch(1)
    assert [batch[8:] for batch in map(flat, resumed)] == [batch[8:] for batch in epochs[1]]


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"mode": "chain"}, "chain mode"),
        ({"members": {"few": None}}, "'few'"),
        ({"length": 3}, "epochs of 3 batches"),
        ({"at": 7}, "at=7"),
        ({"batches": None}, "batches=None"),
        ({"members": 3}, "no state of a DataBundler"),
    ],
    ids=str,
)
def test_a_state_of_another_bundle_or_a_damaged_one_is_refused(change: dict[str, Any], word: str):
    _, states = run(zipped(), epochs=1)
    with pytest.raises(CheckpointError, match=word):
        zipped().load_state_dict(states[2] | change)
    with pytest.raises(CheckpointError, match="no state of a DataBundler"):
        zipped().load_state_dict({})
