"""Params: how values are set, read and grouped."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from thexp_pl import BaseParams, Params
from thexp_pl.errors import BoundCheckError, ParamNameError, ParamsError

NAMES = st.sampled_from(["lr", "epoch", "batch_size", "Größe", "学习率", "x1"])


def with_optim() -> Params:
    params = Params()
    params.arange("optim.lr", 0.1, 0, 1)
    params.optim.moment = 0.9
    return params


# -- access ------------------------------------------------------------------------------------


def test_a_value_is_reached_by_attribute_item_and_dotted_name():
    params = BaseParams()
    params.optim = {"lr": 0.1, "sched": {"gamma": 0.5}}
    params["batch_size"] = 25
    params["optim.sched.steps"] = [1, 2]
    assert params.batch_size == 25
    assert params.optim.sched.gamma == params["optim"]["sched"]["gamma"] == 0.5
    assert params.optim["sched.steps"] is params["optim.sched.steps"]
    assert list(params) == list(params.keys()) == ["optim", "batch_size"]
    assert dict(params.items())["batch_size"] == 25
    assert len(params) == 2


@pytest.mark.parametrize(
    ("name", "is_there"),
    [
        ("optim", True),
        ("optim.lr", True),
        ("optim.", False),
        (".optim", False),
        ("optim..lr", False),
        ("optim.lr.x", False),
        ("lr", False),
        ("", False),
        (3, False),
    ],
)
def test_in_knows_dotted_names(name: object, is_there: bool):
    params = with_optim()
    assert (name in params) is is_there
    assert params.get(name, "nothing") != "nothing" if is_there else True
    if not is_there:
        assert params.get(name, "nothing") == "nothing"
        with pytest.raises(ParamNameError):
            params[name]
        with pytest.raises(ParamNameError):
            del params[str(name)]


def test_a_missing_name_is_an_attribute_error_and_a_key_error_with_the_near_miss():
    params = with_optim()
    assert not hasattr(params, "lr")
    assert getattr(params, "lr", 7) == 7
    with pytest.raises(
        AttributeError, match=r"no parameter 'epch' in Params; did you mean 'epoch'"
    ):
        _ = params.epch
    with pytest.raises(KeyError, match=r"'momnt' in optim; did you mean 'optim.moment'"):
        params["optim.momnt"]
    with pytest.raises(ParamNameError, match=r"'optm.lr' in Params; did you mean 'optim.lr'"):
        params["optm.lr"]
    with pytest.raises(ParamNameError) as unlike:
        _ = params.optim.xyz
    assert "did you mean" not in str(unlike.value)


def test_names_are_completed_by_dir():
    params = with_optim()
    assert {"epoch", "optim", "from_args"} <= set(dir(params))
    assert {"lr", "moment", "arange"} <= set(dir(params.optim))


def test_a_group_unpacks_and_compares_like_a_dict():
    params = with_optim()
    assert dict(**params.optim) == dict(params.optim) == {"lr": 0.1, "moment": 0.9}
    assert params.optim == {"moment": 0.9, "lr": 0.1}
    assert params.optim != {"lr": 0.1}
    model = torch.nn.Linear(1, 1)
    params.optim_option(lr=0.01, momentum=0.9)
    assert torch.optim.SGD(model.parameters(), **params.optim).defaults["momentum"] == 0.9


def test_optim_option_sets_and_returns_the_group_in_both_forms_of_the_readme():
    params = BaseParams()
    assert params.optim_option(lr=0.009, moment=0.9) is params.optim
    params.optim = params.optim_option(lr=0.01)
    assert params.to_dict() == {"optim": {"lr": 0.01}}


def test_what_is_stored_is_what_is_read():
    params = BaseParams()
    model = torch.nn.Linear(1, 1)
    params.model = model
    params.weights = {1: 0.5, "guinea pig": 2.0}  # data, not a group: its keys are no names
    params.update(other=1)
    params.from_args(["--another=2"])
    assert params.model is model
    assert params.weights == {1: 0.5, "guinea pig": 2.0}
    assert params.to_dict()["model"] is model


def test_a_group_assigned_to_another_name_is_copied():
    params = with_optim()
    params.second = params.optim
    params.second.lr = 5
    assert params.optim.lr == 0.1


@pytest.mark.parametrize(
    "name",
    ["_x", "__class__", "a b", "1a", "a-b", "", ".", "a.", ".a", "a..b", "copy", "hash", "lambda",
     "optim.copy", "optim._x", "optim.a b", "名 字", 3, None],
)  # fmt: skip
def test_a_name_that_could_not_be_read_back_is_refused(name: object):
    params = with_optim()
    before = params.copy()
    with pytest.raises(ParamsError, match="cannot name a parameter"):
        params[name] = 1
    with pytest.raises(ParamsError, match="cannot name a parameter"):
        params.update({"good": 1, name: 1})
    assert params == before


def test_a_single_value_is_not_turned_into_a_group_by_a_dotted_name():
    params = with_optim()
    with pytest.raises(ParamsError, match=r"optim\.lr\.x: optim\.lr is a single value"):
        params["optim.lr.x"] = 1
    assert params.optim.lr == 0.1


def test_groups_nest_a_hundred_deep_and_no_deeper():
    params = BaseParams()
    params[".".join(["a"] * 100)] = 1
    assert repr(params.copy()).count("'a'") == 100
    with pytest.raises(ParamsError, match="more than 100 groups deep"):
        params[".".join(["b"] * 5000)] = 1
    assert "b" not in params
    inside_itself: dict[str, object] = {}
    inside_itself["x"] = inside_itself
    with pytest.raises(ParamsError, match="deep"):
        params.c = inside_itself


# -- the printed form ----------------------------------------------------------------------------


def test_repr_is_that_of_the_readme():
    params = Params()
    params.device = "cpu"
    params.batch_size = 25
    assert repr(params) == (
        "Params[('epoch', 10),\n ('eidx', 1),\n ('idx', 0),\n ('global_step', 0),\n"
        " ('device', 'cpu'),\n ('batch_size', 25)]"
    )
    assert repr(BaseParams()) == "BaseParams[]"
    assert repr(with_optim().optim) == "{'lr': 0.1, 'moment': 0.9}"


# -- deletion and update ---------------------------------------------------------------------------


def test_a_deleted_name_is_gone_with_its_bounds_and_can_be_declared_anew():
    params = with_optim()
    del params.optim.lr
    assert "optim.lr" not in params
    params.arange("optim.lr", 5, 1, 10)
    with pytest.raises(BoundCheckError, match="from 1 to 10"):
        params.optim.lr = 0.5
    del params["optim"]
    params.optim = {"lr": 0.5}
    assert params.optim.lr == 0.5


def test_update_merges_groups_keeps_the_group_object_and_is_all_or_nothing():
    params = with_optim()
    optim = params.optim
    params.update({"optim": {"moment": 0.8}, "optim.wd": 0}, epoch=3)
    assert params.optim is optim
    assert optim == {"lr": 0.1, "moment": 0.8, "wd": 0}
    assert params.epoch == 3
    with pytest.raises(BoundCheckError):
        params.update({"epoch": 4, "optim": {"moment": 0.7, "lr": 2}})
    assert (params.epoch, optim.moment, optim.lr) == (3, 0.8, 0.1)
    params.update(Params())
    assert params.epoch == 10


@settings(deadline=None, max_examples=60)
@given(st.dictionaries(NAMES, st.integers() | st.dictionaries(NAMES, st.integers())))
def test_what_update_sets_to_dict_gives_back(values: dict[str, object]):
    assert BaseParams().update(values).to_dict() == values
