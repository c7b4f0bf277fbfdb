"""MeterCallback on two ranks, in the facade and without it: one mean over all, on every rank."""

from __future__ import annotations

from typing import Any

import pytest
from ddp_helpers import Deed, together


def trained(kind: str, size: int, **options: Any) -> Deed:
    return Deed("evaluation_cases:trained", loader=[kind, size], **options)


def plainly(names: str) -> Deed:
    return Deed("evaluation_cases:plainly_trained", names=names)


DEEDS = {
    **{kind: trained(kind, 12) for kind in ("plain", "bundle", "zipped")},
    "uneven": trained("plain", 7),
    "iterable": trained("iterable", 10),
    "refused": Deed("evaluation_cases:trained_on_own", kind="bundled"),
    "by Lightning": Deed("evaluation_cases:trained_on_own", kind="alone"),
    "same": plainly("same"),
    "apart": plainly("apart"),
    "metric": plainly("metric"),
}


@pytest.fixture(scope="module")
def outcomes() -> dict[str, list[Any]]:
    """What each rank made of each."""
    return dict(zip(DEEDS, together(list(DEEDS.values())), strict=True))


def of(outcomes: dict[str, list[Any]], name: str) -> list[Any]:
    for outcome in outcomes[name]:
        assert not isinstance(outcome, BaseException), outcome
    return outcomes[name]


@pytest.mark.parametrize(("kind", "times"), [("plain", 1), ("bundle", 2), ("zipped", 2)])
def test_each_rank_trains_on_its_share_and_both_have_the_mean_of_all(
    kind: str, times: int, outcomes: dict[str, list[Any]]
) -> None:
    (first, metrics, _, _), (second, metrics_1, _, _) = of(outcomes, kind)

    assert len(first) == len(second)
    seen = [number for batch in first + second for number in batch]
    assert sorted(seen) == sorted([float(number) for number in range(12)] * times)
    assert metrics == metrics_1, "not the same bits"
    assert metrics == pytest.approx({"number": 5.5, "of_0": 0.0, "of_1": 1.0})


def test_a_mean_is_weighted_by_what_each_rank_has_counted(outcomes: dict[str, list[Any]]) -> None:
    (first, metrics, _, shown), (second, metrics_1, _, shown_1) = of(outcomes, "uneven")

    seen = [number for batch in first + second for number in batch]
    assert sorted(seen) == [0.0, *(float(number) for number in range(7))], "the first one twice"
    assert metrics["number"] == metrics_1["number"] == pytest.approx(sum(seen) / 8)
    assert shown["number"] == pytest.approx(metrics["number"]), "the console says the same"
    assert shown_1["number"] == pytest.approx(metrics["number"])


def test_an_iterable_is_dealt_out_by_batches_and_a_warning_says_so(
    outcomes: dict[str, list[Any]],
) -> None:
    (first, metrics, words, _), (second, metrics_1, words_1, _) = of(outcomes, "iterable")

    assert first == [[0.0, 1.0], [4.0, 5.0], [8.0, 9.0]]
    assert second == [[2.0, 3.0], [6.0, 7.0], [8.0, 9.0]], "the last of five batches twice"
    assert metrics == metrics_1
    assert metrics["number"] == pytest.approx((45 + 8 + 9) / 12)
    (said,) = [word for word in words if "processes" in word]
    assert "Batches: each of 2 processes reads all of it" in said
    assert "shares_itself = True" in said
    assert not [word for word in words_1 if "processes" in word]


def test_a_loader_of_a_class_of_its_own_is_left_to_lightning_and_refused_in_a_bundle(
    outcomes: dict[str, list[Any]],
) -> None:
    for error in outcomes["refused"]:
        assert "derive it from thexp_pl.data.ExactDataLoader" in str(error)
    first, second = of(outcomes, "by Lightning")
    seen = [number for batch in first + second for number in batch]
    assert sorted(seen) == [float(number) for number in range(8)]


def test_in_a_plain_trainer_names_of_some_ranks_reach_all_without_advice_from_lightning(
    outcomes: dict[str, list[Any]],
) -> None:
    (metrics, words), (metrics_1, words_1) = of(outcomes, "apart")
    assert metrics == metrics_1
    assert metrics == pytest.approx({"number": 4.5, "of_0": 0.4, "of_1": 0.4}, rel=1e-6)
    assert words == words_1 == []
    (metrics, _), (metrics_1, _) = of(outcomes, "same")
    assert metrics == metrics_1
    assert metrics.keys() == {"number", "same"}


def test_a_metric_that_is_updated_in_each_step_is_synchronised(
    outcomes: dict[str, list[Any]],
) -> None:
    (metrics, _), (metrics_1, _) = of(outcomes, "metric")
    assert metrics == metrics_1
    assert metrics["metric"] == pytest.approx(metrics["number"])
