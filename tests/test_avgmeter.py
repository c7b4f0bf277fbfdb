"""AvgMeter: right means, read late, from numbers that stay where they are."""

from __future__ import annotations

import copy
import gc
import json
import math
import pickle
import re
import warnings
import weakref

import numpy as np
import pytest
import torch
import torchmetrics
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

from thexp_pl import AvgMeter, Meter
from thexp_pl.errors import CheckpointError, MeterNameError, UsageError
from thexp_pl.meter.device_sums import HELD, DeviceSums, two_sum

# sums of these are exact in float64 whatever their order, so that results can be compared by ==
exact = st.integers(-(2**20), 2**20).map(lambda n: n / 8)
odd = st.sampled_from([math.nan, math.inf, -math.inf])
weights = st.integers(0, 64)
kinds = {
    "float": float,
    "tensor": lambda value: torch.tensor(value, dtype=torch.float64),
    "one element": lambda value: torch.tensor([[value]], dtype=torch.float64),
    "numpy": np.float64,
    "array": lambda value: np.array([value]),
}
steps = st.lists(
    st.tuples(
        st.dictionaries(st.sampled_from("abc"), exact | odd, max_size=3),
        weights,
        st.sampled_from(sorted(kinds)),
    ),
    max_size=12,
)


def averaged(recorded) -> AvgMeter:
    average = AvgMeter()
    for values, weight, kind in recorded:
        average.update({name: kinds[kind](value) for name, value in values.items()}, weight)
    return average


def same(one: dict, other: dict) -> bool:
    return json.dumps(one) == json.dumps(other)  # NaN equals NaN here


def plain_mean(pairs) -> float:
    """The weighted mean as arithmetic has it, whatever the weight of a NaN or an inf is."""
    strange = [value for value, _ in pairs if not math.isfinite(value)]
    if strange:
        return sum(strange)
    total = sum(weight for _, weight in pairs)
    return sum(value * weight for value, weight in pairs) / total if total else math.nan


def test_the_readme_block_prints_as_shown():
    average = AvgMeter()
    torch.manual_seed(0)  # a value below 0.001 would be printed otherwise
    for _ in range(100):
        meter = Meter()
        meter.percent(meter.c_)
        meter.a = 1
        meter.b = "2"
        meter.c = torch.rand(1)[0]
        meter.c1 = torch.rand(1)
        meter.c2 = torch.rand(2)
        meter.c3 = torch.rand(4, 4)
        meter.d = [4]
        meter.e = {5: "6"}
        average.update(meter)
    row = r"tensor\(\[\[0\.\d{4}, 0\.\d{4}, 0\.\d{4}, 0\.\d{4}\],\.\.\."
    assert re.fullmatch(
        r"@a=1  @b=2  @c=\d+\.\d\d%\(\d\d\.\d\d%\)  @c1=0\.\d{4}\(0\.\d{4}\)  "
        rf"@c2=tensor\(\[0\.\d{{4}}, 0\.\d{{4}}\]\)  @c3={row}  @d=\[4\]  @e={{5: '6'}}",
        repr(average),
    )


@given(steps)
def test_means_are_those_of_arithmetic_for_every_kind_of_number(recorded):
    by_name: dict[str, list] = {}
    for values, weight, _ in recorded:
        for name, value in values.items():
            by_name.setdefault(name, []).append((value, weight))
    means = averaged(recorded).means()
    assert same(means, {name: plain_mean(pairs) for name, pairs in by_name.items()})


@given(steps, steps, steps)
def test_merging_equals_one_meter_that_saw_everything_in_any_grouping(one, two, three):
    whole = averaged([*one, *two, *three])
    left, right = averaged(one), averaged(two)
    left.merge(averaged(two))
    left.merge(averaged(three))
    right.merge(averaged(three))
    first = averaged(one)
    first.merge(right)
    assert same(left.state_dict(), whole.state_dict())
    assert same(first.state_dict(), whole.state_dict())
    assert repr(left) == repr(first) == repr(whole)


@given(steps, steps)
def test_a_saved_state_goes_on_as_if_it_had_never_stopped(before, after):
    whole = averaged([*before, *after])
    resumed = AvgMeter()
    resumed.load_state_dict(averaged(before).state_dict())
    for values, weight, kind in after:
        resumed.update({name: kinds[kind](value) for name, value in values.items()}, weight)
    assert same(resumed.state_dict(), whole.state_dict())


def test_weights_keep_a_short_last_batch_from_biasing_the_mean():
    average = AvgMeter()
    average.update({"acc": torch.tensor(1.0), "loss": 1.0}, weight=48)
    average.update({"acc": torch.tensor(0.0), "loss": 0.0}, weight=16)
    assert average.means() == {"acc": 0.75, "loss": 0.75}


def test_weights_that_differ_at_every_step_count_each_for_itself():
    average = AvgMeter()
    for step in range(2 * HELD + 7):
        average.update({"loss": torch.tensor(float(step % 2))}, weight=1 + step % 2)
    ones, zeros = HELD + 3, HELD + 4
    assert average.loss == 2 * ones / (2 * ones + zeros)


def test_nan_and_inf_are_counted_beside_the_mean_and_reach_the_reader():
    average = AvgMeter()
    for value in (0.5, math.nan, 0.25, math.inf, math.nan):
        average.update({"host": value, "device": torch.tensor(value), "up": min(value, math.inf)})
    assert "@device=nan(0.3750, 2 nan, 1 inf)" in repr(average)
    assert "@host=nan(0.3750, 2 nan, 1 inf)" in repr(average)
    assert math.isnan(average.means()["host"])
    assert math.isnan(average.device)
    never = AvgMeter()
    never.update({"loss": math.nan})
    never.update({"loss": -math.inf})
    assert repr(never) == "@loss=-inf(1 nan, 1 inf)"


def test_infinities_of_one_sign_stay_infinite_and_of_both_are_nan():
    average = AvgMeter()
    for up, both in ((1.0, math.inf), (math.inf, -math.inf)):
        average.update({"up": torch.tensor(up), "down": -up, "both": torch.tensor(both)})
    means = average.means()
    assert (means["up"], means["down"]) == (math.inf, -math.inf)
    assert math.isnan(means["both"])


def test_python_ints_print_without_a_mean_until_a_float_joins_them():
    average = AvgMeter()
    average.update({"n": 3, "loss": 0})
    average.update({"n": 4, "loss": 0})
    assert repr(average) == "@n=4  @loss=0"
    average.update({"n": 5, "loss": torch.tensor(0.75)})
    assert repr(average) == "@n=5  @loss=0.7500(0.2500)"
    assert average.means() == {"n": 4.0, "loss": 0.25}


def test_ints_of_one_rank_join_the_floats_of_another():
    for first, second in ((0, 0.5), (0.5, 0)):
        average, other = AvgMeter(), AvgMeter()
        average.update({"loss": first})
        other.update({"loss": second})
        average.merge(other)
        assert repr(average).endswith("(0.2500)")


def test_an_int_beyond_every_float_is_counted_as_infinite():
    average = AvgMeter()
    average.update({"n": 10**400})
    assert average.n == math.inf
    assert repr(average) == f"@n={10**400}"


no_numbers = [True, "text", None, [4], 1 + 2j, np.bool_(True), np.arange(3)]
no_number_tensors = [torch.tensor(True), torch.tensor(1j), torch.ones(2), torch.ones(0)]


@pytest.mark.parametrize("value", [*no_numbers, *no_number_tensors])
def test_what_is_no_real_number_is_kept_as_it_was_last(value):
    average = AvgMeter()
    average.update({"x": 0})
    average.update({"y": "before"})
    average.update({"y": value})
    kept = average.y
    assert kept is value or kept == value
    assert average.means() == {"x": 0.0}


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.int64, torch.uint8])
def test_tensors_of_any_real_dtype_are_averaged_together(dtype):
    average = AvgMeter()
    for value in (1, 4):
        values = {"a": torch.tensor(value, dtype=dtype), "b": torch.tensor(float(value))}
        average.update({**values, "c": torch.tensor([value], dtype=dtype)})
    assert repr(average) == "@a=4.0000(2.5000)  @b=4.0000(2.5000)  @c=4.0000(2.5000)"


def test_many_updates_of_half_precision_lose_no_accuracy():
    average = AvgMeter()
    value = torch.tensor(0.1, dtype=torch.bfloat16)
    for _ in range(20_000):
        average.update({"loss": value, "half": value.half()})
    exactly = value.item()  # running sums in bfloat16 would have stuck at 32
    assert average.means() == pytest.approx({"loss": exactly, "half": exactly}, rel=1e-12)


@settings(max_examples=25)
@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=200))
def test_float32_sums_carry_their_rounding_error(values):
    # What devices without float64 sum with: each value is added to a large sum 20 times.
    sums = two_sum(None, torch.tensor([1e7]))
    for value in values * 20:
        sums = two_sum(sums, torch.tensor([value]))
    got = sum(part.double().item() for part in sums)
    scale = 1e7 + 20 * sum(map(abs, values))
    assert got == pytest.approx(1e7 + 20 * math.fsum(values), abs=1e-11 * scale)


class Transfers(TorchDispatchMode):
    """Counts what makes the host wait for a device."""

    count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        waits = ("_local_scalar_dense", "item", "equal", "is_nonzero")
        self.count += func.overloadpacket.__name__ in waits
        return func(*args, **(kwargs or {}))


def test_updating_never_waits_for_a_device_and_reading_does():
    average = AvgMeter()
    value = torch.tensor(0.5)
    with Transfers() as transfers:
        for step in range(2 * HELD + 1):
            meter = Meter()
            meter.loss, meter.acc, meter.rows = value * 2, value.reshape(1), torch.ones(3)
            average.update(meter, weight=1 + step % 3)
    assert transfers.count == 0
    with Transfers() as transfers:
        float(value)
    assert transfers.count == 1


def test_summing_works_on_a_device_whose_values_cannot_be_read():
    sums, meta = DeviceSums(), torch.device("meta")
    for step in range(2 * HELD):
        sums.add(meta, ["loss", "acc"], [torch.empty((), device=meta)] * 2, step)
    with pytest.raises((NotImplementedError, RuntimeError), match="meta"):
        list(sums.drain())


def test_values_of_a_device_without_numbers_are_kept_as_they_are():
    average = AvgMeter()
    for step in range(2 * HELD + 1):
        values = {"loss": torch.empty((), device="meta"), "rows": torch.empty(2, device="meta")}
        average.update({**values, "n": torch.empty(1, device="meta", dtype=torch.int64)}, step)
    assert average.means() == {}
    assert average.loss.device.type == "meta"


def test_a_value_that_changes_its_device_does_not_stop_the_run():
    average = AvgMeter()
    average.update({"loss": torch.tensor(1.0)})
    average.update({"loss": torch.empty((), device="meta"), "acc": torch.tensor(0.5)})
    average.update({"loss": 0.5})
    assert list(average) == ["loss", "acc"]


class Witness(torch.autograd.Function):
    """A node of the graph that can be seen to go."""

    @staticmethod
    def forward(ctx, value, held):
        ctx.held = held
        return value * 2

    @staticmethod
    def backward(ctx, grad):
        return grad, None


@pytest.mark.parametrize(
    "stored",
    [
        lambda loss: loss.sum(),
        lambda loss: loss.sum().reshape(1, 1),
        lambda loss: loss,
        lambda loss: [1, {"loss": loss}],
    ],
)
def test_no_autograd_graph_is_kept_alive(stored):
    class Held:
        pass

    held = Held()
    seen = weakref.ref(held)
    average = AvgMeter()
    loss = Witness.apply(torch.ones(2, requires_grad=True), held)
    average.update({"loss": stored(loss)})
    del held
    assert seen() is not None
    del loss
    gc.collect()
    assert seen() is None


def test_a_tensor_changed_in_place_afterwards_was_counted_as_it_stood():
    average = AvgMeter()
    ema, one = torch.tensor(1.0), torch.tensor([1.0])
    for _ in range(3):
        average.update({"ema": ema, "one": one, "loss": 0.0})
        ema.mul_(0)
        one.mul_(0)
    assert average.means() == pytest.approx({"ema": 1 / 3, "one": 1 / 3, "loss": 0.0})


def test_values_of_inference_mode_and_autocast_are_averaged_with_others():
    average = AvgMeter()
    for step in range(HELD + 2):
        with torch.inference_mode(step % 2 == 0), torch.autocast("cpu", torch.bfloat16):
            low = torch.tensor(1.0, dtype=torch.bfloat16)
            average.update({"loss": torch.tensor(0.3), "low": low * 3})
    assert average.means() == pytest.approx({"loss": torch.tensor(0.3).item(), "low": 3.0})


def test_a_torchmetrics_metric_is_computed_when_the_means_are_read():
    accuracy = torchmetrics.MeanMetric()
    average = AvgMeter()
    unused = torchmetrics.MeanMetric()
    for value in (1.0, 0.0, 0.5):
        accuracy.update(value)
        meter = Meter()
        meter.acc, meter.loss, meter.unused = accuracy, value, unused
        average.update(meter)
    assert "@acc=MeanMetric()" in repr(average)
    assert accuracy._computed is None  # printing on one rank alone must not synchronise
    assert average.acc is accuracy
    assert average.means() == {"acc": 0.5, "loss": 0.5}
    assert set(average.state_dict()) == {"loss"}
    average.reset()
    assert accuracy.update_count == 0


def test_a_metric_stays_when_another_rank_is_merged():
    metric = torchmetrics.MeanMetric()
    metric.update(0.25)
    average, other = AvgMeter(), AvgMeter()
    average.update({"acc": metric, "loss": 1.0})
    other.update({"acc": 3, "loss": 0.0})
    average.merge(other)
    assert average.means() == {"acc": 0.25, "loss": 0.5}


def test_reading_gives_means_and_the_last_of_the_rest():
    average = AvgMeter()
    rows = torch.ones(2)
    for value in (0.25, 0.75):
        average.update({"loss": torch.tensor(value), "tag": f"t{value}", "rows": rows})
    assert (average.loss, average["tag"]) == (0.5, "t0.75")
    assert dict(average.items()) == {"loss": 0.5, "tag": "t0.75", "rows": rows}
    assert dict(average.numeral_items()) == {"loss": 0.5}
    assert list(dict(average.array_items())) == ["rows"]
    assert average.serialize() == {"loss": 0.5, "tag": "t0.75", "rows": [1.0, 1.0]}
    with pytest.raises(MeterNameError, match="mean 'loss'"):
        _ = average.los
    assert average.loss_ == "loss"


def test_assigning_to_a_name_counts_one_more_value():
    average = AvgMeter()
    average.loss = 1.0
    average["loss"] = 0.0
    assert average.loss == 0.5
    with pytest.raises(UsageError, match="'means' is a part of AvgMeter"):
        average.means = 1.0


def test_a_name_may_be_missing_from_some_steps():
    average = AvgMeter()
    for step in range(3 * HELD):
        values = {"loss": torch.tensor(0.5)}
        if step % 3 == 0:
            values["penalty"] = torch.tensor(float(step % 2))
        average.update(values)
    assert average.means() == {"loss": 0.5, "penalty": 0.5}


def test_formats_of_a_meter_and_of_a_type_reach_last_value_and_mean():
    average = AvgMeter()
    average.add_format_type(float, "{:.1f}".format)
    for value in (0.25, 0.75):
        meter = Meter()
        meter.percent(meter.acc_)
        meter.acc, meter.loss = torch.tensor(value), torch.tensor(value)
        average.update(meter)
    assert repr(average) == "@acc=75.00%(50.00%)  @loss=0.8(0.5)"
    average.reset()
    assert (len(average), average.means(), repr(average)) == (0, {}, "")
    average.update({"acc": 0.5})
    assert repr(average) == "@acc=50.00%(50.00%)"


@pytest.mark.parametrize("weight", [math.nan, math.inf, -1, "3", None, 1j, torch.tensor(3)])
def test_a_weight_that_is_no_number_known_on_the_host_is_refused(weight):
    average = AvgMeter()
    with pytest.raises(UsageError, match="a weight is a number known on the host"):
        average.update({"loss": 1.0}, weight=weight)
    assert len(average) == 0


def test_a_state_survives_a_file_that_only_weights_may_be_loaded_from(tmp_path):
    average = AvgMeter()
    average.update({"loss": torch.tensor(0.5), "n": 3, "f": np.float32(2), "tag": "a", "on": True})
    average.update({"rows": torch.ones(2), "list": [1, (2.0, {"k": None})], "thing": object()})
    torch.save(average.state_dict(), tmp_path / "state.pt")
    state = torch.load(tmp_path / "state.pt", weights_only=True)
    loaded = AvgMeter()
    loaded.percent("loss")
    loaded.load_state_dict(state)
    assert list(loaded) == ["loss", "n", "f", "tag", "on", "rows", "list"]
    assert loaded.means() == average.means()
    assert repr(loaded).startswith("@loss=50.00%(50.00%)  @n=3  @f=2.0000(2.0000)  @tag=a  @on=T")
    assert loaded.rows.tolist() == [1.0, 1.0]


@pytest.mark.parametrize("state", [{"loss": 0.5}, {"loss": {"last": 0.5}}])
def test_a_foreign_state_is_refused_and_changes_nothing(state):
    average = AvgMeter()
    average.update({"loss": 0.5})
    with pytest.raises(CheckpointError, match="'loss' of this state"):
        average.load_state_dict(state)
    assert average.loss == 0.5


@pytest.mark.parametrize(
    "twin", [copy.copy, copy.deepcopy, lambda average: pickle.loads(pickle.dumps(average))]
)
def test_a_copy_goes_on_by_itself(twin):
    average = AvgMeter()
    average.percent("acc")
    average.update({"acc": torch.tensor(1.0), "n": 1})
    other = twin(average)
    other.update({"acc": 0.0, "n": 2})
    assert repr(average) == "@acc=100.00%(100.00%)  @n=1"
    assert repr(other) == "@acc=0.00%(50.00%)  @n=2"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_updating_on_cuda_raises_no_synchronisation_and_devices_may_change():
    average = AvgMeter()
    value = torch.tensor(0.5, device="cuda")
    torch.cuda.set_sync_debug_mode("error")
    try:
        for step in range(2 * HELD + 1):
            average.update({"loss": value * 1, "acc": value.half()}, weight=1 + step % 3)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    average.update({"loss": torch.tensor(0.5)})
    assert average.means() == {"loss": 0.5, "acc": 0.5}


def odd_tensors():
    with warnings.catch_warnings():  # of a prototype, and of quantization that will go
        warnings.simplefilter("ignore")
        return {
            "meta": torch.ones((), device="meta"),
            "sparse": torch.ones(()).to_sparse(),
            "compressed": torch.ones(1, 1).to_sparse_csr(),
            "nested": torch.nested.nested_tensor([torch.ones(2)]),
            "jagged": torch.nested.nested_tensor([torch.ones(2)], layout=torch.jagged),
            "quantized": torch.quantize_per_tensor(torch.ones(()), 0.1, 0, torch.quint8),
        }


@pytest.mark.parametrize("together", [*([name] for name in odd_tensors()), [*odd_tensors()]])
def test_a_tensor_that_cannot_be_averaged_is_kept_and_spoils_no_other(together):
    odd = {name: tensor for name, tensor in odd_tensors().items() if name in together}
    average = AvgMeter()
    for loss in (1.0, 2.0):
        values = {"loss": torch.tensor(loss), **odd, "acc": torch.tensor(0.5), "lr": 0.1}
        average.update(values, weight=2)
    assert average.means() == {"loss": 1.5, "acc": 0.5, "lr": 0.1}
    assert average.loss == 1.5
    assert all(average[name] is tensor for name, tensor in odd.items())
    assert repr(average).startswith("@loss=2.0000(1.5000)  @")
    assert set(average.state_dict()) == set(values)


@pytest.mark.parametrize("name", [1, [1]])
def test_a_key_that_is_no_name_was_never_counted(name):
    with pytest.raises(MeterNameError, match="holds nothing yet"):
        AvgMeter()[name]


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(
            st.floats(1e-6, 1e6) | st.floats(-1e6, -1e-6),
            st.sampled_from([1, 3, 0.1]),
            st.booleans(),
        ),
        max_size=40,
    )
)
def test_when_it_is_read_or_saved_changes_no_bit_of_what_comes_after(recorded):
    unread, read = AvgMeter(), AvgMeter()
    for number, weight, is_read in recorded * 10:
        for average in (unread, read):
            far = torch.tensor(number)
            average.update({"near": number, "far": far, "wide": far.double() / 3}, weight)
        if is_read:
            assert "near" in repr(read)
            saved = read.state_dict()
            read = AvgMeter()
            read.load_state_dict(saved)
    assert same(read.state_dict(), unread.state_dict())
    assert same(read.means(), unread.means())
