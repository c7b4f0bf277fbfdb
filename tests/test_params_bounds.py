"""Params: what may be assigned: intervals, choices, and the lock."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from thexp_pl import BaseParams, Params
from thexp_pl.errors import BoundCheckError, ParamNameError, ParamsError


def with_optim() -> Params:
    params = Params()
    params.arange("optim.lr", 0.1, 0, 1)
    params.optim.moment = 0.9
    return params


def test_arange_and_choice_return_and_set_their_default():
    params = BaseParams()
    assert params.arange("lr", 0.1, 0, 1) == params.lr == 0.1
    assert params.choice("act", "relu", "tanh") == params.act == "relu"
    params.lr, params.act = 1, "tanh"
    assert (params.lr, params.act) == (1, "tanh")


@pytest.mark.parametrize(
    "value", [-1e-9, 1.1, math.nan, math.inf, "0.5", True, None, [0.5], 10**400, {"x": 1}, 1j,
              torch.tensor(2.0), torch.ones(2), np.array([0.1, 0.2])],
    ids=str,
)  # fmt: skip
def test_arange_refuses_what_is_no_number_within_it(value: object):
    params = with_optim()
    for assign in (
        lambda: setattr(params.optim, "lr", value),
        lambda: params.__setitem__("optim.lr", value),
        lambda: params.update({"optim": {"lr": value}}),
        lambda: setattr(params, "optim", {"lr": value, "moment": 1}),
        lambda: params.optim_option(lr=value),
    ):
        with pytest.raises(BoundCheckError, match=r"^optim\.lr: .*a number from 0 to 1"):
            assign()
        assert params.optim == {"lr": 0.1, "moment": 0.9}


@pytest.mark.parametrize("value", [0, 1, 0.5, Fraction(1, 2), np.float32(1), torch.tensor(0.5)])
def test_arange_takes_every_kind_of_number(value: object):
    params = with_optim()
    params.optim.lr = value
    assert params.optim.lr is value


@settings(deadline=None, max_examples=100)
@given(st.floats(allow_nan=True), st.floats(-10, 10), st.floats(-10, 10))
def test_arange_holds_exactly_what_lies_between(value: float, one: float, other: float):
    params = BaseParams()
    left, right = sorted((one, other))
    params.arange("x", left, left, right)
    if left <= value <= right:
        params.x = value
        assert params.x == value
    else:
        with pytest.raises(BoundCheckError):
            params.x = value
        assert params.x == left


def test_choice_refuses_all_else_with_the_near_miss():
    params = BaseParams()
    params.choice("act", "relu", "tanh")
    params.choice("size", 1, (2, 3), None)
    with pytest.raises(BoundCheckError, match=r"one of 'relu', 'tanh'; did you mean 'relu'\?"):
        params.act = "rellu"
    for refused in (True, "1", 2, (3, 2)):
        with pytest.raises(BoundCheckError):
            params.size = refused
    for taken in (None, [2, 3], 1.0, np.int64(1)):
        params.size = taken
        assert params.size is taken


@pytest.mark.parametrize(("left", "right"), [(1, 0), (math.nan, 1), (0, math.nan), ("0", "1")])
def test_an_empty_range_or_choice_is_refused(left: float, right: float):
    with pytest.raises(ParamsError, match="holds no number"):
        BaseParams().arange("lr", 0.5, left, right)
    with pytest.raises(ParamsError, match="at least one value"):
        BaseParams().choice("act")


def test_a_default_out_of_its_own_bounds_declares_nothing():
    params = BaseParams()
    with pytest.raises(BoundCheckError, match=r"^optim\.lr: 2 is out of bounds"):
        params.arange("optim.lr", 2, 0, 1)
    assert len(params) == 0
    params.optim = {"lr": 2}


def test_bounds_declared_on_a_group_are_those_of_its_dotted_names():
    params = BaseParams()
    params.optim = {"name": "sgd"}
    params.optim.arange("lr", 0.1, 0, 1)
    params.optim.choice("sched.kind", "cos", "step")
    assert str(params.bound("optim.lr")) == "a number from 0 to 1"
    assert params.optim.bound("lr") == params.bound("optim.lr")
    with pytest.raises(BoundCheckError, match=r"^optim\.sched\.kind: 'con'"):
        params["optim.sched.kind"] = "con"


def test_bounds_outlive_a_dict_assigned_over_their_group_at_any_depth():
    params = BaseParams()
    params.arange("optim.sched.gamma", 0.5, 0, 1)
    params.optim = {"sched": {"gamma": 0.25}}
    params.optim = None
    params.optim = {"name": "sgd"}
    for refused in ({"sched": {"gamma": 2}}, {"name": "adam", "sched.gamma": 2}):
        with pytest.raises(BoundCheckError, match=r"^optim\.sched\.gamma: 2"):
            params.update(optim=refused)
    with pytest.raises(BoundCheckError):
        params.optim = {"name": "adam", "sched": {"gamma": 2}}
    assert params.to_dict() == {"optim": {"name": "sgd"}}


def test_a_name_declared_again_takes_the_new_bounds():
    params = BaseParams()
    params.arange("lr", 0.1, 0, 1)
    params.arange("lr", 5, 1, 10)
    with pytest.raises(BoundCheckError):
        params.arange("lr", 20, 1, 10)
    with pytest.raises(BoundCheckError, match="from 1 to 10"):
        params.lr = 0.1


def test_a_declaration_that_fails_leaves_the_former_bounds():
    params = with_optim()
    params.optim = None
    with pytest.raises(ParamsError, match="optim is a single value"):
        params.arange("optim.lr", 5, 1, 10)
    params.optim = {"lr": 0.5}
    with pytest.raises(BoundCheckError, match="from 0 to 1"):
        params.optim.lr = 5


# -- the lock --------------------------------------------------------------------------------------


def test_locked_params_refuse_new_names_everywhere_and_take_new_values():
    params = with_optim().lock()
    params.epoch, params.optim.lr, params.optim = 3, 0.2, {"lr": 0.3, "moment": 0.5}
    for refused in (
        lambda: setattr(params, "epch", 1),
        lambda: setattr(params.optim, "momnt", 1),
        lambda: params.__setitem__("optim.new", 1),
        lambda: params.update({"epoch": 5, "optim": {"new": 1}}),
        lambda: setattr(params, "optim", {"lr": 0.1, "new": 1}),
        lambda: params.arange("new", 1, 0, 2),
        lambda: params.copy().__setitem__("new", 1),
        lambda: params.from_args(["--epoch=6", "--new=1"]),
    ):
        with pytest.raises(ParamNameError, match="the names are locked"):
            refused()
    assert (params.epoch, params.optim) == (3, {"lr": 0.3, "moment": 0.5})
    with pytest.raises(AttributeError, match=r"'epch', .*; did you mean 'epoch'\?"):
        params.epch = 1
    with pytest.raises(BoundCheckError):
        params.optim.lr = 2
