"""What a Saver in the background copies: the state as it is at the call, and all of it."""

from __future__ import annotations

import collections
import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from thexp_pl import Saver
from thexp_pl.errors import CheckpointError


@pytest.fixture
def saver(tmp_path: Path) -> Saver:
    return Saver(tmp_path / "sav", background=True)


class Named(torch.Tensor):
    """A class of tensors."""


def a_named_tensor() -> torch.Tensor:
    tensor = torch.ones(3).as_subclass(Named)
    tensor.unit = "m"  # type: ignore[attr-defined]
    return tensor


def a_tensor_with_an_attribute() -> torch.Tensor:
    tensor = torch.ones(3)
    tensor.unit = "m"  # type: ignore[attr-defined]
    return tensor


BASE = torch.arange(100.0)
STATES: dict[str, Callable[[], Any]] = {
    "views": lambda: {"a": BASE, "slice": BASE[10:20], "turned": BASE.view(10, 10).t()},
    "shared": lambda: [BASE, BASE, BASE.view(10, 10)],
    "one part of a storage": lambda: BASE[3:5],
    "parameters": lambda: torch.nn.Linear(3, 3),
    "needing gradients": lambda: torch.ones(3, requires_grad=True),
    "a class of tensors": a_named_tensor,
    "an attribute": a_tensor_with_an_attribute,
    "dtypes": lambda: [torch.ones(3, dtype=d) for d in (torch.bfloat16, torch.int8, torch.bool)],
    "float8": lambda: torch.ones(3).to(torch.float8_e4m3fn),
    "complex": lambda: [torch.ones(3, dtype=torch.cfloat).conj(), torch.ones(1, 2).T],
    "negated": lambda: torch.ones(3, dtype=torch.cfloat).conj().imag,
    "sparse": lambda: torch.eye(3).to_sparse(),
    "meta": lambda: torch.empty(3, device="meta"),
    "none and one": lambda: [torch.empty(0), torch.empty(0, 3), torch.tensor(1)],
    "storages": lambda: [BASE.untyped_storage(), torch.ones(2).untyped_storage()],
    "plain": lambda: {"é": [1, 2.5, None, True, b"x", (1, {2}), 1 << 100], 3: float("nan")},
    "ordered": lambda: collections.OrderedDict(b=1, a=torch.ones(1)),
}


@pytest.mark.parametrize("name", STATES)
def test_the_file_is_byte_for_byte_what_the_foreground_writes(tmp_path: Path, name: str) -> None:
    state = STATES[name]()
    front = Saver(tmp_path / "front").save_checkpoint(0, state)
    with Saver(tmp_path / "back", background=True) as saver:
        for epoch in range(3):  # the first into new memory, then into memory used before
            path = saver.save_checkpoint(epoch, state)
            saver.flush()
            assert path.read_bytes() == front.read_bytes()


def test_arrays_keep_their_types_and_layouts(saver: Saver) -> None:
    arrays = [
        np.arange(5, dtype="i2"),
        np.asfortranarray(np.eye(3)),
        np.float64(0.1),
        np.eye(4)[1],
    ]
    saver.save_checkpoint(0, arrays)
    loaded = saver.load_checkpoint(0, weights_only=False)
    assert [(a.dtype, a.strides, a.tolist()) for a in loaded] == [
        (a.dtype, a.strides, a.tolist()) for a in arrays
    ]


def test_what_changes_after_the_call_is_not_in_the_file(saver: Saver) -> None:
    state = {"w": torch.zeros(100_000), "n": np.zeros(3), "plain": {"list": [1]}}
    for epoch in range(1, 6):  # more than wait at one time
        state["w"].fill_(epoch)
        state["n"].fill(epoch)
        state["plain"]["list"][0] = epoch
        saver.save_keypoint(epoch, state)
    state["w"].fill_(-1)
    for epoch in range(1, 6):
        loaded = saver.load_keypoint(epoch, weights_only=False)
        assert loaded["w"].eq(epoch).all()
        assert loaded["n"].tolist() == [epoch] * 3
        assert loaded["plain"] == {"list": [epoch]}


def test_what_shares_memory_still_does_after_loading(saver: Saver) -> None:
    saver.save_checkpoint(0, {"a": BASE, "b": BASE[:10]})
    loaded = saver.load_checkpoint(0)
    loaded["a"][0] = 7
    assert loaded["b"][0] == 7
    assert saver.checkpoint_path(0).stat().st_size < 2 * BASE.nbytes + 2000


def test_states_of_changing_shapes_follow_each_other(saver: Saver) -> None:
    def state(epoch: int) -> dict[str, torch.Tensor]:
        sizes = range(1 + epoch % 3, 5 - epoch % 2)
        return {str(i): torch.full((i * 100,), float(epoch + i)) for i in sizes}

    for epoch in range(12):
        saver.save_keypoint(epoch, state(epoch))
    for epoch in range(12):
        loaded, expected = saver.load_keypoint(epoch), state(epoch)
        assert loaded.keys() == expected.keys()
        assert all(torch.equal(loaded[key], value) for key, value in expected.items())


leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.text(max_size=5),
    st.floats(allow_nan=False),
    st.lists(st.integers(-9, 9), max_size=9).map(torch.tensor),
    st.builds(lambda a, b: BASE[min(a, b) : max(a, b)], st.integers(0, 100), st.integers(0, 100)),
)
states = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.text(max_size=3), inner, max_size=4),
        st.tuples(inner, inner),
    ),
    max_leaves=12,
)


def same(one: Any, other: Any) -> bool:
    if isinstance(one, torch.Tensor):
        return one.dtype == other.dtype and one.stride() == other.stride() and one.equal(other)
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and one == other


@settings(max_examples=60)
@given(st.lists(states, min_size=1, max_size=3))
def test_any_state_reads_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, given_states: list[Any]
) -> None:
    with Saver(tmp_path_factory.mktemp("any"), None, background=True) as saver:
        kept = copy.deepcopy(given_states)
        paths = [saver.save_checkpoint(0, state) for state in given_states]
        assert all(same(saver.load_checkpoint(p), s) for p, s in zip(paths, kept, strict=True))


def test_a_state_that_cannot_be_pickled_is_told_at_the_call_and_nothing_is_written(
    saver: Saver,
) -> None:
    saver.save_checkpoint(1, {"a": 1})
    with pytest.raises(CheckpointError, match=r"0000002\.ckpt: the state cannot be") as error:
        saver.save_checkpoint(2, {"a": torch.ones(10), "b": lambda: 0})
    assert "\n" not in str(error.value)
    saver.flush()
    assert [path.name for path in saver.find_checkpoints()] == ["0000001.ckpt"]
    saver.save_checkpoint(2, {"a": 2})
    assert saver.load_latest_checkpoint() == {"a": 2}


def refuse() -> None:
    raise ValueError("never again")


class Unloadable:
    """A value that can be pickled, but not made anew."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (refuse, ())


def test_a_state_that_could_never_be_loaded_is_an_error_of_its_save(saver: Saver) -> None:
    saver.save_checkpoint(1, {"a": 1})
    saver.save_checkpoint(2, {"a": Unloadable()})
    with pytest.raises(CheckpointError, match=r"0000002\.ckpt: never again"):
        saver.flush()
    assert saver.load_latest_checkpoint() == {"a": 1}


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_tensors_on_a_device_are_copied_before_they_change(saver: Saver) -> None:
    weights = torch.zeros(10_000_000, device="cuda")
    for epoch in range(4):
        weights.fill_(epoch)
        saver.save_keypoint(epoch, {"w": weights, "v": weights[5:9]})
    for epoch in range(4):
        loaded = saver.load_keypoint(epoch)
        assert loaded["w"].eq(epoch).all()
        assert loaded["v"].data_ptr() == loaded["w"][5:].data_ptr()
