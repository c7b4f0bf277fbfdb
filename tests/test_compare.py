"""Runs beside one another: what differs, and which is best."""

from __future__ import annotations

import math
from typing import Any

import pytest
from compare_helpers import run

from thexp_pl.compare.comparison import Comparison, compare_runs, sort_runs
from thexp_pl.compare.groups import compare_groups
from thexp_pl.compare.metric import better
from thexp_pl.compare.stats import summarise
from thexp_pl.compare.values import MISSING
from thexp_pl.errors import UsageError


def column(comparison: Comparison, full: str) -> list[Any]:
    place = [column.full for column in comparison.columns].index(full)
    return [values[place] for values in comparison.values]


def best(comparison: Comparison) -> dict[str, set[int]]:
    return {column.full: set(places) for column, places in comparison.best.items()}


def test_only_what_differs_is_compared_and_metrics_always() -> None:
    found = compare_runs(
        [
            run({"lr": 0.1, "optim": {"name": "SGD", "beta": 0.9}}, {"acc": 0.5}, code="a"),
            run({"lr": 0.2, "optim": {"name": "SGD", "beta": 0.99}}, {"acc": 0.5}, code="b"),
        ]
    )
    assert [column.full for column in found.columns] == [
        "params.lr",
        "params.optim.beta",
        "code",
        "metrics.acc.last",
    ]
    assert found.values == ((0.1, 0.9, "a", 0.5), (0.2, 0.99, "b", 0.5))


@pytest.mark.parametrize("fact", ["code", "packages", "python", "host", "commit", "experiment"])
def test_each_fact_is_shown_where_it_differs_and_only_then(fact: str) -> None:
    rows = [run(**{fact: "one"}), run(**{fact: "other"}), run(**{fact: ""})]
    found = compare_runs(rows)
    assert [column.full for column in found.columns] == [fact]
    assert column(found, fact) == ["one", "other", MISSING]
    assert compare_runs(rows[:1] * 2).columns == ()


@pytest.mark.parametrize(
    ("one", "other", "differs"),
    [
        (1, 1.0, False),
        (1, True, True),
        (0, False, True),
        (1, "1", True),
        (None, "", True),
        (None, "None", True),
        ([1, [2, 3]], [1, [2, 3]], False),
        ([1, 2], [2, 1], True),
        (math.nan, math.nan, False),
        ({}, None, True),
    ],
)
def test_values_differ_as_a_user_would_say(one: Any, other: Any, differs: bool) -> None:
    found = compare_runs([run({"x": one}), run({"x": other})])
    assert bool(found.columns) is differs


def test_a_missing_parameter_differs_from_every_value() -> None:
    found = compare_runs([run({"x": None}), run({})])
    assert column(found, "params.x") == [None, MISSING]
    first, second = found.to_dict()["runs"]
    assert (first["params"], second["params"]) == ({"x": None}, {})


def test_params_and_metrics_can_be_named() -> None:
    rows = [run({"a": 1, "b": 2}, {"acc": 0.1, "loss": 1.0}), run({"a": 1, "b": 3}, {"acc": 0.2})]
    rows[0].metrics["loss"]["min"] = 0.5
    found = compare_runs(rows, params=["a", "params.b"], metrics=["loss.min", "metrics.acc"])
    assert [column.title for column in found.columns] == ["a", "b", "loss.min", "acc"]
    assert column(found, "metrics.loss.min") == [0.5, MISSING]


def test_a_metric_whose_name_ends_like_an_aggregate_is_itself() -> None:
    rows = [run({}, {"val.max": 0.25, "val": 0.5})]
    rows[0].metrics["val"]["max"] = 0.75
    assert column(compare_runs(rows, metrics=["val.max"]), "metrics.val.max.last") == [0.25]
    assert column(compare_runs(rows, metrics=["val.mean"]), "metrics.val.mean") == [0.5]


def test_the_smallest_loss_and_the_largest_accuracy_are_best() -> None:
    rows = [run({}, {"loss": value, "acc": value}) for value in (0.5, 0.1, 0.9, 0.1)]
    assert best(compare_runs(rows)) == {"metrics.loss.last": {1, 3}, "metrics.acc.last": {2}}
    turned = compare_runs(rows, smaller=["acc"], larger=["loss"])
    assert best(turned) == {"metrics.loss.last": {2}, "metrics.acc.last": {1, 3}}


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_never_best(bad: float) -> None:
    rows = [run({}, {"loss": bad, "acc": bad}), run({}, {"loss": 9.0, "acc": 0.1}), run({})]
    assert best(compare_runs(rows)) == {"metrics.loss.last": {1}, "metrics.acc.last": {1}}
    assert best(compare_runs([rows[0]] * 2)) == {}


def test_nothing_is_best_where_there_is_nothing_to_choose() -> None:
    same = [run({}, {"acc": 0.5}), run({}, {"acc": 0.5})]
    assert best(compare_runs(same)) == {}
    assert best(compare_runs(same[:1])) == {}
    assert best(compare_runs([run({}, {"lr-Adam": 0.1}), run({}, {"lr-Adam": 0.2})])) == {}


SMALL = ["loss", "val/loss", "trainLoss", "top1_error", "test_err", "ppl", "perplexity", "val.mse",
         "rmse", "WER", "logloss", "cross_entropy", "nll", "negative_log_likelihood", "epoch_time",
         "false_negative_rate", "FID", "l1_loss", "train_loss_epoch", "loss_step"]  # fmt: skip
LARGE = ["acc", "val/acc", "f1", "auc", "reward", "neg_log_loss", "neg_mean_squared_error", "bleu",
         "log_likelihood", "mAP", "lossless_ratio", "true_negative_rate", "psnr",
         "acc_epoch", "准确率"]  # fmt: skip


@pytest.mark.parametrize(
    ("names", "side"), [(SMALL, "min"), (LARGE, "max"), (["lr", "epoch", "lr-SGD/pg1"], "")]
)
def test_names_say_which_values_are_better(names: list[str], side: str) -> None:
    assert {name: better(name) for name in names} == dict.fromkeys(names, side)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"metrics": ["ac"]}, "did you mean 'acc'"),
        ({"metrics": ["acc.maximum"]}, "did you mean 'acc.max'"),
        ({"params": ["l"]}, "no parameter 'l'"),
        ({"params": ["optim.l"]}, "did you mean 'optim.lr'"),
        ({"smaller": ["acc"], "larger": ["acc.max"]}, "better small and better large"),
    ],
)
def test_a_name_that_is_not_there_is_refused_with_the_near_miss(
    given: dict[str, Any], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        compare_runs([run({"optim": {"lr": 1}}, {"acc": 0.5})], **given)


def test_a_name_alone_is_one_and_runs_may_come_one_by_one() -> None:
    rows = [run({"lr": lr}, {"acc": lr, "loss": 1.0}) for lr in (1, 2)]
    found = compare_runs((row for row in rows), params="lr", metrics="acc", smaller="acc")
    assert found == compare_runs(rows, params=["lr"], metrics=["acc"], smaller=["acc"])
    assert len(found.runs) == 2
    by_lr = compare_groups((row for row in rows), "lr", metrics="acc")
    assert [group.values for group in by_lr.groups] == [(1,), (2,)]
    assert summarise(rows, by="lr", metrics="acc").metrics == ("acc",)


@pytest.mark.parametrize("reverse", [False, True])
def test_runs_without_a_value_are_sorted_last_either_way(reverse: bool) -> None:
    rows = [run({}, {"acc": value}) for value in (0.5, math.nan, 0.9, 0.1)] + [run({})]
    found = sort_runs(rows, "acc", reverse=reverse)
    order = [rows.index(row) for row in found]
    assert order == ([2, 0, 3, 1, 4] if reverse else [3, 0, 2, 1, 4])


def test_values_of_several_kinds_can_be_sorted() -> None:
    values = ["b", 2, [1], None, "a", 1.5, True]
    rows = [run({"x": value}) for value in values]
    found = [row.params["x"] for row in sort_runs(rows, "x")]
    assert found[:2] == [1.5, 2]
    assert found.index("a") + 1 == found.index("b")


def test_a_name_of_a_parameter_and_a_metric_must_say_which() -> None:
    rows = [run({"lr": 2}, {"lr": 0.1}), run({"lr": 1}, {"lr": 0.2})]
    with pytest.raises(UsageError, match=r"'params\.lr' or 'metrics\.lr'"):
        sort_runs(rows, "lr")
    assert sort_runs(rows, "params.lr") == rows[::-1]
    assert sort_runs(rows, "metrics.lr") == rows


def test_groups_have_number_mean_deviation_and_best() -> None:
    rows = [run({"lr": lr}, {"loss": loss}) for lr, loss in ((1, 3.0), (2, 9.0), (1, 1.0))]
    found = compare_groups([*rows, run({"lr": 2}, {"loss": math.nan})], ["lr"])
    one, two = found.to_dict()["groups"]
    deviation = {"n": 2, "mean": 2.0, "std": math.sqrt(2), "min": 1.0, "max": 3.0, "best": 1.0}
    assert (one["by"], one["runs"], one["metrics"]["loss"]) == ({"params.lr": 1}, 2, deviation)
    assert (two["runs"], two["metrics"]["loss"]["n"], two["metrics"]["loss"]["std"]) == (2, 1, None)
    assert [set(places) for places in found.best.values()] == [{0}]


def test_groups_are_sorted_by_their_values_or_by_a_mean() -> None:
    rows = [run({"lr": lr}, {"acc": acc}) for lr, acc in ((10, 0.2), (9, 0.9), (0.1, 0.5))]
    by_value = compare_groups(rows, ["lr"])
    assert [group.values for group in by_value.groups] == [(0.1,), (9,), (10,)]
    by_mean = compare_groups(rows, ["lr"], sort="acc", reverse=True)
    assert [group.values for group in by_mean.groups] == [(9,), (0.1,), (10,)]
    with pytest.raises(UsageError, match="cannot be sorted by 'host'"):
        compare_groups(rows, ["lr"], sort="host")
