"""What is told of a run is the same wherever it is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from page_helpers import record, run_of, write_metrics

from thexp_pl.record import Experiment
from thexp_pl.record.metrics import read_history
from thexp_pl.record.paths import RunPaths
from thexp_pl.report import run_report
from thexp_pl.report.page import run_data
from thexp_pl.runs.curves import curves_of
from thexp_pl.runs.facts import facts_of
from thexp_pl.runs.html import run_html
from thexp_pl.runs.run import read_run

ALL = (
    *("key", "experiment", "status", "damage", "start", "duration", "causes", "parent", "sweep"),
    *("command", "python", "cwd", "git", "code", "earlier code", "earlier params", "packages"),
    *("host", "cpu", "gpu"),
    *("seeds", "world size", "platform", "environment", "ranks", "data", "tags", "note", "folder"),
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.just(10**400),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)
ODD = {
    "cpu": ("model", "logical", "memory"),
    "gpus": ("name",),
    "process": ("host",),
    "git": ("commit", "branch", "dirty"),
    "code": ("tree", "files", "left_out_count"),
    "packages": ("torch", "numpy"),
    "parent": ("how", "key", "checkpoint"),
    "sweep": ("key", "point"),
    "cause": ("type", "message"),
    "uses": ("path", "bytes", "sha256", "state", "error"),
    "seeds": ("random", "numpy"),
}


def test_a_page_says_of_a_run_what_show_says(tmp_path: Path) -> None:
    with Experiment(tmp_path, "digits", console=False, project=tmp_path) as exp:
        exp.uses("https://example.org/data")
        exp.set_parent("26-01-01-000000-aaaa", "resumed")
    run = run_of(exp)
    page = run_data(run, code=False)
    told = dict(page["facts"]) | dict(page["environment"])
    for label in ("parent", "command", "cwd", "start", "code", "python", "host", "cpu", "folder"):
        assert [(label, told[label])] == list(facts_of(run, label))
    assert told["data"] == "https://example.org/data (named)"
    assert {"started", "working directory"}.isdisjoint(told)


def test_how_a_run_ended_is_told_wherever_it_is_shown(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="odd"), Experiment(tmp_path, "a", code=False) as exp:
        raise ValueError("odd batch")
    run = run_of(exp)
    assert dict(facts_of(run, "causes"))["ended by message"] == "odd batch"
    assert "message: odd batch" in run_data(run)["cause"].splitlines()
    assert "| ended by message | odd batch |" in run_report(run)
    assert "odd batch" in run_html(run)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunPaths, dict[str, Any]]:
    """A run's files, and its manifest."""
    exp = record(tmp_path_factory.mktemp("root"), lr=0.1)
    return exp.paths, json.loads(exp.paths.manifest.read_text())


@given(st.data())
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_a_manifest_holds_is_told_as_texts(
    whole: tuple[RunPaths, dict[str, Any]], data: st.DataObject
) -> None:
    paths, manifest = whole
    changed: dict[str, Any] = dict.fromkeys(("command", "python", "cwd"), data.draw(ANYTHING))
    for field, names in ODD.items():
        drawn = {name: data.draw(ANYTHING) for name in names}
        changed[field] = [drawn] if isinstance(manifest.get(field), list) else drawn
    paths.manifest.write_text(json.dumps({**manifest, **changed}))
    run = read_run(paths)
    assert not run.damage
    facts = list(facts_of(run, *ALL))
    assert all(isinstance(text, str) for fact in facts for text in fact)
    assert ("key", run.key) in facts
    assert run_report(run)
    assert run_html(run)


def test_two_spellings_of_a_name_are_one_curve_in_a_notebook_too(tmp_path: Path) -> None:
    paths = RunPaths(tmp_path, "digits", "k")
    write_metrics(paths, '0,0,1.0,loss,1\n1,0,1.0,"loss",2\n2,0,1.0,loss,3\n')
    curves = curves_of(read_history(paths))
    assert {name: list(curve.values) for name, curve in curves.items()} == {"loss": [1, 2, 3]}
