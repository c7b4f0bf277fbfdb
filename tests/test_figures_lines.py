"""Smoothing, reading between points and leaving out what cannot be seen: for any numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from figure_helpers import curves, record, record_values, rows, ys
from hypothesis import given
from hypothesis import strategies as st

from thexp_pl.report.figures import metric_figure
from thexp_pl.report.figures.bands import interpolated, joined
from thexp_pl.report.figures.curves import Array, Curve
from thexp_pl.report.figures.lines import smoothed, visible

numbers = st.floats(-1e6, 1e6)
anything = st.one_of(numbers, st.sampled_from([math.nan, math.inf, -math.inf]))


@st.composite
def some_curves(draw: st.DrawFn, least: int = 1, values: st.SearchStrategy[float] = anything):
    x = draw(st.lists(st.integers(0, 10**6), min_size=least, max_size=60, unique=True))
    y = draw(st.lists(values, min_size=len(x), max_size=len(x)))
    return Curve(np.array(sorted(x), float), np.array(y))


def tensorboard(values: list[float], weight: float) -> list[float]:
    """What TensorBoard's page computes, line by line."""
    last, count, result = 0.0, 0, []
    is_constant = all(value == values[0] for value in values)
    for value in values:
        if is_constant or not math.isfinite(value):
            result.append(value)
            continue
        last = last * weight + (1 - weight) * value
        count += 1
        result.append(last / (1 - weight**count))
    return result


@given(st.lists(anything, min_size=1), st.floats(0, 0.999))
def test_smoothing_is_tensorboards(values: list[float], weight: float) -> None:
    found = smoothed(np.array(values), weight)
    assert np.allclose(found, tensorboard(values, weight), rtol=1e-6, atol=1e-6, equal_nan=True)


def test_a_smoothed_run_stands_before_its_own_curve() -> None:
    values = [5.0, 1.0, math.nan, 4.0, 2.0, 8.0]
    record_values(values)
    figure = metric_figure(rows(), smooth=0.6)
    wanted = tensorboard(values, 0.6)
    assert np.allclose(curves(figure)[0][1], wanted, equal_nan=True)
    faint = [line for line in figure.axes[0].lines if line.get_alpha() is not None]
    assert [np.array_equal(ys(line), values, equal_nan=True) for line in faint] == [True]
    record_values(values)
    figure = metric_figure(rows(), smooth=0.6)
    assert [line.get_alpha() for line in figure.axes[0].lines if len(ys(line)) > 2] == [None] * 2


def test_the_faint_curve_is_whole_on_a_logarithmic_axis() -> None:
    record_values([1.0, 1.0, 1e-6, 1.0, 1.0])
    axes = metric_figure(rows(), smooth=0.9, log_y=True).axes[0]
    assert axes.get_ylim()[0] < 1e-6


@given(some_curves(), st.lists(st.floats(-10, 1e6 + 10), min_size=1))
def test_reading_between_points_goes_nowhere_that_the_curve_does_not(
    curve: Curve, at: list[float]
) -> None:
    found = interpolated(curve, np.array(at))
    for place, value in zip(at, found.tolist(), strict=True):
        after = int(np.searchsorted(curve.x, place))
        if place in curve.x:
            assert np.array_equal(value, curve.y[after], equal_nan=True)
        elif after in (0, len(curve.x)):
            assert math.isnan(value)
        else:
            ends = curve.y[after - 1 : after + 1]
            if np.isfinite(ends).all():
                assert min(ends) <= value <= max(ends)
            else:
                assert math.isnan(value)


@given(some_curves(values=numbers))
def test_finite_curves_are_read_as_numpy_reads_them(curve: Curve) -> None:
    at = np.linspace(curve.x[0], curve.x[-1], 50)
    assert np.allclose(interpolated(curve, at), np.interp(at, curve.x, curve.y), atol=1e-3)


@given(st.lists(some_curves(), min_size=1, max_size=5))
def test_a_mean_lies_between_the_least_and_the_greatest(found: list[Curve]) -> None:
    units = range(len(found))
    whole = joined(found, units, "minmax")
    assert whole.x.tolist() == sorted({at for curve in found for at in curve.x.tolist()})
    both = np.isfinite(whole.low)
    assert (whole.low[both] <= whole.mean[both] + 1e-6).all()
    assert (whole.mean[both] <= whole.high[both] + 1e-6).all()
    for name in ("std", "ci"):
        band = joined(found, units, name)  # type: ignore[arg-type]
        assert np.array_equal(band.mean, whole.mean, equal_nan=True)
        assert np.array_equal(np.isnan(band.low), ~both)


def test_many_points_are_joined_in_parts_that_change_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    draw = np.random.default_rng(0)
    found = [Curve(np.sort(draw.uniform(0, 9, 200)), draw.normal(size=200)) for _ in range(3)]
    whole = joined(found, range(3), "std")
    monkeypatch.setattr("thexp_pl.report.figures.bands._CELLS", 100)
    parts = joined(found, range(3), "std")
    assert np.array_equal(whole.mean, parts.mean)
    assert np.array_equal(whole.high, parts.high, equal_nan=True)


@given(
    st.lists(st.one_of(numbers, st.just(math.nan)), min_size=2, max_size=400),
    st.integers(1, 20),
)
def test_of_each_column_of_dots_the_extremes_and_both_ends_are_kept(
    values: list[float], buckets: int
) -> None:
    x, y = np.arange(len(values), dtype=float), np.array(values)
    places = visible(x, [y], buckets)
    assert (np.diff(places) > 0).all()
    assert len(places) <= 5 * buckets
    if len(values) <= 4 * buckets:
        assert len(places) == len(values)
        return
    kept = set(places.tolist())
    columns = np.minimum((x / (x[-1] / buckets)).astype(int), buckets - 1)
    for column in range(buckets):
        inside = np.flatnonzero(columns == column)
        own = [place for place in inside.tolist() if place in kept]
        assert {inside[0], inside[-1]} <= kept
        assert same(np.fmin.reduce(y[inside]), np.fmin.reduce(y[own]))
        assert same(np.fmax.reduce(y[inside]), np.fmax.reduce(y[own]))
        assert np.isnan(y[inside]).any() == np.isnan(y[own]).any()


def same(one: float, other: float) -> bool:
    return bool(one == other or (math.isnan(one) and math.isnan(other)))


def test_a_spike_among_many_points_is_drawn() -> None:
    values: Array = np.full(20_000, 1.0)
    values[12_345], values[777] = 9.0, -9.0
    record([(step, 0, {"loss": value}) for step, value in enumerate(values.tolist())])
    ((x, y),) = curves(metric_figure(rows()))
    assert len(x) < 6_000
    drawn = dict(zip(x, y, strict=True))
    assert (drawn[12_345], drawn[777], x[0], x[-1]) == (9.0, -9.0, 0, 19_999)
