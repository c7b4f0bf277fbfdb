"""Params: copies, pickling, equality and the hash."""

from __future__ import annotations

import copy
import enum
import hashlib
import math
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from thexp_pl import BaseParams, Params
from thexp_pl.errors import BoundCheckError, ParamNameError, ParamsError
from thexp_pl.params.plain import to_plain

SCALARS = (
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats(width=16) | st.sampled_from("1a ")
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.sampled_from(["a", "b", "c d"]), inner, max_size=3)
        | st.dictionaries(st.integers(0, 2) | st.sampled_from("012"), inner, max_size=3)
    ),
    max_leaves=5,
)


class Level(enum.IntEnum):
    LOW = 1


class Own(Params):
    def __init__(self) -> None:
        super().__init__()
        self.arange("optim.lr", 0.1, 0, 1)
        self.choice("act", "relu", "tanh")
        self.sizes = [1, 2]


def run_python(code: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


# -- copies ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "twin_of",
    [
        lambda params: params.copy(),
        copy.copy,
        copy.deepcopy,
        *(
            lambda params, protocol=protocol: pickle.loads(pickle.dumps(params, protocol))
            for protocol in range(pickle.HIGHEST_PROTOCOL + 1)
        ),
    ],
)
def test_a_copy_has_values_bounds_lock_and_name_of_its_own(twin_of: Any):
    params = Own()
    params.build_exp_name("own", "optim.lr")
    params.lock()
    twin = twin_of(params)
    assert type(twin) is Own
    assert twin == params
    assert twin.hash() == params.hash()
    assert repr(twin) == repr(params)
    twin.sizes.append(3)
    twin.optim.lr = 0.5
    assert (params.sizes, params.optim.lr) == ([1, 2], 0.1)
    assert (twin.get_exp_name(), params.get_exp_name()) == ("own_optim.lr=0.5", "own_optim.lr=0.1")
    with pytest.raises(BoundCheckError, match=r"^optim\.lr: 2 "):
        twin.optim.lr = 2
    with pytest.raises(BoundCheckError):
        twin.act = "cos"
    with pytest.raises(ParamNameError):
        twin.optim.new = 1
    twin.optim.arange("lr", 0.5, 0, 9)
    assert str(params.bound("optim.lr")) == "a number from 0 to 1"


def test_a_group_can_be_copied_and_pickled_alone():
    for twin in (Own().optim.copy(), pickle.loads(pickle.dumps(Own().optim))):
        assert twin == {"lr": 0.1}
        with pytest.raises(BoundCheckError):
            twin.lr = 2


def test_params_whose_class_takes_arguments_are_copied_without_them():
    class Sized(BaseParams):
        def __init__(self, size: int) -> None:
            super().__init__()
            self.size = size

    assert Sized(3).copy().size == 3
    assert Sized(3).grid_search("size", [4])[0].size == 4


# -- equality and hash -----------------------------------------------------------------------------


def test_progress_counts_neither_for_equality_nor_for_the_hash():
    one, other = Params(), Params()
    other.eidx, other.idx, other.global_step = 7, 8, 9
    assert one == other
    assert one.hash() == other.hash()
    assert "eidx" not in one.settings()
    other.epoch = 11
    assert one != other
    assert one.hash() != other.hash()


def test_only_params_and_groups_are_equal_to_params():
    assert Params() != 3
    assert Params() != Params().to_dict()
    with pytest.raises(TypeError, match="unhashable"):
        {Params()}


@settings(deadline=None, max_examples=300)
@given(*[st.dictionaries(st.sampled_from("xy"), VALUES, max_size=2)] * 2)
def test_two_params_have_the_same_hash_exactly_if_they_are_equal(first: Any, second: Any):
    one, other = BaseParams().update(first), BaseParams().update(second)
    assert (one == other) is (one.hash() == other.hash())
    assert one == one.copy()
    assert one == BaseParams().update(dict(reversed(first.items())))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, 1.0),
        ((1, 2), [1, 2]),
        (float("nan"), float("nan")),
        (0.0, -0.0),
        ({2, 10.0}, {10, 2.0}),
        ({12, 10**22}, {12, 1e22}),
        (Path("a/b"), "a/b"),
        (np.float64(0.1), 0.1),
        (np.int32(3), 3),
        (np.bool_(True), True),
        (np.str_("a"), "a"),
        (np.arange(3), [0, 1, 2]),
        (torch.tensor(2), 2),
        (torch.ones(2, 1, requires_grad=True), [[1], [1]]),
        (torch.device("cpu"), "cpu"),
        (torch.float32, "torch.float32"),
        (torch.Size([1, 2]), [1, 2]),
        (Level.LOW, 1),
    ],
)
def test_values_of_other_libraries_and_types_are_equal_to_their_plain_form(one: Any, other: Any):
    first, second = BaseParams(), BaseParams()
    first.x, second.x = {"y": one}, {"y": other}
    first.rows, second.rows = [(one,)], [[other]]
    assert first == second
    assert first.hash() == second.hash()


@pytest.mark.parametrize(
    ("one", "other"),
    [(True, 1), ("1", 1), (None, "None"), ({"1": 0}, {1: 0}), ({True: 0}, {1: 0}), ([1], 1),
     (math.nan, "nan"), (math.inf, -math.inf), ([], {}), (np.ones(2), np.ones(3))],
)  # fmt: skip
def test_values_that_differ_make_params_and_hashes_differ(one: Any, other: Any):
    first, second = BaseParams(), BaseParams()
    first.x, second.x = one, other
    assert first != second
    assert first.hash() != second.hash()


@pytest.mark.parametrize(
    "value",
    [object(), torch.nn.ReLU(), 1j, np.complex64(1), print, np.float32, {(1, 2): 3}, {1, object()},
     torch.ones(2, 2).to_sparse(), 10**5000],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_a_value_without_a_plain_form_is_refused_by_name_but_compared(value: Any):
    params = BaseParams()
    params.model = {"layers": [1, value]}
    other = BaseParams().update(params)
    other.model.layers = [1, "another"]
    assert params == BaseParams().update(params)
    assert params != other
    for refuse in (params.hash, params.to_yaml):
        with pytest.raises(ParamsError, match=r"^model\.layers\[1\]: "):
            refuse()


def test_the_plain_form_of_a_dict_names_the_value_that_has_none():
    with pytest.raises(ParamsError, match=r"^model\[3\]\.act: a ReLU has no plain form"):
        to_plain({"model": {3: {"act": torch.nn.ReLU()}}})


def test_a_value_inside_itself_is_refused_by_name():
    loop: list[Any] = []
    loop.append(loop)
    params = BaseParams()
    params.loop = loop
    for refuse in (params.hash, params.to_yaml):
        with pytest.raises(ParamsError, match=r"^loop: nested too deep, or inside itself"):
            refuse()


def test_the_hash_is_the_same_in_every_process_and_for_every_order():
    code = (
        "from thexp_pl import BaseParams\n"
        "p = BaseParams()\n"
        "for name in {names}: p[name] = {{'b', 'a', 'c', 'd'}} if name == 's' else name\n"
        "print(p.hash())"
    )
    forwards = code.format(names=["s", "x", "g.y", "g.z"])
    backwards = code.format(names=["g.z", "g.y", "x", "s"])
    hashes = {run_python(forwards, PYTHONHASHSEED=seed) for seed in "01"}
    hashes.add(run_python(backwards, PYTHONHASHSEED="2"))
    assert len(hashes) == 1
    assert len(hashes.pop()) == 16


def test_the_hash_is_that_of_the_settings_as_json():
    params = Own()
    params.device = "cpu"
    params.update(amp=True, wd=2.0)
    text = (
        r'{"dict":{"\"act\"":"relu","\"amp\"":{"bool":true},"\"device\"":"cpu","\"epoch\"":10,'
        r'"\"optim\"":{"dict":{"\"lr\"":0.1}},"\"sizes\"":[1,2],"\"wd\"":2}}'
    )
    assert params.hash() == hashlib.sha256(text.encode()).hexdigest()[:16]
