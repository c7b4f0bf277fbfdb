"""Repeated runs in a figure: their mean and its band, against numpy by hand."""

from __future__ import annotations

import importlib.util
import math
import sys
from typing import Any

import numpy as np
import pytest
from figure_helpers import bands, curves, labels, record, record_values, rows

from thexp_pl.compare import summarise
from thexp_pl.errors import UsageError
from thexp_pl.report.figures import metric_figure

NAN, INF = math.nan, math.inf
VALUES = np.array([[1.0, 2.0, 4.0, 8.0], [2.0, 2.0, 5.0, 0.5], [6.0, 2.0, 0.0, 1.0]])


def drawn(by: Any = "lr", **options: Any) -> tuple[Any, list[str]]:
    said: list[str] = []
    return metric_figure(rows(), by=by, remark=said.append, **options), said


def record_seeds(values: Any = VALUES, **params: Any) -> list[str]:
    return [record_values(own, seed=seed, **params) for seed, own in enumerate(values)]


def test_a_group_is_its_mean_with_a_band_of_one_standard_deviation() -> None:
    record_seeds(lr=0.1)
    record_seeds(VALUES + 10, lr=0.2)
    figure, said = drawn()
    assert labels(figure) == ["lr=0.1 (n=3)", "lr=0.2 (n=3)"]
    assert said == []
    for place, values in enumerate((VALUES, VALUES + 10)):
        x, y = curves(figure)[place]
        assert x == [0, 1, 2, 3]
        assert np.allclose(y, values.mean(axis=0))
        low, high = bands(figure)[place]
        assert np.allclose(low, values.mean(axis=0) - values.std(axis=0, ddof=1))
        assert np.allclose(high, values.mean(axis=0) + values.std(axis=0, ddof=1))


def test_the_other_bands_are_the_interval_of_stats_and_the_extremes() -> None:
    record_seeds(lr=0.1)
    low, high = bands(drawn(band="minmax")[0])[0]
    assert (low.tolist(), high.tolist()) == (VALUES.min(0).tolist(), VALUES.max(0).tolist())
    assert bands(drawn(band="none")[0]) == []
    low, high = bands(drawn(band="ci")[0])[0]
    measured = summarise(rows(), by="lr").groups[0].metrics["loss"]
    assert measured.interval is not None
    assert np.allclose((low[-1], high[-1]), measured.interval)


def test_without_scipy_the_interval_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    record_seeds(lr=0.1)
    for name in [name for name in sys.modules if name.partition(".")[0] == "scipy"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "scipy", None)
    assert importlib.util.find_spec("scipy") is None
    with pytest.raises(UsageError, match=r"needs the package scipy; run: pip install .*\[stats\]"):
        drawn(band="ci")
    assert bands(drawn(band="std")[0])


def test_a_group_of_one_run_has_no_band() -> None:
    record_values([1.0, 2.0], lr=0.1, seed=0)
    record_seeds(lr=0.2)
    figure, _ = drawn()
    assert labels(figure) == ["lr=0.1 (n=1)", "lr=0.2 (n=3)"]
    assert curves(figure)[0] == ([0, 1], [1.0, 2.0])
    assert len(bands(figure)) == 1


def test_steps_that_only_some_have_are_read_between_the_points_of_the_others() -> None:
    record([(0, 0, {"loss": 0.0}), (10, 0, {"loss": 10.0})], lr=1, seed=0)
    record([(4, 0, {"loss": 0.0}), (6, 0, {"loss": 2.0}), (12, 0, {"loss": 8.0})], lr=1, seed=1)
    figure, said = drawn()
    ((x, y),) = curves(figure)
    assert x == [0, 4, 6, 10, 12]
    # alone at 0 and at 12: nothing is read outside of a run's own range
    assert np.allclose(y, [0, (4 + 0) / 2, (6 + 2) / 2, (10 + 6) / 2, 8])
    assert said == [
        "'loss': the runs of 'lr=1 (n=2)' end between step 10 and 12: from there the mean is that"
        " of the others"
    ]


def test_a_value_that_is_not_finite_has_no_part_in_the_mean_and_that_is_said() -> None:
    record_values([1.0, NAN, INF, 4.0], lr=1, seed=0)
    record_values([3.0, 5.0, 7.0, 8.0], lr=1, seed=1)
    figure, said = drawn()
    assert curves(figure)[0][1] == [2.0, 5.0, 7.0, 6.0]
    assert said == [
        "'loss' is not finite everywhere in 1 of the 2 runs of 'lr=1 (n=2)': there the mean leaves"
        " them out"
    ]


def test_no_value_is_read_across_a_gap() -> None:
    record_values([1.0, NAN, 3.0], lr=1, seed=0)
    record_values([0.0, 0.0, 0.0], lr=1, seed=1)
    record([(1, 0, {"loss": NAN})], lr=1, seed=2)
    figure, _ = drawn()
    assert [str(value) for value in curves(figure)[0][1]] == ["0.5", "0.0", "1.5"]


def test_each_run_is_smoothed_by_itself_before_the_mean() -> None:
    record_seeds(lr=0.1)
    figure, _ = drawn(smooth=0.5)
    smooth = [
        [sum(0.5 ** (n - i) * own[i] for i in range(n + 1)) / (2 - 0.5**n) for n in range(4)]
        for own in VALUES
    ]
    assert np.allclose(curves(figure)[0][1], np.mean(smooth, axis=0))
    low, _high = bands(figure)[0]
    assert np.allclose(low, np.mean(smooth, axis=0) - np.std(smooth, axis=0, ddof=1))


def test_all_but_seed_groups_as_stats_does() -> None:
    for lr in (0.1, 0.2):
        for size in (1, 2):
            record_seeds(VALUES[:2] * lr, lr=lr, size=size)
    figure, _ = drawn(by="all-but-seed")
    assert labels(figure) == [f"lr={lr}, size={size} (n=2)" for lr in (0.1, 0.2) for size in (1, 2)]
    wanted = [dict(group.values) for group in summarise(rows()).groups]
    assert wanted == [{"lr": lr, "size": size} for lr in (0.1, 0.2) for size in (1, 2)]


def test_another_parameter_can_be_the_seed() -> None:
    for trial in range(3):
        record_values(VALUES[trial], lr=1, trial=trial)
    assert labels(drawn(by="all-but-seed")[0]) == [f"trial={n} (n=1)" for n in range(3)]
    assert len(curves(drawn(by="all-but-seed", seed="trial")[0])) == 1


def test_runs_that_are_the_same_again_count_once() -> None:
    record_values([1.0, 1.0], lr=1, seed=0)
    record_values([3.0, 3.0], lr=1, seed=0)
    record_values([5.0, 8.0], lr=1, seed=1)
    figure, _ = drawn()
    assert curves(figure)[0][1] == [3.5, 5.0]  # of 2 and 5, of 2 and 8
    assert np.allclose(bands(figure)[0][1] - [3.5, 5.0], np.std([[2, 2], [5, 8]], 0, ddof=1))


def test_an_experiment_named_after_the_parameters_is_not_told_twice() -> None:
    for lr in (0.1, 0.2):
        for seed in (0, 1):
            record([(0, 0, {"loss": 1.0})], f"digits_lr={lr}_seed={seed}", lr=lr, seed=seed)
    assert labels(drawn(by="all-but-seed")[0]) == ["lr=0.1 (n=2)", "lr=0.2 (n=2)"]
    record([(0, 0, {"loss": 1.0})], "other", lr=0.2, seed=0)
    assert labels(drawn(by="all-but-seed")[0])[-1] == "other, lr=0.2 (n=1)"


def test_groups_whose_long_names_look_alike_are_numbered() -> None:
    for n in range(2):
        record_values([1.0, 2.0], name_of=f"{'x' * 40}{n}{'y' * 40}")
    one, two = labels(drawn(by="name_of")[0])
    assert (one[-8:], two[-8:]) == ("(1, n=1)", "(2, n=1)")
    assert max(len(one), len(two)) < 70


def test_a_band_that_reaches_below_zero_ends_at_the_edge_of_a_logarithmic_axis() -> None:
    record_seeds([[1.0, 10.0, 7.0], [100.0, 10.0, 8.0]], lr=1)
    figure, said = drawn(log_y=True)
    low, high = bands(figure)[0]
    edge = figure.axes[0].get_ylim()[0]
    assert np.allclose(edge, 0.75)  # a decade below the least mean
    assert np.allclose(low, [edge, 10.0, 7.5 - math.sqrt(0.5)])
    assert np.allclose(high[0], np.mean([1, 100]) + np.std([1, 100], ddof=1))
    assert said == []
