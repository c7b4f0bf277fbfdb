"""Queries to a team's index, against plain Python over the runs as their own machine reads them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from postgres_helpers import Machine, needs_postgres, running_server
from query_helpers import PARAMS, make_store, means
from test_query import queries

from thexp_pl import ExperimentViewer
from thexp_pl.runs import RunRow
from thexp_pl.runs.index import Index
from thexp_pl.runs.query import compile_query, compile_sort

pytestmark = needs_postgres
EXAMPLES = int(os.environ.get("THEXP_PL_FUZZ", "100"))  # of each property


class Told:
    """The index of a machine that was only told of runs, and these as their own reads them."""

    def __init__(self, index: Index, rows: list[RunRow]) -> None:
        self.index, self.rows = index, rows


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    folder = tmp_path_factory.mktemp("team")
    with running_server() as server, pytest.MonkeyPatch.context() as patch:
        url = server.url(server.new_database())
        one, two = (Machine(folder / name, url, patch) for name in ("one", "two"))
        patch.chdir(folder)
        with one:
            make_store(one.root)
            _add_odd_names(one.root)
            rows = ExperimentViewer().rows()
        one.cut_off()
        with two:
            yield Told(ExperimentViewer().index(), rows)


def _add_odd_names(root: Path) -> None:
    (first,) = (root / "first").iterdir()
    held = json.loads((first / "run.json").read_text())
    for number, name in enumerate((b"a\xff", b'quo"te\\', "手写\u2028".encode())):
        folder = Path(os.fsdecode(os.fsencode(root) + b"/" + name)) / f"{first.name}{number}"
        folder.mkdir(parents=True)
        (folder / "run.json").write_text(json.dumps(held | {"params": {"lr": 0.1}}))


def test_runs_are_told_as_they_are(told: Told) -> None:
    index, rows = told.index, told.rows
    assert [repr(replace(row, away="")) for row in index.select()] == [repr(row) for row in rows]
    assert all(row.away for row in index.select())
    assert len(rows) > 60


@settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
@given(query=queries)
def test_a_query_to_a_team_means_the_runs_that_plain_python_says(told: Told, query: str) -> None:
    index, rows = told.index, told.rows
    condition = compile_query(query)
    found = index.select(condition.sql, condition.values)
    expected = [(row.experiment, row.key) for row in rows if means(query, row)]
    assert [(row.experiment, row.key) for row in found] == expected


@settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
@given(name=st.sampled_from([*PARAMS, "lr"]), reverse=st.booleans())
def test_a_team_sorts_as_one_machine_does(told: Told, name: str, reverse: bool) -> None:
    index, rows = told.index, told.rows
    order = compile_sort(f"params[{name!r}]", reverse=reverse)
    found = index.select("", order.values, order.sql)
    assert {row.place for row in found} == {row.place for row in rows}
    values = [row.params.get(name) for row in found]
    numbers = [float(one) for one in values if type(one) in (int, float)]
    assert numbers == sorted(numbers, reverse=reverse)
