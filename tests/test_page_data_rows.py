"""Several runs as a page's data."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from compare_helpers import run
from hypothesis import given
from hypothesis import strategies as st
from page_helpers import record, rows_of

from thexp_pl.errors import UsageError
from thexp_pl.record.notes import add_note, add_tags
from thexp_pl.record.paths import RunPaths
from thexp_pl.report.page import page_data, row_data, run_id, runs_data
from thexp_pl.report.page.plain import plain

json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(json_like)
def test_any_value_becomes_json_that_javascript_reads_unchanged(value: object) -> None:
    text = json.dumps(plain(value), allow_nan=False)
    assert all(abs(number) <= 2**53 for number in _integers(json.loads(text)))


def _integers(value: object) -> list[int]:
    if isinstance(value, dict | list):
        inner = value.values() if isinstance(value, dict) else value
        return [number for one in inner for number in _integers(one)]
    return [value] if isinstance(value, int) else []


def test_an_integer_that_javascript_would_round_stays_exact() -> None:
    assert plain(2**60 + 1) == "1152921504606846977"
    assert plain([2**53, -(2**53) - 1]) == [2**53, "-9007199254740993"]
    assert plain(10**6000).startswith("0x")


def test_a_row_is_what_the_index_tells(tmp_path: Path) -> None:
    exp = record(tmp_path, optim={"lr": 0.1, "betas": [0.9, 0.99]}, seed=2**60)
    add_tags(exp.paths, "best")
    add_note(exp.paths, "good")
    [row] = rows_of(tmp_path)
    data = row_data(row)
    assert data["id"] == run_id(exp.paths)
    assert data["params"] == {"optim.lr": 0.1, "optim.betas": [0.9, 0.99], "seed": str(2**60)}
    assert data["metrics"]["loss"]["last"] == row.metrics["loss"]["last"]
    assert (data["tags"], data["notes"]) == (["best"], ["good"])
    told = {"key": exp.key, "experiment": "digits", "root": str(tmp_path), "status": "finished"}
    assert told.items() <= data.items()
    assert data["started"] == row.started


def test_metrics_that_are_not_finite_are_texts_in_a_row() -> None:
    data = row_data(run({}, {"loss": math.nan, "acc": math.inf}))
    assert data["metrics"]["loss"]["last"] == "NaN"
    assert data["metrics"]["acc"]["max"] == "Infinity"


def test_runs_of_the_same_key_in_two_roots_have_names_of_their_own() -> None:
    one, other = (RunPaths(Path(root), "digits", "k") for root in ("/a", "/b"))
    assert run_id(one) != run_id(other)
    assert run_id(one) == run_id(RunPaths(Path("/a"), "digits", "k"))
    assert len(run_id(one)) == 16
    assert set(run_id(one)) <= set("0123456789abcdef")


def test_what_differs_stands_in_columns_with_the_best_marked() -> None:
    data = runs_data([run({"lr": 0.1, "a": 1}, {"loss": 2.0}), run({"lr": None, "a": 1})])
    assert data["differs"] == {
        "columns": [
            {"title": "lr", "kind": "param", "best": []},
            {"title": "loss", "kind": "metric", "best": [0]},
        ],
        "values": [[[0.1], [2.0]], [[None], None]],  # one that is None is no missing one
    }
    assert len(data["rows"]) == 2


def test_a_page_of_runs_has_all_their_curves(tmp_path: Path) -> None:
    for lr in (0.1, 0.2):
        record(tmp_path, lr=lr)
    rows = rows_of(tmp_path)
    told: list[tuple[int, int]] = []
    data = page_data(rows, title="two", progress=lambda done, total: told.append((done, total)))
    assert (data["page"], data["title"], data["detail"]) == ("runs", "two", None)
    assert list(data["curves"]) == [row["id"] for row in data["rows"]]
    assert all(own["curves"]["loss"]["points"] == 3 for own in data["curves"].values())
    assert data["curves_left"] == 0
    assert told == [(0, 2), (1, 2)]
    assert page_data(rows)["title"] == "2 runs of digits"


def test_a_page_of_many_curves_has_fewer_points_of_each(tmp_path: Path) -> None:
    many = {f"m{number}": float for number in range(400)}
    record(tmp_path, steps=600, metrics=many)
    record(tmp_path, steps=1)
    data = page_data(rows_of(tmp_path))
    counts = [
        len(curve["x"]) for own in data["curves"].values() for curve in own["curves"].values()
    ]
    assert len(counts) == 401
    assert sum(counts) < 100_000
    assert max(counts) > 100


def test_runs_beyond_what_a_page_holds_have_no_curves_and_are_counted() -> None:
    metrics = {f"m{number}": 1.0 for number in range(4_000)}
    data = page_data([run({"lr": lr}, metrics) for lr in range(5)])
    assert len(data["rows"]) == 5
    assert (len(data["curves"]), data["curves_left"]) == (2, 3)


def test_a_page_of_no_runs_is_refused() -> None:
    with pytest.raises(UsageError, match=r"no run to show.*`thexp-pl list`"):
        page_data([])
