"""Evaluating and predicting on two ranks: all have the same values, of each sample once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ddp_helpers import Deed, together
from evaluation_cases import LOADERS
from trainer_helpers import (
    EvalTrainer,
    ended_runs,  # noqa: F401 - a fixture of every test here
    start,
)

from thexp_pl.errors import TrainerError, UsageError


def evaluated(**options: Any) -> Deed:
    return Deed("evaluation_cases:evaluated", **options)


DEEDS = {
    **{kind: evaluated(loader=[kind, 7]) for kind in LOADERS},
    "average": evaluated(loader=["exact", 7], how="average"),
    "average, whole": evaluated(loader=["plain", 7], how="average"),
    "metrics": evaluated(loader=["exact", 7], how="metrics"),
    "metrics, whole": evaluated(loader=["plain", 7], how="metrics"),
    "lone metric": evaluated(loader=["exact", 8], how="lone_metric"),
    "too few": evaluated(loader=["exact", 1]),
    "limited": evaluated(loader=["exact", 20], limit_val_batches=2),
    "limited, whole": evaluated(loader=["plain", 20], limit_val_batches=2),
    "statistics": Deed("evaluation_cases:trained_and_evaluated"),
    "predicted": Deed("evaluation_cases:predicted", loader=["exact", 7]),
    "predicted bundle": Deed("evaluation_cases:predicted", loader=["bundle", 3]),
}


@pytest.fixture(scope="module")
def outcomes() -> dict[str, list[Any]]:
    """What each rank made of each."""
    return dict(zip(DEEDS, together(list(DEEDS.values())), strict=True))


def of(outcomes: dict[str, list[Any]], name: str) -> tuple[Any, Any]:
    """Give what the ranks saw, and the values, which must be alike."""
    first, second = outcomes[name]
    assert not isinstance(first, BaseException), first
    assert first[1:] == second[1:], "the ranks do not agree"
    return (first[0], second[0]), first[1:]


@pytest.mark.parametrize("kind", ["plain", "iterable", "mixed"])
def test_what_gives_no_shares_is_evaluated_whole_and_rank_0_counts(
    kind: str, outcomes: dict[str, list[Any]]
) -> None:
    (first, second), (numbers, values, text) = of(outcomes, kind)

    everything = [float(number) for number in range(7)] * (2 if kind == "mixed" else 1)
    assert first == second == everything
    names = {"eval_mean": 3.0, "eval_count": len(everything), "eval_rank": 0.0, "eval_of_0": 1.0}
    assert numbers == names
    assert (values["text"], values["pair"], values["count"]) == ("rank 0", [0, 7], len(everything))
    assert "@mean=300.00%" in text, "the Meter's own formats stay"


@pytest.mark.parametrize("kind", ["exact", "exact, shuffled", "bundle"])
def test_of_what_gives_shares_each_sample_is_evaluated_once_and_the_means_are_joined(
    kind: str, outcomes: dict[str, list[Any]]
) -> None:
    (first, second), (numbers, values, _) = of(outcomes, kind)

    times = 2 if kind == "bundle" else 1
    assert sorted(first + second) == sorted([float(number) for number in range(7)] * times)
    assert abs(len(first) - len(second)) == times
    assert numbers["eval_mean"] == pytest.approx(3.0)
    assert numbers["eval_rank"] == pytest.approx(3 / 7), "weighted by the samples, 4 and 3"
    assert (values["text"], values["pair"]) == ("rank 0", [0, 7])


def test_a_loader_with_a_distributed_sampler_gives_the_shares_that_torch_makes(
    outcomes: dict[str, list[Any]],
) -> None:
    (first, second), (numbers, _, _) = of(outcomes, "DistributedSampler")
    assert (first, second) == ([0.0, 2.0, 4.0, 6.0], [1.0, 3.0, 5.0, 0.0])
    assert numbers["eval_mean"] == pytest.approx((3 + 9 / 4) / 2)


def test_a_loader_that_drops_its_last_batch_evaluates_none_twice(
    outcomes: dict[str, list[Any]],
) -> None:
    (first, second), _ = of(outcomes, "exact, dropping")
    assert (len(first), len(second)) == (4, 2)
    assert not set(first) & set(second)


def test_a_bundle_of_shares_and_wholes_is_evaluated_whole_where_it_can_be_and_else_refused(
    outcomes: dict[str, list[Any]],
) -> None:
    (first, second), _ = of(outcomes, "zipped")
    assert first == second
    assert sorted(first) == sorted([float(number) for number in range(7)] * 2)
    for error in outcomes["shared and plain"]:
        assert isinstance(error, UsageError)
        assert "a share of some and all of others" in str(error)


def test_an_average_is_joined_by_what_it_has_counted(outcomes: dict[str, list[Any]]) -> None:
    _, (numbers, values, _) = of(outcomes, "average")
    assert numbers == pytest.approx({"eval_mean": 3.0, "eval_of_0": 1.0, "eval_of_1": 1.0})
    assert values["text"] == "rank 0"
    _, (numbers, values, _) = of(outcomes, "average, whole")
    assert numbers == {"eval_mean": 3.0, "eval_of_0": 1.0}
    assert values.keys() == {"mean", "of_0", "text"}


def test_metrics_synchronise_over_shares_and_count_nothing_twice(
    outcomes: dict[str, list[Any]],
) -> None:
    for name in ("metrics", "metrics, whole"):
        _, (numbers, _, _) = of(outcomes, name)
        assert numbers == pytest.approx({"eval_total": 21.0, "eval_mean": 3.0}), name


def test_a_metric_on_one_rank_alone_is_an_error_on_both(outcomes: dict[str, list[Any]]) -> None:
    for error in outcomes["lone metric"]:
        assert isinstance(error, TrainerError)
        assert "'lone' synchronises on all ranks, and was not updated on ranks [0]" in str(error)


def test_a_loader_with_fewer_samples_than_ranks_is_evaluated_whole(
    outcomes: dict[str, list[Any]],
) -> None:
    (first, second), _ = of(outcomes, "too few")
    assert first == second == [0.0]


def test_a_limit_counts_the_batches_of_each_rank(outcomes: dict[str, list[Any]]) -> None:
    (first, second), _ = of(outcomes, "limited")
    assert sorted(first + second) == [float(number) for number in range(8)]
    (first, second), _ = of(outcomes, "limited, whole")
    assert first == second == [0.0, 1.0, 2.0, 3.0]


def test_statistics_that_ranks_gathered_apart_are_rank_0s_in_an_evaluation(
    outcomes: dict[str, list[Any]],
) -> None:
    (before, one, seen, again), (before_1, one_1, seen_1, again_1) = outcomes["statistics"]

    assert before != before_1, "the test would show nothing"
    assert seen != seen_1
    assert one == one_1 == again == again_1
    assert one["eval_running"] == pytest.approx(before[0])


def test_every_rank_has_all_predictions_in_order(outcomes: dict[str, list[Any]]) -> None:
    everything = [float(number) for number in range(7)]
    assert outcomes["predicted"] == [everything, everything]
    assert outcomes["predicted bundle"] == [everything[:3] * 2] * 2


def test_before_the_processes_are_connected_one_evaluates_by_itself(tmp_path: Path) -> None:
    trainer = start(EvalTrainer, tmp_path, 1, devices=2, strategy="ddp_fork")
    alone = start(EvalTrainer, tmp_path, 1)

    assert trainer.evaluate("eval") == alone.evaluate("eval")
