"""What the index keeps of a run is what its files say."""

from __future__ import annotations

import itertools
import json
import math
import os
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from index_helpers import change, record, rows

from thexp_pl.record import Experiment
from thexp_pl.runs import ExperimentViewer, read_run


def test_a_row_says_in_short_what_the_run_says(tmp_path: Path) -> None:
    with Experiment(tmp_path, "手写", code=False, console=False) as exp:
        exp.params = {"optim": {"lr": 0.1, "betas": [0.9, 0.99]}, "name": "SGD", "none": None}
        exp.log_metrics(0, 0, {"loss": 2.0, "bad": math.nan})
        exp.log_metrics(1, 0, {"loss": 1.0, "bad": math.inf})
        exp.tag("good", "2026")
        exp.note("first")
        exp.note("second")
    change(
        exp.paths.manifest,
        git={"commit": "c0ffee"},
        code={"tree": "beef"},
        parent={"key": "other", "how": "resumed"},
    )
    run, row = read_run(exp.paths), rows(tmp_path)[exp.key]
    assert (row.experiment, row.root, row.paths) == ("手写", tmp_path, exp.paths)
    assert (row.params, row.seconds, row.started) == (
        run.params,
        run.manifest["seconds"],
        run.started,
    )
    assert row.metrics["loss"] == {
        "last": 1.0, "min": 1.0, "max": 2.0, "mean": 1.5, "count": 2, "nonfinite": 0
    }  # fmt: skip
    assert row.metrics["bad"]["last"] == math.inf
    assert math.isnan(row.metrics["bad"]["max"])
    assert (row.tags, row.notes) == (("good", "2026"), ("first", "second"))
    assert (row.commit, row.code, row.parent) == ("c0ffee", "beef", "other")
    assert (row.command, row.python) == (run.manifest["command"], run.manifest["python"])
    assert row.host == run.manifest["process"]["host"]
    assert row.damage == ""


def test_runs_with_the_same_packages_have_the_same_digest_and_no_others(tmp_path: Path) -> None:
    one, same, other, none = (record(tmp_path) for _ in range(4))
    change(one.paths.manifest, packages={"a": "1", "b": "2"})
    change(same.paths.manifest, packages={"b": "2", "a": "1"})
    change(other.paths.manifest, packages={"a": "1", "b": "2.0"})
    change(none.paths.manifest, packages={})
    found = rows(tmp_path)
    digests = [found[exp.key].packages for exp in (one, same, other, none)]
    assert digests[0] == digests[1] != digests[2]
    assert digests[3] == ""


def test_names_of_any_bytes_are_found_again(tmp_path: Path) -> None:
    exp = record(tmp_path)
    odd = os.fsdecode(b"a\xff\xfe")
    (tmp_path / "a").rename(tmp_path / odd)
    (tmp_path / odd / exp.key).rename(tmp_path / odd / odd)
    assert list(rows(tmp_path)) == [odd]
    assert rows(tmp_path)[odd].paths.manifest.exists()
    viewer = ExperimentViewer([tmp_path])
    assert viewer.exp_info(odd)["experiment"] == odd
    assert viewer.exp_info("@last")["key"] == odd


def test_names_of_any_bytes_have_their_place_among_the_others(tmp_path: Path) -> None:
    odd = os.fsdecode(b"b\xff")
    for name in ("a", "c", odd):
        record(tmp_path, name if name != odd else "b")
    (tmp_path / "b").rename(tmp_path / odd)
    viewer = ExperimentViewer([tmp_path])
    assert [row.experiment for row in viewer.rows(sort="experiment")] == ["a", odd, "c"]
    assert {row.experiment for row in viewer.rows("experiment < 'c'")} == {"a", odd}
    assert {row.experiment for row in viewer.rows("'b' <= experiment")} == {odd, "c"}
    assert {row.experiment for row in viewer.rows("experiment < status")} == {"a", odd, "c"}
    assert viewer.rows("key < experiment and experiment > 'd'") == []


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(st.text(), json_values, max_size=4)
TICKS = itertools.count(1_000_000_000)
cells = st.dictionaries(st.sampled_from(["last", "min", "max", "count"]), json_values)


@given(params=objects, metrics=st.dictionaries(st.text(), cells | json_values), more=objects)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_any_params_are_given_back_and_no_metrics_whatever_make_an_error(
    tmp_path: Path, params: dict[str, Any], metrics: dict[str, Any], more: dict[str, Any]
) -> None:
    folder = tmp_path / "a" / "run"
    if not folder.exists():
        record(tmp_path).path.rename(folder)
    facts = {"params": params, "metrics": metrics, "code": more, "git": more, "parent": more}
    change(folder / "run.json", **facts, packages=more, command=[more])
    tick = next(TICKS)  # as if a second went by: nobody edits a file twice within a tick
    os.utime(folder / "run.json", (tick, tick))
    row = rows(tmp_path)["run"]
    told = json.loads((folder / "run.json").read_text())["params"]
    assert row.status == "finished"
    assert row.params == told
    for cell in row.metrics.values():
        assert all(isinstance(number, int | float) for number in cell.values())
