"""ExactDataLoader over IterableDatasets: those that keep their state, can seek, or neither."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from data_helpers import (
    CountsOn,
    Seekable,
    StartsOver,
    assert_resumes_everywhere,
    drawn,
    flat,
    global_states,
    rest,
    run,
    worker_share,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader, IterableDataset

from thexp_pl.data import ExactDataLoader
from thexp_pl.errors import CheckpointError, UsageError

KINDS = [Seekable, CountsOn, StartsOver]


class Plain(IterableDataset[torch.Tensor]):
    def __iter__(self) -> Iterator[torch.Tensor]:
        return map(drawn, range(10))


class Uneven(Seekable):
    """Worker w has sizes[w] items; a single one has the first."""

    def __init__(self, sizes: tuple[int, ...]) -> None:
        super().__init__()
        self.sizes = sizes

    def __iter__(self) -> Iterator[torch.Tensor]:
        worker = worker_share()[0]
        for item in range(self.start, self.sizes[worker]):
            yield drawn(100 * worker + item)


def loader(dataset: Any, **options: Any) -> ExactDataLoader:
    return ExactDataLoader(dataset, **({"batch_size": 4, "seed": 5} | options))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "options", [{}, {"drop_last": True}, {"batch_size": None}, {"batch_size": 23}], ids=str
)
def test_a_resumed_stream_has_the_same_bits_after_every_batch(
    kind: Callable[[], Any], options: dict[str, Any]
):
    assert_resumes_everywhere(lambda: loader(kind(), **options), epochs=3 if options else 2)


@pytest.mark.parametrize("kind", KINDS)
def test_a_last_full_batch_is_followed_by_the_next_epoch(kind: Callable[[int], Any]):
    assert_resumes_everywhere(lambda: loader(kind(24)), epochs=3)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("persistent", [False, True])
def test_two_workers_go_on_at_the_right_one(kind: Callable[[int], Any], persistent: bool):
    def make() -> ExactDataLoader:
        return loader(kind(21), num_workers=2, persistent_workers=persistent)

    batches, states = run(make())
    for done in (1, 2, 5, 6, 7, 9):  # 6 batches an epoch, the last two incomplete
        assert rest(make(), states[done - 1]) == batches[done:]


def test_a_worker_and_the_main_process_have_the_same_single_copy():
    batches, states = run(loader(Seekable()))
    assert rest(loader(Seekable(), num_workers=1), states[2]) == batches[3:]
    batches, states = run(loader(Seekable(), num_workers=1))
    assert rest(loader(Seekable()), states[2]) == batches[3:]


def test_another_number_of_workers_is_refused_with_the_number_that_it_takes():
    _, states = run(loader(Seekable(), num_workers=2), epochs=1)
    resumed = loader(Seekable(), num_workers=1)
    resumed.load_state_dict(states[2])
    with pytest.raises(CheckpointError, match="num_workers=2"):
        next(iter(resumed))


def test_seeking_loads_nothing_that_comes_before():
    first = loader(Seekable())
    stream = iter(first)
    next(stream), next(stream)
    resumed = loader(Seekable())
    resumed.load_state_dict(first.state_dict())
    next(iter(resumed))
    assert resumed.dataset.loaded == [8, 9, 10, 11]


@pytest.mark.parametrize("kind", KINDS)
def test_ahead_gives_the_place_before_batches_that_were_fetched_but_not_used(
    kind: Callable[[], Any],
):
    batches, states = run(loader(kind()))
    fetched = loader(kind())
    stream = iter(fetched)
    for done in range(1, 6):
        next(stream)
        assert fetched.state_dict(ahead=1) == (states[done - 2] if done > 1 else _start(fetched))
    assert rest(loader(kind()), fetched.state_dict(ahead=1)) == batches[4:]
    assert rest(loader(kind()), fetched.state_dict(ahead=3)) == batches[2:]
    with pytest.raises(UsageError, match="ahead=9"):
        fetched.state_dict(ahead=9)


def _start(exact: ExactDataLoader) -> dict[str, Any]:
    """Batch 0 of epoch 0, whatever the dataset's state is worth there."""
    state = exact.state_dict(ahead=1)
    assert (state["epoch"], state["batches"], state["samples"]) == (0, 0, 0)
    return state


def test_a_place_at_the_end_of_an_epoch_is_the_next_one_once_the_end_is_known():
    exact = loader(Seekable())
    stream = iter(exact)
    for _ in range(6):
        next(stream)
    assert next(stream, None) is None
    assert (exact.state_dict()["epoch"], exact.state_dict()["batches"]) == (1, 0)
    assert exact.state_dict(ahead=1)["batches"] == 5


@settings(max_examples=8)
@given(sizes=st.tuples(*[st.integers(0, 9)] * 2), batch=st.integers(1, 3))
def test_exhausted_workers_leave_the_rotation_as_in_torch(sizes: tuple[int, int], batch: int):
    def order(stream: Any) -> list[list[int]]:
        return [[int(index) for index in found[:, 0]] for found in stream]

    plain = DataLoader(Uneven(sizes), batch_size=batch, num_workers=2)
    exact = loader(Uneven(sizes), batch_size=batch, num_workers=2)
    assert order(exact) == order(plain)


def test_one_that_can_do_neither_trains_as_ever_and_says_so():
    exact = loader(Plain())
    assert [batch[:, 0].tolist() for batch in exact] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert exact.inexact is not None
    assert "Plain" in exact.inexact
    assert "state_dict" in exact.inexact
    stream = iter(exact)
    next(stream)
    resumed = loader(Plain())
    resumed.load_state_dict(exact.state_dict())
    assert next(iter(resumed))[:, 0].tolist() == [0, 1, 2, 3]  # nothing is skipped
    assert [loader(kind()).inexact for kind in KINDS] == [None] * 3


def test_the_state_holds_plain_values_that_a_safe_load_takes(tmp_path: Any):
    exact = loader(CountsOn())
    next(iter(exact))
    torch.save(exact.state_dict(), tmp_path / "state")
    state = torch.load(tmp_path / "state", weights_only=True)
    assert state["copies"]["each"][0]["state"] == {"item": 4, "epochs": 0}


def test_a_state_of_another_kind_of_dataset_is_refused():
    for saved, now in ((CountsOn, Seekable), (Seekable, CountsOn)):
        _, states = run(loader(saved()), epochs=1)
        resumed = loader(now())
        resumed.load_state_dict(states[1])
        with pytest.raises(CheckpointError, match="state"):
            next(iter(resumed))


def test_the_global_generators_stay_as_if_nothing_was_drawn():
    before = global_states()
    for kind in KINDS:
        run(loader(kind()), epochs=1)
    assert global_states() == before


def test_an_epoch_left_in_the_middle_is_followed_by_a_whole_one():
    exact = loader(Seekable(), num_workers=2, persistent_workers=True)
    stream = iter(exact)
    next(stream), next(stream)
    again = [flat(batch) for batch in exact]
    expected = loader(Seekable(), num_workers=2)
    expected.set_epoch(1)
    assert again == [flat(batch) for batch in expected]


LIVING = [{}, {"num_workers": 2, "persistent_workers": True}]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("options", LIVING, ids=str)
def test_a_place_at_a_start_puts_back_what_was_read_ahead(
    kind: Callable[[], Any], options: dict[str, Any]
):
    first = loader(kind(), **options)
    made = first.state_dict()
    batches, _ = run(first, epochs=1)
    ended, epoch = first.state_dict(), len(batches)
    batches += run(first, epochs=2)[0]
    for start in (made, ended):
        resumed = loader(kind(), **options)
        for _ in range(2):
            resumed.load_state_dict(start)
            next(iter(resumed))  # as what makes an iterator that it then drops
        assert rest(resumed, start, epochs=3) == batches[start["epoch"] * epoch :]


@pytest.mark.parametrize("options", LIVING, ids=str)
def test_ahead_of_the_first_batch_is_the_state_that_the_epoch_before_ended_with(
    options: dict[str, Any],
):
    first = loader(CountsOn(), **options)
    run(first, epochs=1)
    stream = iter(first)
    batches = [flat(next(stream))]
    start = first.state_dict(ahead=1)
    assert (start["epoch"], start["batches"]) == (1, 0)
    batches += [flat(batch) for batch in stream]
    assert rest(loader(CountsOn(), **options), start) == batches


@pytest.mark.parametrize("options", LIVING, ids=str)
def test_the_same_epoch_named_again_begins_where_it_began(options: dict[str, Any]):
    named = loader(CountsOn(), **options)
    for epoch in (0, 1):
        named.set_epoch(epoch)
        next(iter(named))
        named.set_epoch(epoch)
        again = [flat(batch) for batch in named]
        assert again[0][0] == 1000 * epoch
        assert sum(map(len, again)) == 4 * 23


def test_what_is_done_to_a_dataset_between_two_epochs_stays():
    exact = loader(CountsOn())
    run(exact, epochs=1)
    exact.dataset.epochs = 7
    assert flat(next(iter(exact)))[0] == 7000


class Late(CountsOn):
    """Has no state before it has an iterator."""

    begun = False

    def __iter__(self) -> Iterator[torch.Tensor]:
        self.begun = True
        return super().__iter__()

    def state_dict(self) -> dict[str, Any]:
        if not self.begun:
            raise AttributeError("no iterator")
        return super().state_dict()


def test_a_start_that_the_dataset_could_not_tell_is_refused_once_it_has_moved():
    assert_resumes_everywhere(lambda: loader(Late()))
    late = loader(Late())
    start = late.state_dict()
    next(iter(late))
    late.load_state_dict(start)
    with pytest.raises(CheckpointError, match="Late has moved on"):
        next(iter(late))
