"""The runs that several words mean; runs for pandas and for a notebook."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from query_helpers import make_store

from thexp_pl.errors import QueryError, RecordError, UsageError
from thexp_pl.record import Experiment
from thexp_pl.runs import ExperimentViewer
from thexp_pl.runs.flat import flat
from thexp_pl.runs.selecting import select_runs


def record(name: str = "digits", root: str = "./experiment", **params: Any) -> str:
    with Experiment(root, name, code=False, console=False) as exp:
        exp.params = params
        exp.log_metrics(0, 0, {"loss": 0.5})
    return exp.key


def selected(*words: str) -> list[str]:
    return [row.key for row in select_runs(ExperimentViewer(), words)]


def test_words_are_keys_and_queries_in_order_and_each_run_is_there_once() -> None:
    one, two, three = record(lr=0.1), record(lr=0.2), record("other", lr=0.3)
    assert selected() == [one, two, three]
    assert selected(two[:-1], one) == [two, one]
    assert selected("@last", "params.lr < 0.25", two) == [three, one, two]
    assert selected("digits", "@last~1") == [two]
    assert selected("params.lr>7") == []


def test_an_experiment_with_the_signs_of_a_query_in_its_name_is_found_first() -> None:
    record()
    key = record("mytrainer_lr=0.01 (old)")
    assert selected("mytrainer_lr=0.01 (old)") == [key]


def test_the_same_key_in_two_roots_is_two_runs() -> None:
    key = record(root="./one")
    Path("two").mkdir()
    (Path("one") / "digits" / key).rename("kept")
    for root in ("one", "two"):
        folder = Path(root) / "digits" / key
        folder.parent.mkdir(exist_ok=True)
        folder.mkdir()
        (folder / "run.json").write_bytes(Path("kept/run.json").read_bytes())
    rows = select_runs(ExperimentViewer([Path("one"), Path("two")]), [f"key == {key!r}"])
    assert sorted(row.root.name for row in rows) == ["one", "two"]


def test_a_word_that_means_nothing_is_refused() -> None:
    key = record("digits", lr=0.1)
    with pytest.raises(RecordError, match=f"did you mean '{key}'"):
        selected(f"{key[:-1]}_")
    with pytest.raises(RecordError, match="did you mean 'digits'"):
        selected("digit5")
    with pytest.raises(QueryError, match=r"equal is written ==.*no run or experiment"):
        selected("digits_lr=0.1")
    with pytest.raises(QueryError, match="did you mean 'lr'"):
        selected("params.lr_ < 1")


# -- pandas --------------------------------------------------------------------------------------


def test_a_frame_has_a_column_a_parameter_and_a_number_of_a_metric() -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is no requirement of thexp_pl")
    make_store(Path("experiment"))
    viewer = ExperimentViewer()
    rows = viewer.rows()
    frame = viewer.to_pandas()
    assert list(frame.index) == viewer.list()
    assert frame.index.name == "key"
    assert str(frame["started"].dtype).startswith("datetime64")
    assert frame["started"].iloc[0].timestamp() == pytest.approx(rows[0].started, abs=1e-3)
    for row, (_, line) in zip(rows, frame.iterrows(), strict=True):
        assert (line["status"], line["experiment"]) == (row.status, row.experiment)
        for name, value in flat(row.params).items():
            found = line[f"params.{name}"]
            assert found == value or (value is None and pandas.isna(found))
        for name, cell in row.metrics.items():
            for aggregate, value in cell.items():
                assert line[f"metrics.{name}.{aggregate}"] == pytest.approx(value, nan_ok=True)
    missing = next(row.key for row in rows if "loss" not in row.metrics)
    assert pandas.isna(frame.loc[missing, "metrics.loss.max"])
    assert len(viewer.to_pandas("status == 'failed'")) == len(viewer.query("status == 'failed'"))


def test_columns_of_a_frame_have_the_type_of_their_values() -> None:
    pytest.importorskip("pandas", reason="pandas is no requirement of thexp_pl")
    record(n=1, some=1, x=0.5, mixed=1, flag=True, text="a", wide=2**70)
    record(n=2, x=float("nan"), mixed=0.5, flag=False, text="b", wide=1)
    frame = ExperimentViewer().to_pandas()
    found = {name.removeprefix("params."): str(kind) for name, kind in frame.dtypes.items()}
    wanted = {"n": "int64", "some": "Int64", "mixed": "float64", "flag": "bool"}
    assert {name: found[name] for name in wanted} == wanted
    assert found["metrics.loss.last"] == found["seconds"] == "float64"
    assert found["metrics.loss.count"] == "int64"
    assert list(frame["params.wide"]) == [2**70, 1]
    assert len(ExperimentViewer().to_pandas("params.n > 7")) == 0


def test_without_pandas_one_line_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pandas", None)
    with pytest.raises(UsageError, match="pip install pandas"):
        ExperimentViewer().to_pandas()


# -- a notebook ----------------------------------------------------------------------------------


def test_a_notebook_gets_a_table_in_which_everything_is_text() -> None:
    hostile = "<script>alert('x')</script>&amp;\x1b[31m\u202e"
    record("<b>bold", note="a")
    key = record("<b>bold", note=hostile)
    html = ExperimentViewer()._repr_html_()
    tags = set(re.findall(r"<(/?\w+)", html))
    assert tags <= {f"{end}{tag}" for end in ("", "/") for tag in
                    ("table", "thead", "tbody", "tr", "th", "td", "p", "svg", "title",
                     "circle")}  # fmt: skip
    assert "&lt;b&gt;bold" in html
    assert unescape(html).count("<script>alert('x')</script>&amp;\\x1b[31m\\u202e") == 1
    assert key in html
    assert all(line.isprintable() for line in html.splitlines())


def test_a_notebook_shows_the_newest_fifty_and_says_so() -> None:
    assert "No runs are recorded yet" in ExperimentViewer()._repr_html_()
    make_store(Path("experiment"), count=59)
    rows = ExperimentViewer().rows()
    html = ExperimentViewer()._repr_html_()
    assert html.count("<tr>") == 51
    assert rows[-1].key in html
    assert rows[0].key not in html
    assert "10 older runs are not shown" in html
