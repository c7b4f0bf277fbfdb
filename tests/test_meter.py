"""Meter: values come back unchanged, and print as one line."""

from __future__ import annotations

import copy
import json
import math
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from thexp_pl import Meter
from thexp_pl.errors import MeterNameError, UsageError

# texts that hold everything that JSON can, and no NaN, which equals nothing
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def printed(value: object, **declared: object) -> str:
    """What one value prints as under the formats given: percent=2, float=1, int=None."""
    meter = Meter()
    for format_name, acc in declared.items():
        getattr(meter, format_name)(meter.a_, *([] if acc is None else [acc]))
    meter.a = value
    return repr(meter)


def test_the_readme_block_prints_as_shown():
    meter = Meter()
    meter.a = 1
    meter.b = "2"
    meter.c = torch.tensor(0.70721)
    meter.c1 = torch.tensor([0.38921])
    meter.c2 = torch.tensor([0.7060, 0.4127])
    meter.c3 = torch.tensor([[0.2227, 0.8771, 0.7446, 0.7601]] * 4)
    assert repr(meter) == (
        "@a=1  @b=2  @c=0.7072  @c1=0.3892  @c2=tensor([0.7060, 0.4127])  "
        "@c3=tensor([[0.2227, 0.8771, 0.7446, 0.7601],..."
    )
    assert str(meter) == repr(meter)


@given(name=st.text(), value=st.builds(object) | json_values)
def test_any_value_comes_back_as_the_same_object_under_any_name(name, value):
    meter = Meter()
    meter[name] = value
    assert meter[name] is value
    assert name in meter
    assert list(meter) == list(meter.keys()) == [name]
    assert dict(meter) == dict(meter.items()) == {name: value}
    assert len(meter) == 1


@given(name=st.from_regex(r"[a-z][a-z0-9]{3,8}_?", fullmatch=True))
def test_attributes_and_items_are_the_same_values(name):
    meter, value = Meter(), object()
    if hasattr(Meter, name):
        return
    setattr(meter, name, value)
    assert getattr(meter, name) is meter[name] is value


def test_a_tensor_in_the_midst_of_a_graph_still_carries_its_graph():
    meter = Meter()
    weight = torch.ones(3, requires_grad=True)
    meter.loss = (weight * 2).sum()
    meter.loss.backward()
    assert weight.grad.tolist() == [2.0, 2.0, 2.0]


@pytest.mark.parametrize("name", ["update", "items", "float", "percent", "_values", "__class__"])
def test_a_part_of_meter_is_refused_as_an_attribute_and_works_as_an_item(name):
    meter = Meter()
    with pytest.raises(UsageError, match=rf"meter\['{name}'\] = "):
        setattr(meter, name, 3)
    meter[name] = 3
    assert meter[name] == 3
    assert repr(meter) == f"@{name}=3"
    meter.update({"loss": 0.5})
    assert dict(meter.items()) == {name: 3, "loss": 0.5}


def test_a_trailing_underscore_is_the_name_itself_unless_it_was_stored():
    meter = Meter()
    assert meter.a_ == "a"
    meter.a = 1
    assert meter.a_ == "a"
    meter.a_ = 2
    assert (meter.a, meter.a_) == (1, 2)


def test_a_name_never_stored_raises_with_the_near_miss():
    meter = Meter()
    meter.accuracy = 0.5
    for read in (lambda: meter.acuracy, lambda: meter["acuracy"]):
        with pytest.raises(MeterNameError, match=r"'acuracy' was never stored.*mean 'accuracy'"):
            read()
    with pytest.raises(AttributeError, match="nothing yet"):
        _ = Meter().loss
    assert not hasattr(meter, "loss")


@pytest.mark.parametrize("name", ["__array__", "__torch_function__", "__len_hint__", "__x_"])
def test_what_python_probes_for_is_plainly_absent(name):
    with pytest.raises(AttributeError) as error:
        getattr(Meter(), name)
    assert not isinstance(error.value, MeterNameError)
    assert getattr(Meter(), "_repr_html_", None) is None


def test_a_format_counts_whether_declared_before_or_after_the_value():
    before, after = Meter(), Meter()
    before.percent(before.a_)
    before.a = 0.236
    after.a = 0.236
    after.percent("a")
    assert repr(before) == repr(after) == "@a=23.60%"
    assert before.a == 0.236


@pytest.mark.parametrize(
    ("value", "declared", "text"),
    [
        (0.236, {"percent": 1}, "@a=23.6%"),
        (torch.tensor(0.5), {"percent": None}, "@a=50.00%"),
        (torch.tensor([[0.5]]), {"percent": None}, "@a=50.00%"),
        (np.float32(0.25), {"percent": 0}, "@a=25%"),
        (0.123456, {"float": 6}, "@a=0.123456"),
        (3, {"float": None}, "@a=3.0000"),
        (torch.tensor(2.5), {"tensorfloat": 1}, "@a=2.5"),
        (3.7, {"int": None}, "@a=4"),
        (True, {"int": None}, "@a=1"),
        (10**400, {"float": 2}, f"@a={10**400}"),
        ("one\ntwo", {"str_in_line": None}, "@a=one..."),
        (0.1234567, {"str_in_line": None}, "@a=0.1234567"),
        # what is no number prints as if it had no format: printing never stops a run
        ("abc", {"percent": None}, "@a=abc"),
        (None, {"float": None}, "@a=None"),
        (torch.tensor([1.0, 2.0]), {"int": None}, "@a=tensor([1., 2.])"),
    ],
)
def test_formats_print_numbers_of_every_kind(value, declared, text):
    assert printed(value, **declared) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "True"),
        (math.nan, "nan"),
        (torch.tensor(3), "3.0000"),
        (torch.tensor(True), "tensor(True)"),
        (torch.tensor(1.5, requires_grad=True) * 2, "3.0000"),
        (torch.ones(2, requires_grad=True) * 2, "tensor([2., 2.])"),
        (np.float64(0.5), "0.5000"),
        (np.zeros((2, 2)), "[[0. 0.]..."),
        (1 + 2j, "(1+2j)"),
        ([torch.zeros(2, 2), 1], "[tensor([[0., 0.],..."),
        ("", ""),
        ("x\r\ny\n", "x..."),
        ("x\n", "x"),
    ],
)
def test_values_without_a_format_print_in_one_line(value, text):
    shown = printed(value)
    assert shown.startswith(f"@a={text.removesuffix('...')}")
    assert shown.endswith(text)


@given(value=json_values | st.text())
def test_a_printed_meter_is_always_one_line(value):
    assert printed(value).splitlines() == [printed(value)]


def test_a_type_has_a_format_that_a_name_overrides():
    meter = Meter()
    meter.add_format_type(int, hex)
    meter.add_format_type(dict, lambda value: f"{len(value)} keys")
    meter.percent(meter.half_)
    meter.ids, meter.half, meter.table = 255, 1, {"a": 1}
    assert repr(meter) == "@ids=0xff  @half=100.00%  @table=1 keys"


def test_a_format_declared_for_a_value_in_place_of_its_name_is_refused():
    meter = Meter()
    meter.acc = 0.5
    with pytest.raises(UsageError, match="not for a float"):
        meter.percent(meter.acc)


def test_update_stores_values_and_formats_of_another_meter():
    meter, other = Meter(), Meter()
    meter.loss, meter.acc = 1.0, 0.1
    other.percent(other.acc_)
    other.acc = 0.5
    meter.update(other)
    assert repr(meter) == "@loss=1.0000  @acc=50.00%"


def test_numbers_and_arrays_are_told_apart():
    table, image = torch.ones(2, 2), np.ones(3)
    meter = Meter()
    meter.update({"i": 3, "f": 0.5, "t": torch.tensor([2]), "n": np.float32(0.25)})
    meter.update({"flag": True, "tflag": torch.tensor(False), "text": "1", "z": 1j, "none": None})
    meter.update({"table": table, "image": image, "empty": torch.ones(0)})
    assert dict(meter.numeral_items()) == {"i": 3, "f": 0.5, "t": 2, "n": 0.25}
    arrays = dict(meter.array_items())
    assert list(arrays) == ["table", "image", "empty"]
    assert arrays["table"] is table
    assert arrays["image"] is image


@given(values=st.dictionaries(st.text(), json_values))
def test_what_json_holds_is_serialized_as_it_is(values):
    meter = Meter()
    meter.update(values)
    assert json.loads(json.dumps(meter.serialize())) == values


def test_what_json_does_not_hold_is_serialized_as_lists_or_text():
    meter = Meter()
    meter.update({"t": torch.ones(1, 2, dtype=torch.bfloat16), "n": np.arange(2), "s": {1}})
    meter.update({"l": torch.tensor(0.5), "d": {5: (torch.tensor(1), np.bool_(True))}, "z": 1j})
    assert json.loads(json.dumps(meter.serialize())) == {
        "t": [[1.0, 1.0]],
        "n": [0, 1],
        "s": "{1}",
        "l": 0.5,
        "d": {"5": [1, "True"]},
        "z": "1j",
    }


@pytest.mark.parametrize(
    "twin", [copy.copy, copy.deepcopy, lambda meter: pickle.loads(pickle.dumps(meter))]
)
def test_a_copy_has_values_and_formats_of_its_own(twin):
    meter = Meter()
    meter.percent(meter.acc_)
    meter.acc, meter["update"], meter.rows = 0.5, 7, torch.ones(2)
    other = twin(meter)
    other.acc = 0.25
    other.int("acc")
    assert repr(meter) == "@acc=50.00%  @update=7  @rows=tensor([1., 1.])"
    assert repr(other) == "@acc=0  @update=7  @rows=tensor([1., 1.])"


def test_a_meter_with_a_loss_in_its_graph_can_be_deep_copied():
    meter = Meter()
    meter.loss = torch.ones(2, requires_grad=True).sum()
    twin = copy.deepcopy(meter)
    assert twin.loss.item() == 2.0
    assert twin.loss.grad_fn is None
    assert meter.loss.grad_fn is not None


def test_a_subclass_stores_what_its_init_assigns_and_keeps_its_own_methods():
    class Losses(Meter):
        def __init__(self):
            super().__init__()
            self.total = 0.5

        def doubled(self):
            return self.total * 2

    losses = Losses()
    assert (repr(losses), losses.doubled()) == ("@total=0.5000", 1.0)
    with pytest.raises(UsageError, match="'doubled' is a part of Losses"):
        losses.doubled = 3


def test_neither_meter_imports_torch_numpy_or_lightning():
    code = """
import sys
from thexp_pl import AvgMeter, Meter
meter, average = Meter(), AvgMeter()
meter.loss, meter.table = 0.5, [1, 2]
average.update(meter)
print(meter, average, average.means(), average.state_dict(), meter.serialize())
heavy = {"torch", "numpy", "pytorch_lightning", "torchmetrics", "rich"} & set(sys.modules)
sys.exit(f"imported: {heavy}" if heavy else 0)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "value", [10**5000, -(10**5000), [10**5000]], ids=["positive", "negative", "in a list"]
)
def test_an_int_that_python_will_not_write_in_decimals_still_prints(value):
    meter = Meter()
    meter.loss, meter.big = 0.5, value
    assert repr(meter).startswith("@loss=0.5000  @big=")


@pytest.mark.parametrize("name", [1, (1, 2), [1]])
def test_a_key_that_is_no_name_was_never_stored(name):
    meter = Meter()
    meter[7] = "seven"
    meter.loss = 0.5
    with pytest.raises(MeterNameError, match="which holds 7, loss"):
        meter[name]
    with pytest.raises(MeterNameError, match="did you mean 'loss'"):
        meter.los  # noqa: B018


def test_a_tensor_without_numbers_at_hand_is_written_as_text():
    meter = Meter()
    meter.loss = torch.ones(())
    meter.meta = torch.ones((), device="meta")
    meter.many = torch.ones(3, device="meta")
    meter.sparse = torch.ones(3).to_sparse()
    assert dict(meter.numeral_items()) == {"loss": 1.0}
    assert not dict(meter.array_items())
    assert repr(meter).startswith("@loss=1.0000  @meta=tensor(")
    assert all(isinstance(meter.serialize()[name], str) for name in ("meta", "many", "sparse"))
