"""Params from the command line: typing, switches, near misses, hostile words."""

from __future__ import annotations

import math
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thexp_pl import BaseParams, Params
from thexp_pl.errors import ParamNameError, ParamsError

Pair = namedtuple("Pair", "height width")


class Flags(Params):
    """Flags of every type.

    Args:
        amp: Train in half precision.
        optim.lr: The learning rate,
            of the optimizer.
    """

    def __init__(self) -> None:
        super().__init__()
        self.amp = False
        self.text = "sgd"
        self.topk = (1, 5)
        self.betas = [0.9, 0.999]
        self.words = ("a", "b")
        self.tags = {"a"}
        self.size = Pair(28, 28)
        self.root = Path("data")
        self.weights = {1: 0.5}
        self.step = np.int64(3)
        self.rates = np.array([0.5])
        self.clip = None
        self.choice("act", "relu", None, 1.5, True, (1, 2))
        self.arange("optim.lr", 0.1, 0, 1)
        self.optim.betas = (0.9, 0.999)


def read(*argv: str) -> Flags:
    return Flags().from_args(list(argv))


def flagged(*argv: str) -> Any:
    """Give the value that one flag set."""
    return read(*argv)[argv[0][2:].partition("=")[0]]


def refusal(act: Callable[[], object]) -> str | None:
    """Give the message of the ParamsError that an act ends in, or None where it succeeds."""
    try:
        act()
    except ParamsError as error:
        return str(error)
    return None


# -- typing ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flag", "expected"),
    [
        ("--epoch=400", 400),
        ("--epoch=-3", -3),
        ("--epoch=" + "9" * 400, int("9" * 400)),
        ("--optim.lr=1e-3", 0.001),
        ("--optim.lr=1", 1.0),
        ("--amp=yes", True),
        ("--amp=False", False),
        ("--text=1e-3", "1e-3"),
        ("--text=None", "None"),
        ("--text=", ""),
        ("--text=--x=y z", "--x=y z"),
        ("--text=学习率", "学习率"),
        ("--text='a'", "'a'"),
        ("--topk=(1, 2, 3)", (1, 2, 3)),
        ("--topk=[1]", (1,)),
        ("--topk=1,2", (1, 2)),
        ("--topk=7", (7,)),
        ("--topk=", ()),
        ("--betas=1,0.5", [1.0, 0.5]),
        ("--words=[x, y z]", ("x", "y z")),
        ("--words=001,1e3", ("001", "1e3")),
        ("--words=('x', 'y,z')", ("x", "y,z")),
        pytest.param("--tags=b,a,b", {"a", "b"}, id="a set"),
        ("--size=32,64", Pair(32, 64)),
        ("--root=a/b", Path("a/b")),
        ("--weights={2: 1}", {2: 1}),
        ("--step=4", 4),
        ("--rates=1,2", [1.0, 2.0]),
        ("--clip=None", None),
        ("--clip=-0.5", -0.5),
        ("--clip=(1, None)", (1, None)),
        ("--clip=inf", "inf"),  # no Python literal
        ("--act=None", None),
        ("--act=1.50", 1.5),
        ("--act=true", True),
        ("--act=[1,2]", (1, 2)),
        ("--device=cuda:1", "cuda:1"),
        ("--device=0", "0"),
        ("--new=1e-3", 0.001),
        ("--new=adam", "adam"),
        ("--new=b=c", "b=c"),
        ("--new=", ""),
        ("--new={'a b': 1}", {"a b": 1}),
        ("--new={[]: 1}", "{[]: 1}"),
        ("--new=" + "-" * 99_999 + "1", "-" * 99_999 + "1"),
        ("--new=" + "[" * 9_999, "[" * 9_999),
        ("--new.a.b.c=[1, (2,)]", [1, (2,)]),
        ("--学习率=0.1", 0.1),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_value_takes_the_type_of_its_parameter_and_a_new_one_that_of_a_literal(
    flag: str, expected: Any
):
    name, _, text = flag[2:].partition("=")
    for argv in [[flag]] + ([["--" + name, text]] if not text.startswith("--") else []):
        value = flagged(*argv)
        assert value == expected
        assert type(value) is type(expected)


def test_floats_without_end_are_read_where_a_float_is_expected():
    params = BaseParams()
    params.lr = 0.1
    assert params.from_args(["--lr=inf"]).lr == math.inf
    assert math.isnan(params.from_args(["--lr=nan"]).lr)


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--epoch=abc", "epoch: 'abc' is not an int as 10 is"),
        ("--epoch=0.5", "epoch: '0.5' is not an int .* a default of 10.0 would allow fractions"),
        ("--epoch=", "epoch: '' is not an int"),
        ("--epoch=" + "9" * 5000, r"epoch: '9{99}\.\.\. is not an int"),
        ("--optim.lr=small", "optim.lr: 'small' is not a float"),
        ("--optim.lr=2", r"optim.lr: 2.0 is out of bounds; it must be a number from 0 to 1"),
        ("--optim.lr=nan", "optim.lr: nan is out of bounds"),
        ("--step=abc", "step: 'abc' is not an int as 3 is"),
        ("--amp=maybe", "amp: 'maybe' is neither true nor false"),
        ("--topk=1,a", r"topk\[1\]: 'a' is not an int"),
        ("--betas=x", r"betas\[0\]: 'x' is not a float"),
        ("--tags=[[1]]", r"tags\[0\]: \[1\] is no text"),
        ("--size=1", "size: '1'"),
        ("--weights=3", "weights: '3' is no dict"),
        ("--act=rellu", "act: 'rellu' is not allowed; .*did you mean 'relu'"),
        ("--optim=5", "optim: 5 is no group of values; set optim.lr, optim.betas, or give a dict"),
        ("--optim={", "optim: '{' is no group"),
        ("--optim={'lr': 'x'}", "optim.lr: 'x' is not a float"),
        ("--optim={1: 2}", "cannot name a parameter"),
        ("--eidx=3", "--eidx is progress"),
        ("--eidx.x=3", "eidx.x: eidx is a single value"),
        ("--epoch.x=1", "epoch.x: epoch is a single value"),
        ("--epoch", "--epoch needs a value: --epoch=VALUE"),
        ("--optim", "--optim needs a value"),
        ("--device", "--device needs a value"),
        ("--=1", "'' cannot name"),
        ("--.=1", "'.' cannot name"),
        ("--a.=1", "'a.' cannot name"),
        ("--a..b=1", "'a..b' cannot name"),
        ("--__class__=1", "'__class__' cannot name"),
        ("--optim.__init__=1", "'optim.__init__' cannot name"),
        ("--_values=1", "'_values' cannot name"),
        ("--from_args=1", "Flags has a member of that name"),
        ("--optim.keys=1", "ParamsGroup has a member"),
        ("--op-tim=1", "'op-tim' cannot name .*did you mean 'optim'"),
        ("--a\n=1", r"'a\\n' cannot name"),
        ("--" + "a." * 9999 + "b=1", "more than 100 groups deep"),
        ('--optim={"x":' + '{"x":' * 9999, "optim: .* is no group"),
        ("--", "'--' is no flag; flags look like --name=value"),
        ("-e=1", "'-e=1' is no flag"),
        ("stray", "'stray' is no flag"),
    ],
    ids=lambda value: value[:20],
)
def test_a_wrong_flag_is_refused_in_one_line_and_nothing_is_set(
    flag: str, message: str, capsys: pytest.CaptureFixture[str]
):
    params = Flags()
    optim = params.optim
    with pytest.raises(ParamsError, match=message) as refused:
        params.from_args(["--text=new", "--optim.lr=0.5", "--epohc=1", flag])
    assert str(refused.value).isprintable()
    assert repr(params) == repr(Flags())
    assert (params.optim is optim, optim.lr) == (True, 0.1)
    assert capsys.readouterr().err == ""


@settings(deadline=None, max_examples=200)
@given(st.lists(st.text(max_size=8).map("--".__add__) | st.text(max_size=4), max_size=3))
def test_any_words_set_values_or_are_refused_with_a_params_error(argv: list[str]):
    params = Flags()
    before = repr(params)
    error = refusal(lambda: params.from_args(argv))
    if error is not None:
        assert "\n" not in error
        assert repr(params) == before
    else:
        assert set(Flags()) <= set(params)


@settings(deadline=None, max_examples=200)
@given(st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False))
def test_what_repr_writes_a_flag_reads(value: Any):
    params = BaseParams()
    assert params.from_args([f"--new={value!r}"]).new == value
    params.typed = value
    again = params.from_args([f"--typed={value!r}"]).typed
    assert (again, type(again)) == (value, type(value))


# -- switches, order, groups -----------------------------------------------------------------------


def test_a_switch_stands_alone_before_what_is_no_truth_value():
    assert read("--amp").amp is True
    assert read("--amp", "--epoch=3").amp is True
    assert read("--amp", "off").amp is False
    assert read("--clip").clip is True
    assert read("--fresh").fresh is True
    with pytest.raises(ParamsError, match="'5' is no flag"):
        read("--amp", "5")


def test_a_negative_number_may_follow_its_flag():
    assert read("--epoch", "-3", "--clip", "-1e-3").to_dict().items() >= {
        ("epoch", -3), ("clip", -0.001)
    }  # fmt: skip


def test_of_repeated_flags_the_last_one_counts():
    assert read("--epoch=1", "--epoch", "2").epoch == 2
    assert read("--optim={'lr': 0.2, 'wd': 1}", "--optim.lr=0.3").optim.lr == 0.3
    assert read("--optim.lr=0.3", "--optim={'lr': 0.2}").optim.lr == 0.2


def test_a_group_is_given_as_json_or_as_a_python_dict_and_merged():
    for text in ('{"lr": 0.2, "nest": {"a": null}}', "{'lr': 0.2, 'nest': {'a': None}}"):
        params = read(f"--optim={text}")
        assert params.optim == {"lr": 0.2, "betas": (0.9, 0.999), "nest": {"a": None}}
    assert read('--optim={"betas": [1, 0.5], "name": "1"}').optim.betas == (1.0, 0.5)
    assert read('--optim={"name": "1"}').optim.name == "1"
    fresh = BaseParams().from_args(["--optim={'lr': 1e-3}", "--optim.sched.gamma=2"])
    assert fresh.optim == {"lr": 0.001, "sched": {"gamma": 2}}


# -- near misses -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flag", "warning"),
    [
        ("--epohc=1", "warning: --epohc sets a new parameter; did you mean 'epoch'?\n"),
        ("--Epoch=1", "warning: --Epoch sets a new parameter; did you mean 'epoch'?\n"),
        ("--optm.lr=1", "warning: --optm.lr sets a new parameter; did you mean 'optim.lr'?\n"),
        ("--optim.beta=1", "warning: --optim.beta sets a new parameter; did you mean "
                           "'optim.betas'?\n"),
        ("--optim.x=1", ""),
        ("--edix=1", ""),  # eidx is progress: nobody means to set it
        ("--unlike=1", ""),
        ("--epoch=1", ""),
    ],
)  # fmt: skip
def test_a_new_name_is_reported_on_stderr_only_where_one_is_near(
    flag: str, warning: str, capsys: pytest.CaptureFixture[str]
):
    name = flag[2:].partition("=")[0]
    params = Flags()
    params.optim.lr  # noqa: B018 - reading changes nothing
    assert params.from_args([flag])[name] == 1
    captured = capsys.readouterr()
    assert (captured.err, captured.out) == (warning, "")


def test_locked_params_refuse_a_new_flag_with_the_near_miss():
    with pytest.raises(ParamNameError, match=r"'epohc'.* locked; did you mean 'epoch'\?"):
        Flags().lock().from_args(["--epohc=1"])
    with pytest.raises(ParamNameError, match=r"'optim\.beta'.*did you mean 'optim\.betas'\?"):
        Flags().lock().from_args(['--optim={"beta": 1}'])
    assert Flags().lock().from_args(["--epoch=1"]).epoch == 1
