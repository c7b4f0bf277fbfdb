"""Statistics of repeated runs: their numbers, against references."""

from __future__ import annotations

import math
import random
import sys
from typing import Any

import pytest
from compare_helpers import repeats, run
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from thexp_pl.compare.stats import MeanTest, Summary, summarise
from thexp_pl.errors import UsageError
from thexp_pl.runs import RunRow

# Student (1908), as R has them in `sleep`
SLEEP_1 = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
SLEEP_2 = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]


def made_of(summary: Summary, kind: str) -> dict[tuple[int, int], MeanTest]:
    return {test.groups: test for test in summary.tests if test.kind == kind}


def without_keys(summary: Summary) -> dict[str, Any]:
    found = summary.to_dict()
    for group in found["groups"]:
        del group["keys"]
    return found


def test_the_paired_test_of_the_sleep_data_is_that_of_r() -> None:
    found = summarise([*repeats(SLEEP_1, drug=1), *repeats(SLEEP_2, drug=2)])
    test = made_of(found, "paired")[1, 2]
    assert test.t == pytest.approx(-4.0621, abs=5e-5)
    assert test.df == 9
    assert test.p == pytest.approx(0.002833, abs=5e-7)
    assert test.difference == pytest.approx(-1.58)
    assert (test.low, test.high) == pytest.approx((-2.4598858, -0.7001142))
    assert test.n == (10, 10)


def test_welchs_test_of_the_sleep_data_is_that_of_r() -> None:
    found = summarise([*repeats(SLEEP_1, drug=1), *repeats(SLEEP_2, drug=2)])
    test = made_of(found, "welch")[1, 2]
    assert test.t == pytest.approx(-1.8608, abs=5e-5)
    assert test.df == pytest.approx(17.776, abs=5e-4)
    assert test.p == pytest.approx(0.07939, abs=5e-6)
    assert (test.low, test.high) == pytest.approx((-3.3654832, 0.2054832))


def test_mean_deviation_and_interval_are_those_worked_by_hand() -> None:
    (group,) = summarise(repeats([2.0, 4.0, 6.0], lr=1)).groups
    measured = group.metrics["acc"]
    sample = measured.sample
    assert (sample.n, sample.mean, sample.std, sample.min, sample.max) == (3, 4.0, 2.0, 2.0, 6.0)
    half = 4.302652729911275 * 2 / math.sqrt(3)  # t(0.975, 2)
    assert measured.interval == pytest.approx((4 - half, 4 + half))
    assert group.seeds == (0, 1, 2)


def test_the_confidence_is_that_of_all_intervals() -> None:
    rows = [*repeats(SLEEP_1, drug=1), *repeats(SLEEP_2, drug=2)]
    found = summarise(rows, confidence=0.9)
    assert found.groups[0].metrics["acc"].interval == pytest.approx(
        stats.t.interval(0.9, 9, *(stats.norm.fit(SLEEP_1)[0], stats.sem(SLEEP_1)))
    )
    reference = stats.ttest_rel(SLEEP_1, SLEEP_2).confidence_interval(0.9)
    test = made_of(found, "paired")[1, 2]
    assert (test.low, test.high) == pytest.approx(tuple(reference))
    for wrong in (0, 1, 95, math.nan, 1 - 2**-53):
        with pytest.raises(UsageError, match="between 0 and 1"):
            summarise(rows, confidence=wrong)


def test_hedges_g_is_that_worked_by_hand() -> None:
    # means 2 and 5, both variances 1: d = -3, and the correction is 1 - 3 / (4 * 4 - 1)
    found = summarise([*repeats([1.0, 2.0, 3.0], lr=1), *repeats([4.0, 5.0, 6.0], lr=2)])
    assert made_of(found, "welch")[1, 2].hedges_g == pytest.approx(-3 * 0.8)


def test_the_size_of_a_paired_difference_is_that_of_its_pairs() -> None:
    one = [run({"lr": 1, "seed": s}, {"acc": v}) for s, v in ((0, 1.0), (1, 2.0), (9, 30.0))]
    found = summarise([*one, *repeats([5.0, 6.5], lr=2)])
    # of the pairs: means 1.5 and 5.75, variances 0.5 and 1.125, and the correction is 1 - 3 / 7
    expected = -4.25 / math.sqrt((0.5 + 1.125) / 2) * 4 / 7
    assert made_of(found, "paired")[1, 2].hedges_g == pytest.approx(expected)
    assert (made_of(found, "welch")[1, 2].hedges_g or 0) > 0


@pytest.mark.parametrize("plus", [10.0, 1e6, -1.0])
def test_differences_that_are_the_same_but_for_rounding_are_not_tested(plus: float) -> None:
    values = [0.1, 0.2, 0.30000000000000004, 0.7]
    found = summarise([*repeats(values, lr=1), *repeats([v + plus for v in values], lr=2)])
    assert [test.kind for test in found.tests] == ["welch"]
    noise = [repeats([0.1 * 3 + n, 0.3 + n, 0.3 + n], lr=n) for n in (0.0, plus)]
    same = summarise([row for rows in noise for row in rows])
    assert same.tests == ()
    assert [group.metrics["acc"].interval for group in same.groups] == [None, None]
    near = [*repeats(values, lr=1), *repeats([plus, plus + 1e-4, plus - 1e-4], lr=2)]
    assert [test.kind for test in summarise(near).tests] == ["paired", "welch"]


def test_values_too_far_apart_for_floats_are_not_said_to_be_the_same() -> None:
    rows = [*repeats([1e308, -1e308, 1.7e308], lr=1), *repeats([0.0, 0.0, 0.0, 1.0], lr=2)]
    (note,) = summarise(rows).notes
    assert note.endswith("as far as floats can hold and tell them, so no test, of 'acc'")


def test_p_values_are_corrected_by_holm_within_a_metric_and_a_kind_of_test() -> None:
    groups = [[0.1, 0.2, 0.4], [0.3, 0.5, 0.6], [0.9, 1.4, 1.0]]
    rows = [row for lr, values in enumerate(groups) for row in repeats(values, lr=lr)]
    found = summarise(rows)
    for kind in ("paired", "welch"):
        tests = sorted(made_of(found, kind).values(), key=lambda test: test.p)
        assert len(tests) == 3
        first, second, third = (test.p for test in tests)
        expected = [3 * first, max(3 * first, 2 * second), max(3 * first, 2 * second, third)]
        assert [test.p_holm for test in tests] == pytest.approx([min(p, 1) for p in expected])


def test_pairs_are_the_seeds_that_both_groups_have() -> None:
    one = [run({"lr": 1, "seed": s}, {"acc": v}) for s, v in ((1, 0.5), (2, 0.7), (3, 0.9))]
    two = [run({"lr": 2, "seed": s}, {"acc": v}) for s, v in ((9, 0.1), (3, 0.8), (2, 0.5))]
    test = made_of(summarise([*one, *two]), "paired")[1, 2]
    reference = stats.ttest_rel([0.7, 0.9], [0.5, 0.8])
    assert (test.n, test.t, test.p) == ((2, 2), *map(pytest.approx, reference))
    apart = [run({"lr": 2, "seed": s}, {"acc": v}) for s, v in ((7, 0.1), (8, 0.8), (9, 0.5))]
    found = summarise([*one, *apart])
    assert made_of(found, "paired") == {}
    assert made_of(found, "welch")[1, 2].n == (3, 3)


def test_values_that_do_not_vary_have_no_interval_and_no_test() -> None:
    found = summarise([*repeats([0.5, 0.5, 0.5], lr=1), *repeats([0.5, 0.5, 0.5], lr=2)])
    assert [group.metrics["acc"].sample.std for group in found.groups] == [0.0, 0.0]
    assert [group.metrics["acc"].interval for group in found.groups] == [None, None]
    assert found.tests == ()
    assert "no test, of 'acc'" in found.notes[-1]
    varying = summarise([*repeats([0.5, 0.5, 0.5], lr=1), *repeats([0.5, 0.6, 0.7], lr=2)])
    assert [test.kind for test in varying.tests] == ["paired", "welch"]


def test_one_run_has_no_interval_and_that_is_said() -> None:
    found = summarise([*repeats([0.5], lr=1), *repeats([0.5, 0.6], lr=2)])
    assert found.groups[0].metrics["acc"].interval is None
    assert found.groups[0].metrics["acc"].sample.std is None
    assert "a group of one run has neither a deviation nor an interval" in found.notes


@pytest.mark.parametrize(
    "values", [[1e308, -1e308, 1e308], [1e-320, 2e-320, 5e-324], [1.0, 1.0 + 2**-52, 1.0]]
)
def test_numbers_at_the_ends_of_floats_raise_and_warn_of_nothing(values: list[float]) -> None:
    found = summarise([*repeats(values, lr=1), *repeats(values[::-1], lr=2)])
    assert found.groups[0].metrics["acc"].sample.n == 3
    assert all(math.isfinite(test.p) for test in found.tests)


def test_without_scipy_there_are_means_and_the_way_to_have_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows = [*repeats(SLEEP_1, drug=1), *repeats(SLEEP_2, drug=2)]
    for name in ("scipy", "scipy.stats"):
        monkeypatch.setitem(sys.modules, name, None)  # as Python finds it where there is none
    found = summarise(rows)
    assert [group.metrics["acc"].sample.mean for group in found.groups] == [0.75, 2.33]
    assert [group.metrics["acc"].interval for group in found.groups] == [None, None]
    assert found.tests == ()
    (note,) = found.notes
    assert "pip install 'thexp-pl[stats]'" in note


def test_more_groups_than_can_be_tested_are_summarised_and_that_is_said() -> None:
    rows = [row for lr in range(21) for row in repeats([0.1 * lr, 0.2], lr=lr)]
    found = summarise(rows)
    assert (len(found.groups), found.tests) == (21, ())
    assert "21 groups are too many to test" in found.notes[-1]
    assert len(summarise(rows[:-2]).tests) == 2 * 190


finite = st.floats(-1e6, 1e6).map(lambda value: round(value, 3))
groups = st.lists(
    st.lists(st.none() | st.just(math.nan) | finite, min_size=1, max_size=5), min_size=1, max_size=4
)


def made(values: list[list[float | None]], plus: float = 0.0) -> list[RunRow]:
    return [
        run({"lr": lr, "seed": seed}, {} if value is None else {"acc": value + plus})
        for lr, own in enumerate(values)
        for seed, value in enumerate(own)
    ]


@settings(max_examples=30)
@given(groups, st.randoms(use_true_random=False))
def test_the_order_of_the_runs_has_no_part_in_the_result(
    values: list[list[float | None]], draw: random.Random
) -> None:
    rows = made(values)
    shuffled = list(rows)
    draw.shuffle(shuffled)
    assert summarise(shuffled).to_dict() == summarise(rows).to_dict()


@settings(max_examples=30)
@given(groups, st.sampled_from([-3.0, 0.5, 100.0]))
def test_a_constant_moves_the_means_and_leaves_the_tests(
    values: list[list[float | None]], plus: float
) -> None:
    here, there = summarise(made(values)), summarise(made(values, plus))
    for one, other in zip(here.groups, there.groups, strict=True):
        for name, measured in one.metrics.items():
            if measured.sample.mean is None:
                assert other.metrics[name].sample.mean is None
                continue
            moved = other.metrics[name].sample.mean
            assert moved == pytest.approx(measured.sample.mean + plus, abs=1e-8)
    # values that differ by a rounding only are another question
    pairs = [
        (a, b) for a in here.tests for b in there.tests if (a.groups, a.kind) == (b.groups, b.kind)
    ]
    for one, other in pairs:
        if 1e-6 < abs(one.t) < 1e6:
            assert other.p == pytest.approx(one.p, rel=1e-3, abs=1e-6)


@settings(max_examples=30)
@given(groups)
def test_every_run_is_in_just_one_group(values: list[list[float | None]]) -> None:
    rows = made(values)
    found = summarise(rows)
    assert sorted(key for group in found.groups for key in group.keys) == sorted(
        row.key for row in rows
    )
    assert len(found.groups) == len(values)


def test_the_same_runs_say_the_same_in_json() -> None:
    rows = [*repeats(SLEEP_1, drug=1), *repeats(SLEEP_2, drug=2)]
    again = [*repeats(SLEEP_1, drug=1), *repeats(SLEEP_2, drug=2)]
    assert without_keys(summarise(rows)) == without_keys(summarise(again))
