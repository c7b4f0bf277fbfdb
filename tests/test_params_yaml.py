"""Params in YAML files: the round trip, the types, and files that are no such thing."""

from __future__ import annotations

import enum
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from thexp_pl import BaseParams, Params
from thexp_pl.errors import ParamNameError, ParamsError

TEXTS = st.text(max_size=8) | st.sampled_from(
    ["1e-3", "-.5E+9", "1_0", "0x1f", "1:30", "yes", "null", "~", "2026-11-22", "=", "<<", "- a",
     "a: b", "#x", "'", "\x85", "\ufeff", "\ud800", "@x", "%TAG", "\n", " a ", "!!str", "..."]
)  # fmt: skip
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from([1e-3, 1e22]) | TEXTS
)
PLAIN = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(TEXTS | st.integers() | st.booleans(), inner, max_size=3)
        | st.tuples(inner, inner)
    ),
    max_leaves=6,
)


class Level(enum.IntEnum):
    HIGH = 2


class Typed(Params):
    def __init__(self) -> None:
        super().__init__()
        self.amp = False
        self.lr = 0.1
        self.text = "sgd"
        self.topk = (1, 5)
        self.tags = frozenset({"a"})
        self.root = Path("data")
        self.clip = None
        self.choice("size", (1, 2), (2, 3), "all")
        self.arange("optim.wd", 1e-4, 0, 1)
        self.optim.betas = (0.9, 0.999)
        self.optim.sched = {"steps": [1, 2], "name": "cos"}


def written(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "params.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def refusal(act: Callable[[], object]) -> str | None:
    """Give the message of the ParamsError that an act ends in, or None where it succeeds."""
    try:
        act()
    except ParamsError as error:
        return str(error)
    return None


# -- the round trip --------------------------------------------------------------------------------


@settings(deadline=None, max_examples=150)
@given(value=PLAIN)
def test_any_plain_value_of_a_new_name_comes_back(value: Any, tmp_path_factory: Any):
    params = BaseParams()
    params.data = {"no name": value}
    path = tmp_path_factory.mktemp("yaml") / "params.yaml"
    text = params.to_yaml(path)
    assert path.read_text(encoding="utf-8") == text
    again = BaseParams().from_yaml(path)
    assert again == params
    assert again.hash() == params.hash()
    assert again.to_yaml() == text


@settings(deadline=None, max_examples=60)
@given(
    values=st.fixed_dictionaries(
        {},
        optional={
            "epoch": st.integers(),
            "amp": st.booleans(),
            "lr": st.floats() | st.none(),
            "text": TEXTS,
            "topk": st.lists(st.integers()).map(tuple),
            "tags": st.frozensets(TEXTS),
            "clip": PLAIN.filter(lambda value: not isinstance(value, dict)),
            "size": st.sampled_from([(1, 2), (2, 3), "all"]),
            "optim.wd": st.floats(0, 1),
            "optim.betas": st.tuples(st.floats(), st.floats()),
            "optim.sched.name": TEXTS,
            "device": st.sampled_from(["cpu", "cuda:0", "cuda:1"]),
        },
    )
)
def test_params_of_the_same_class_come_back_equal_with_the_same_types(
    values: dict[str, Any], tmp_path_factory: Any
):
    params = Typed().update(values)
    path = tmp_path_factory.mktemp("yaml") / "params.yaml"
    params.to_yaml(path)
    again = Typed().lock().from_yaml(path)
    assert again == params
    assert again.hash() == params.hash()
    for name, value in params.flat().items():
        if name != "clip":
            assert type(again.stored(name)) is type(value), name


def test_the_file_is_readable_and_holds_neither_progress_nor_an_unread_device(tmp_path: Path):
    params = Params()
    params.update(eidx=9, 名字="学习率", lr=1e-3, tag="1e-3", topk=(1, 2), optim={"wd": None})
    text = params.to_yaml(tmp_path / "params.yaml")
    assert text == (
        "epoch: 10\n名字: 学习率\nlr: 0.001\ntag: '1e-3'\ntopk:\n- 1\n- 2\noptim:\n  wd: null\n"
    )
    again = Params().from_yaml(tmp_path / "params.yaml")
    assert repr(again.stored("device")) == "cuda:0 where there is one, else cpu"
    assert (again.tag, again.eidx) == ("1e-3", 1)
    params.device = "cpu"
    assert "device: cpu\n" in params.to_yaml()


def test_values_of_numpy_and_torch_are_written_plainly(tmp_path: Path):
    params = BaseParams()
    params.update(
        lr=np.float32(0.5),
        end=np.float64(0.1),
        level=Level.HIGH,
        steps=np.arange(2),
        optim={"wd": torch.tensor(0.25), "n": np.int8(3)},
    )
    params.update(device=torch.device("cpu"), dtype=torch.float64, tags={"b", "a"}, text=np.str_())
    again = BaseParams().from_yaml(written(tmp_path, params.to_yaml()))
    assert again.to_dict() == {
        "lr": 0.5, "end": 0.1, "level": 2, "steps": [0, 1],
        "optim": {"wd": 0.25, "n": 3}, "device": "cpu", "dtype": "torch.float64",
        "tags": ["a", "b"], "text": "",
    }  # fmt: skip
    assert again == params


# -- reading ---------------------------------------------------------------------------------------


def test_a_file_is_typed_like_flags_but_a_text_stays_a_text(tmp_path: Path):
    text = (
        "lr: 1e-3\ntopk: [3, 4]\noptim: {betas: [1, 0.5], wd: 0}\noptim.sched.name: '007'\n"
        "root: a/b\nclip: '1'\nnew: '(1, 2)'\nday: 2026-11-22\nepoch: 12.0\nsize: [2, 3]\n"
        "amp: yes\n"
    )
    params = Typed().from_yaml(written(tmp_path, text))
    assert (params.lr, params.topk, params.optim.betas) == (0.001, (3, 4), (1.0, 0.5))
    assert (params.optim.wd, type(params.optim.wd)) == (0.0, float)
    assert params.optim.sched == {"steps": [1, 2], "name": "007"}
    assert (params.root, params.clip, params.new) == (Path("a/b"), "1", "(1, 2)")
    assert (params.day, params.epoch, type(params.epoch)) == ("2026-11-22", 12, int)
    assert (params.size, params.amp) == ((2, 3), True)


def test_anchors_and_merged_groups_are_understood(tmp_path: Path):
    text = "base: &base {lr: 1, wd: 2}\nother: {<<: *base, lr: 3}\nrates: &r [1]\nagain: *r\n"
    params = BaseParams().from_yaml(written(tmp_path, text))
    assert params.other == {"lr": 3, "wd": 2}
    params.other.wd = 5
    assert params.base.wd == 2
    assert "&" not in params.to_yaml()


def test_an_empty_file_sets_nothing(tmp_path: Path):
    for text in ("", "# only a remark\n", "\ufeff", "{}"):
        assert Typed().from_yaml(written(tmp_path, text)) == Typed()


def test_a_near_miss_in_a_file_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    Typed().from_yaml(written(tmp_path, "optim: {beta: 1}\nunlike: 2\n"))
    assert capsys.readouterr().err == (
        "warning: optim.beta sets a new parameter; did you mean 'optim.betas'?\n"
    )
    with pytest.raises(ParamNameError, match="locked; did you mean 'epoch'"):
        Typed().lock().from_yaml(written(tmp_path, "epoc: 1"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1, 2", r"is no readable YAML: expected ',' or ']', .* \(line 2, column 9\)"),
        ("a: b: c", "is no readable YAML"),
        ("\tx", "is no readable YAML"),
        (b"\xff\xfe\x00PK", "cannot read .*utf-8"),
        ("a: \x00", "is no readable YAML"),
        ("- 1\n- 2", "must map names to values, as in 'lr: 0.1'"),
        ("just text", "must map names to values"),
        ("1: 2", "must map names to values"),
        ("a: 1\n---\nb: 2", "is no readable YAML: .*another document .line 3"),
        ("lr: 1\nlr: 2", "'lr' is given twice"),
        ("optim: {wd: 0, wd: 0.1}", "'wd' is given twice"),
        ("a: !!python/object/apply:os.system ['true']", "python/object"),
        ("a: !!python/name:os.system", "python/name"),
        ("a: !own 1", "!own"),
        ("a: !!bool maybe", "is no readable YAML"),
        ("a: !!int ''", "is no readable YAML"),
        ("a: !!timestamp x", "is no readable YAML"),
        ("? [a]\n: 1", "is no readable YAML"),
        ("a: *nothing", "is no readable YAML"),
        ("a: " + "[" * 5000, "is nested too deep"),
        ("a: &x {b: *x}", "more than 100 groups deep"),
        ("a: " + "9" * 5000, "is no readable YAML"),
        ("epoch: abc", "^epoch: 'abc' is not an int"),
        ("epoch: 0.5", "^epoch: 0.5 is not an int .*10.0 would allow fractions"),
        ("epoch: true", "^epoch: True is not an int"),
        ("lr: [1]", r"^lr: \[1\] is not a float"),
        ("lr: true", "^lr: True is not a float"),
        ("amp: 2", "^amp: 2 is neither true nor false"),
        ("text: [a]", r"^text: \['a'\] is no text"),
        ("topk: 3", "^topk: 3 is no list"),
        ("topk: {a: 1}", "^topk: .* is no list"),
        ("size: [9]", r"^size: \[9\] is not allowed"),
        ("optim: 3", "^optim: 3 is no group"),
        ("optim:", "^optim: None is no group"),
        ("optim: {wd: 2}", "^optim.wd: 2.0 is out of bounds"),
        ("eidx: 3", "^eidx is progress"),
        ("__class__: 3", "cannot name a parameter"),
        ("copy: 3", "has a member of that name"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_wrong_file_is_refused_in_one_line_and_nothing_is_set(
    text: str | bytes, message: str, tmp_path: Path
):
    if isinstance(text, str) and not text.startswith(("\t", "-", "just", "1:", "?")):
        text = "clip: 5\n" + text
    params = Typed()
    with pytest.raises(ParamsError, match=message) as refused:
        params.from_yaml(written(tmp_path, text))
    assert str(refused.value).isprintable()
    assert repr(params) == repr(Typed())


@settings(deadline=None, max_examples=150)
@given(st.text(alphabet=st.sampled_from("ab:-!&*[]{}#|>'\"?%@\n ,1e.~<="), max_size=20))
def test_any_text_is_read_or_refused_with_a_params_error(tmp_path_factory: Any, text: str):
    path = written(tmp_path_factory.mktemp("yaml"), text)
    params = BaseParams()
    error = refusal(lambda: params.from_yaml(path))
    if error is not None:
        assert "\n" not in error
        assert len(params) == 0
    else:
        assert BaseParams().from_yaml(written(path.parent, params.to_yaml())) == params


# -- files -----------------------------------------------------------------------------------------


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path):
    for path, reason in (
        (tmp_path / "missing.yaml", "No such file"),
        (tmp_path, "Is a directory"),
        (tmp_path / "\0", "null"),
    ):
        with pytest.raises(ParamsError, match=reason) as refused:
            Params().from_yaml(str(path))
        assert str(refused.value).count(repr(str(path))) == 1


def test_a_file_that_cannot_be_written_is_named_and_the_old_one_kept(tmp_path: Path):
    for path, reason in (
        (tmp_path / "missing" / "params.yaml", "No such file"),
        (tmp_path, "Is a directory"),
        (tmp_path / "\0", "null"),
    ):
        with pytest.raises(ParamsError, match=reason) as refused:
            Params().to_yaml(path)
        assert repr(str(path)) in str(refused.value)
    params = Params()
    params.to_yaml(tmp_path / "params.yaml")
    params.model = object()
    with pytest.raises(ParamsError, match=r"^model: "):
        params.to_yaml(tmp_path / "params.yaml")
    assert [path.name for path in tmp_path.iterdir()] == ["params.yaml"]
    assert Params().from_yaml(tmp_path / "params.yaml") == Params()
