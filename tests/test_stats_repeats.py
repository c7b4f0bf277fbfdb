"""Which runs are repeats of one another, which count, and what is said of the others."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from compare_helpers import repeats, run

from thexp_pl.compare.stats import Summary, summarise
from thexp_pl.compare.values import MISSING
from thexp_pl.errors import UsageError
from thexp_pl.runs import RunRow


def groups(summary: Summary) -> list[tuple[dict[str, Any], int]]:
    return [
        (dict(group.values), group.metrics["acc"].sample.n if group.metrics else len(group.keys))
        for group in summary.groups
    ]


def said(summary: Summary) -> str:
    return "\n".join((*summary.warnings, *summary.notes))


def test_runs_that_differ_in_their_seed_only_are_repeats() -> None:
    rows = [*repeats([0.1, 0.2], optim={"lr": 1}, n=3), *repeats([0.3], optim={"lr": 2}, n=3)]
    assert groups(summarise(rows)) == [({"optim.lr": 1}, 2), ({"optim.lr": 2}, 1)]


def test_runs_that_have_the_same_of_what_is_named_are_repeats() -> None:
    rows = [*repeats([0.1, 0.2], lr=1, size=1), *repeats([0.3], lr=1, size=2)]
    assert groups(summarise(rows, by=["params.lr"])) == [({"lr": 1}, 3)]
    assert groups(summarise(rows, by=["size", "lr"])) == [
        ({"size": 1, "lr": 1}, 2),
        ({"size": 2, "lr": 1}, 1),
    ]
    with pytest.raises(UsageError, match="no repeats: group by something else"):
        summarise(rows, by=["seed"])


@pytest.mark.parametrize("name", ["seed", "data.seed", "trial"])
def test_the_seed_is_found_by_its_name_or_named(name: str) -> None:
    head, _, last = name.rpartition(".")
    rows = [run({head: {last: n}} if head else {last: n}, {"acc": 0.1 * n}) for n in (3, 1, 2)]
    found = summarise(rows, seed="trial" if name == "trial" else "")
    assert (found.seed, found.groups[0].seeds) == (name, (1, 2, 3))


def test_of_two_seeds_one_has_to_be_named() -> None:
    rows = [run({"data": {"seed": 1}, "model": {"seed": 1}}, {"acc": 0.5})]
    with pytest.raises(UsageError, match="say which with --seed"):
        summarise(rows)
    assert summarise(rows, seed="params.data.seed").seed == "data.seed"
    with pytest.raises(UsageError, match=r"did you mean 'data\.seed'"):
        summarise(rows, seed="dat.seed")


def test_without_a_seed_every_run_is_a_repeat_of_its_own() -> None:
    found = summarise([run({"lr": 1}, {"acc": value}) for value in (0.1, 0.2, 0.3)])
    assert groups(found) == [({}, 3)]
    assert "no parameter is called seed" in said(found)


def test_experiments_are_kept_apart_but_not_for_the_seed_in_their_names() -> None:
    rows = [
        run({"seed": seed}, {"acc": 0.1 * seed}, experiment=f"{name}_seed={seed}")
        for name in ("net", "tree")
        for seed in (1, 2)
    ]
    assert groups(summarise(rows)) == [
        ({"experiment": "net_seed=*"}, 2),
        ({"experiment": "tree_seed=*"}, 2),
    ]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("m_seed=12", ["m_seed=12", "m_seed=*"]),
        ("m_seed=1.5", ["m_seed=1.5"] * 2),
        ("seed=1_m", ["seed=*_m", "seed=1_m"]),
        ("noseed=1", ["noseed=1"] * 2),
    ],
)
def test_of_an_experiments_name_only_the_whole_value_of_the_seed_is_none(
    name: str, shown: list[str]
) -> None:
    rows = [run({"seed": seed}, {"acc": 0.1}, experiment=name) for seed in (1, 12)]
    other = run({"seed": 3}, {"acc": 0.1}, experiment="other")
    found = [group.values["experiment"] for group in summarise([*rows, other]).groups]
    assert set(found) == {"other", *shown}


def test_all_but_the_seed_can_be_said_and_stands_alone() -> None:
    rows = [*repeats([0.1, 0.2], lr=1), *repeats([0.3], lr=2)]
    assert groups(summarise(rows, by="all-but-seed")) == groups(summarise(rows))
    with pytest.raises(UsageError, match="give it alone"):
        summarise(rows, by=["lr", "all-but-seed"])


@pytest.mark.parametrize("fact", ["code", "packages", "python"])
def test_runs_of_other_code_or_packages_are_split_out_with_a_warning(fact: str) -> None:
    rows = [
        replace(row, **{fact: "old" if place < 2 else "new"})
        for place, row in enumerate(repeats([0.1, 0.2, 0.3, 0.4], lr=1))
    ]
    found = summarise(rows)
    assert groups(found) == [({fact: "new"}, 2), ({fact: "old"}, 2)]
    (warning,) = found.warnings
    assert warning.startswith(f"the groups 1, 2 differ in {fact} only; --mix joins them")
    mixed = summarise(rows, mix=True)
    assert groups(mixed) == [({}, 4)]
    (warning,) = mixed.warnings
    assert warning.startswith(f"group 1 joins runs that differ in {fact}: each counts")


def test_runs_of_one_seed_and_other_code_each_count_where_they_are_mixed() -> None:
    old, new = repeats([0.1, 0.2], lr=1), repeats([10.1, 10.2], lr=1)
    rows = [replace(row, code="a") for row in old] + [replace(row, code="b") for row in new]
    found = summarise(rows, mix=True)
    sample = found.groups[0].metrics["acc"].sample
    assert (sample.n, sample.min, sample.max) == (4, 0.1, 10.2)
    assert "they count once" not in said(found)


def test_groups_that_differ_in_code_as_well_are_told_of() -> None:
    old, new = repeats([0.1, 0.2], lr=1), repeats([0.3, 0.5], lr=2)
    rows = [replace(row, code="a") for row in old] + [replace(row, code="b") for row in new]
    assert "the groups differ in code as well" in said(summarise(rows))


@pytest.mark.parametrize("status", ["running", "failed", "interrupted", "killed", "lost"])
def test_unfinished_runs_count_only_where_they_are_asked_for(status: str) -> None:
    rows = repeats([0.1, 0.2, 0.9], lr=1)
    rows[2] = replace(rows[2], status=status)
    found = summarise(rows)
    assert groups(found) == [({}, 2)]
    assert f"left out: 1 {status}; --all" in said(found)
    taken = summarise(rows, unfinished=True)
    assert groups(taken) == [({}, 3)]
    assert "left out" not in said(taken)


def test_a_damaged_run_never_counts() -> None:
    rows = [*repeats([0.1, 0.2]), run(status="damaged", damage="empty")]
    assert groups(summarise(rows, unfinished=True)) == [({}, 2)]


def test_of_a_run_and_its_reproductions_the_newest_counts() -> None:
    rows = repeats([0.1, 0.2], lr=1)
    second = run({"lr": 1, "seed": 0}, {"acc": 0.3}, parent=rows[0].key)
    third = run({"lr": 1, "seed": 0}, {"acc": 0.5}, parent=second.key)
    found = summarise([third, *rows, second])
    (group,) = found.groups
    assert set(group.keys) == {rows[1].key, third.key}
    assert group.metrics["acc"].sample.max == 0.5
    assert f"left out: {rows[0].key}, {second.key}, of which a newer run" in said(found)


@pytest.mark.parametrize("between", ["failed", "in another group", "not among these runs"])
def test_a_copy_of_a_copy_is_none_of_the_repeats_whatever_became_of_the_copy(between: str) -> None:
    first, other = repeats([0.1, 0.2], lr=1)
    middle = run({"lr": 2 if "group" in between else 1, "seed": 0}, {"acc": 7.0}, parent=first.key)
    middle = replace(middle, status="failed" if between == "failed" else "finished")
    last = run({"lr": 1, "seed": 0}, {"acc": 0.1}, parent=middle.key)
    is_given = between != "not among these runs"
    found = summarise(
        [first, other, last, *([middle] if is_given else [])],
        lineage=[] if is_given else [first, middle],
    )
    assert set(found.groups[0].keys) == {other.key, last.key}
    assert f"left out: {first.key}, of which a newer run" in said(found)


def test_two_reproductions_of_a_run_that_is_not_there_are_one() -> None:
    rows = [run({"seed": 0}, {"acc": v}, parent="26-01-01-000000-gone") for v in (0.1, 0.2)]
    assert groups(summarise(rows)) == [({}, 1)]


def test_runs_that_name_each_other_as_parents_do_not_hang() -> None:
    one = run({"seed": 0}, {"acc": 0.1}, key="a", parent="b")
    two = run({"seed": 1}, {"acc": 0.2}, key="b", parent="a")
    assert groups(summarise([one, two])) == [({}, 2)]


def test_a_run_gone_on_with_under_another_seed_counts_beside_it() -> None:
    first = run({"seed": 0}, {"acc": 0.1})
    assert groups(summarise([first, run({"seed": 1}, {"acc": 0.2}, parent=first.key)])) == [({}, 2)]


def test_a_seed_that_ran_twice_counts_once_with_the_mean() -> None:
    rows = [*repeats([0.2, 0.4], lr=1), run({"lr": 1, "seed": 0}, {"acc": 0.6})]
    found = summarise(rows)
    sample = found.groups[0].metrics["acc"].sample
    assert (sample.n, sample.min, sample.max) == (2, 0.4, 0.4)
    assert len(found.groups[0].keys) == 3
    assert "several runs are the same with seed 0; they count once" in said(found)


def test_one_seed_of_several_settings_in_a_group_is_several_values() -> None:
    rows = [*repeats([0.2, 0.4], lr=1, size=1), *repeats([0.6, 0.8], lr=1, size=2)]
    assert groups(summarise(rows, by=["lr"])) == [({"lr": 1}, 4)]


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_diverged_run_is_left_out_of_the_mean_and_named(bad: float) -> None:
    rows = repeats([0.2, bad, 0.4], lr=1)
    found = summarise(rows)
    measured = found.groups[0].metrics["acc"]
    assert (measured.sample.n, measured.diverged) == (2, (rows[1].key,))
    assert measured.sample.mean == pytest.approx(0.3)
    (warning,) = found.warnings
    assert warning.startswith("group 1: 'acc' is not finite in 1 of 3 runs")
    assert rows[1].key in warning


def test_a_run_without_the_metric_is_named() -> None:
    rows = [*repeats([0.2, 0.4], lr=1), run({"lr": 1, "seed": 7}, {"loss": 1.0})]
    found = summarise(rows, metrics=["acc"])
    assert found.groups[0].metrics["acc"].missing == (rows[2].key,)
    assert "1 of 3 runs have no 'acc'" in said(found)


def test_seeds_that_change_nothing_are_suspicious() -> None:
    same = [run({"seed": s}, {"acc": 0.5, "loss": 1.0}) for s in (0, 1, 2)]
    assert "all 3 seeds gave the same values: the seed may have no effect" in said(summarise(same))
    other = [run({"seed": s}, {"acc": 0.5, "loss": 0.1 * s}) for s in (0, 1, 2)]
    assert summarise(other).warnings == ()


def test_nothing_recorded_is_nothing_to_summarise() -> None:
    assert summarise([]).groups == ()
    bare: list[RunRow] = [run({"seed": 0}), run({"seed": 1})]
    assert [group.metrics for group in summarise(bare).groups] == [{}]


def test_what_a_group_does_not_have_is_missing() -> None:
    found = summarise([run({"lr": 1, "seed": 0}, {"acc": 0.1}), run({"seed": 0}, {"acc": 0.2})])
    assert [group.values["lr"] for group in found.groups] == [1, MISSING]
    assert [group["by"] for group in found.to_dict()["groups"]] == [{"lr": 1}, {}]
