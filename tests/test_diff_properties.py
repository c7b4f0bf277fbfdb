"""Whatever two records hold: nothing differs from itself, and B from A as A from B."""

from __future__ import annotations

import copy
import functools
import io
import json
import shutil
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from diff_helpers import record_here, run_in
from hypothesis import given, settings
from hypothesis import strategies as st

from thexp_pl.cli.output.difference import print_difference
from thexp_pl.compare.diff import CATEGORIES, Change, Difference, diff_runs
from thexp_pl.compare.values import MISSING, identity
from thexp_pl.errors import RecordError
from thexp_pl.runs import Run

_TEXTS = st.text(max_size=6) | st.sampled_from(["a", "../data.csv", "\x1b[31m", "NaN", "-", "1"])
_SCALARS = st.none() | st.booleans() | st.integers(-3, 3) | st.floats(0, 1) | _TEXTS
_JSON = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_TEXTS, inner, max_size=2)
)
_OBJECTS = st.dictionaries(st.sampled_from(["a", "b", "torch", "PL_GLOBAL_SEED"]), _JSON)
_USES = st.lists(
    st.fixed_dictionaries(
        {
            "path": st.sampled_from(["../a.csv", "/data/a.csv", "../b.csv"]),
            "kind": st.sampled_from(["file", "folder"]),
            "state": st.sampled_from(["hashed", "unfinished", "unreadable"]),
            "bytes": st.none() | st.integers(0, 2),
            "sha256": st.none() | st.sampled_from(["0" * 64, "1" * 64]),
        }
    ),
    max_size=3,
)
_MANIFESTS = st.fixed_dictionaries(
    {
        **dict.fromkeys(
            ("params", "packages", "environment", "seeds", "cpu", "platform"), _OBJECTS
        ),
        "git": st.none() | st.dictionaries(st.sampled_from(["commit", "branch", "dirty"]), _JSON),
        "uses": _USES,
        "argv": st.lists(_TEXTS, max_size=3),
        "command": st.sampled_from(["python train.py", "python -O train.py x", "python -m a", "'"]),
    }
)
_ROWS = st.lists(
    st.tuples(
        st.none() | st.integers(0, 3),
        st.sampled_from(["loss", "acc"]),
        st.sampled_from([0.0, -0.0, 1.5, float("nan"), float("inf")]),
    ),
    max_size=6,
)
_Rows = list[tuple[int | None, str, float]]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("properties")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("THEXP_HOME", str(folder / "home"))
        return record_here(folder / "root", None)


def written(base: Run, name: str, facts: dict[str, Any], rows: _Rows) -> Run:
    """Write a run's manifest and metrics, and read them."""
    folder = base.paths.folder.with_name(name)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / "run.json").write_text(json.dumps({**base.manifest, "random_states": None, **facts}))
    lines = [f"{'' if s is None else s},0,1.0,{name},{value!r}" for s, name, value in rows]
    (folder / "metrics.csv").write_text("\n".join(["step,epoch,time,name,value", *lines, ""]))
    return run_in(folder)


def pairs(difference: Difference, back: bool) -> set[tuple[Any, ...]]:
    """Give all changes with their values, on request the other way round."""
    found = set()
    for category in set(CATEGORIES) - {"code", "metrics"}:
        for change in getattr(difference, category):
            sides = (identity(change.a), identity(change.b))
            found.add((category, change.name, *(reversed(sides) if back else sides)))
    first = difference.metrics.first
    if first is not None:
        values = [repr(first.a), repr(first.b)]
        found.add(("metrics", first.step, *(reversed(values) if back else values)))
    return found


@given(_MANIFESTS, _MANIFESTS, _ROWS, _ROWS)
@settings(max_examples=50)
def test_the_difference_from_b_to_a_mirrors_that_from_a_to_b(
    base: Run, facts_a: dict[str, Any], facts_b: dict[str, Any], rows_a: _Rows, rows_b: _Rows
) -> None:
    a, b = written(base, "a", facts_a, rows_a), written(base, "b", facts_b, rows_b)
    there, back = diff_runs(a, b), diff_runs(b, a)
    assert there.categories == back.categories
    assert pairs(there, back=False) == pairs(back, back=True)
    assert set(there.metrics.parted) == set(back.metrics.parted)
    assert there.metrics.agree == back.metrics.agree


@given(_MANIFESTS, _ROWS)
@settings(max_examples=30)
def test_nothing_differs_from_its_own_copy(base: Run, facts: dict[str, Any], rows: _Rows) -> None:
    difference = diff_runs(written(base, "a", facts, rows), written(base, "b", facts, rows))
    assert not difference
    assert difference.metrics.agree == bool(rows)


@given(_ROWS, st.data())
@settings(max_examples=30)
def test_a_row_that_is_other_is_where_the_histories_part(
    base: Run, rows: _Rows, data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, max(len(rows) - 1, 0)))
    step, name, value = rows[place] if rows else (0, "loss", 1.0)
    earlier, later = rows[:place], rows[place + 1 :]
    a = written(base, "a", {}, [*earlier, (step, name, value), *later])
    b = written(base, "b", {}, [*earlier, (step, name, 7.25), *later])
    metrics = diff_runs(a, b, ["metrics"]).metrics
    assert metrics.first is not None
    assert (metrics.first.name, metrics.first.step) == (name, step)
    assert (repr(metrics.first.a), metrics.first.b) == (repr(value), 7.25)


@given(st.data())
@settings(max_examples=50)
def test_a_record_that_anyone_wrote_is_compared_or_refused(base: Run, data: st.DataObject) -> None:
    facts = copy.deepcopy(base.manifest)
    for _ in range(3):
        name = data.draw(st.sampled_from(sorted(facts)))
        if isinstance(facts[name], dict) and facts[name] and data.draw(st.booleans()):
            facts[name][data.draw(st.sampled_from(sorted(facts[name])))] = data.draw(_JSON)
        else:
            facts[name] = data.draw(_JSON)
    one = written(base, "a", facts, [])
    for two in (base, one):
        try:
            difference = diff_runs(one, two)
        except RecordError:
            assert one.damage  # and nothing else is refused
            continue
        json.dumps(difference.to_dict())
        with redirect_stdout(io.StringIO()) as out:
            print_difference(difference, is_stat=data.draw(st.booleans()), is_whole=False)
        assert "\x1b" not in out.getvalue()


def test_what_a_run_does_not_have_is_told_from_none() -> None:
    assert Change("x", MISSING, None).to_dict() == {"name": "x", "b": None}


def test_the_order_of_two_metrics_within_a_step_does_not_count(base: Run) -> None:
    rows: _Rows = [(0, "loss", 1.0), (0, "acc", 2.0)]
    write = functools.partial(written, base)
    assert diff_runs(write("a", {}, rows), write("b", {}, rows[::-1])).metrics.agree


def test_a_shorter_history_parts_where_it_ends(base: Run) -> None:
    rows: _Rows = [(step, "loss", 1.0) for step in range(4)]
    a, b = written(base, "a", {}, rows), written(base, "b", {}, rows[:2])
    first = diff_runs(a, b).metrics.first
    assert first is not None
    assert first.to_dict() == {"name": "loss", "step": 2, "a": 1.0}


def test_metrics_that_cannot_be_read_are_one_remark(base: Run, tmp_path: Path) -> None:
    a, b = written(base, "a", {}, [(0, "loss", 1.0)]), written(base, "b", {}, [])
    b.paths.metrics.unlink()
    b.paths.metrics.mkdir()
    difference = diff_runs(a, b, ["metrics"])
    assert not difference.metrics.agree
    assert len(difference.remarks) == 1
    assert "the histories cannot be compared" in difference.remarks[0]
