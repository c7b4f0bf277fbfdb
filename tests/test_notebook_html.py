"""Runs and their curves as a notebook shows them."""

from __future__ import annotations

import math
import re
import sys
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thexp_pl import ExperimentViewer, notebook
from thexp_pl.errors import UsageError
from thexp_pl.record import Experiment
from thexp_pl.runs.sparkline import curve_svg

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\x1b[31m&amp;\"'"
SAFE = {"div", "h4", "p", "table", "thead", "tbody", "tr", "th", "td", "svg", "title", "path",
        "circle"}  # fmt: skip
floats = st.floats(width=64)


class Elements(HTMLParser):
    """The elements of a text, each with its attributes, and the text between them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def record(values: list[float], name: str = "digits", metric: str = "loss", **params: Any) -> Any:
    with Experiment("experiment", name, code=False, console=False) as exp:
        exp.params = params
        for step, value in enumerate(values):
            exp.log_metrics(step, 0, {metric: value})
    return exp


def coordinates(svg: str) -> list[tuple[float, float]]:
    """Give the places that a curve leads through, and its dots."""
    found = re.findall(r"[ML](-?[\d.]+) (-?[\d.]+)", svg)
    found += re.findall(r'cx="([\d.]+)" cy="([\d.]+)"', svg)
    return [(float(x), float(y)) for x, y in found]


# -- a curve -------------------------------------------------------------------------------------


@given(values=st.lists(floats, max_size=60), name=st.text(max_size=9), size=st.integers(8, 90))
def test_a_curve_of_any_values_is_whole_and_within_its_picture(
    values: list[float], name: str, size: int
) -> None:
    svg = curve_svg(range(len(values)), values, size, 24, name)

    picture = ET.fromstring(svg)  # well-formed
    assert picture.get("role") == "img"
    assert picture.get("aria-label")
    assert not re.search(r"\s(id|class|style|on\w+)=", svg.replace(picture.get("aria-label"), ""))
    assert all(0 <= x <= size and 0 <= y <= 24 for x, y in coordinates(svg))
    assert bool(coordinates(svg)) == any(map(math.isfinite, values))


def test_one_spike_among_many_points_is_drawn() -> None:
    values = [1.0] * 50_000
    values[31_234] = 9.0
    drawn = coordinates(curve_svg(range(50_000), values, 120, 24))
    assert len(drawn) < 400
    assert [round(x / 120, 1) for x, y in drawn if y < 3] == [0.6]


def test_what_is_not_finite_is_a_gap_and_a_lone_point_a_dot() -> None:
    nan, infinity = math.nan, math.inf
    svg = curve_svg(range(7), [1.0, 2.0, nan, 3.0, infinity, 1.0, 1.5], 100, 20, "loss")
    assert svg.count("M") == 2
    assert svg.count("<circle") == 1
    assert 'aria-label="loss: from 1 to 3, last 1.5; some are not finite"' in svg
    assert curve_svg([0], [4.0]).count("<circle") == 1
    assert "no values" in curve_svg([], [])


# -- runs ----------------------------------------------------------------------------------------


def test_each_run_of_a_table_has_the_curve_of_its_loss() -> None:
    record([3.0, 2.0, 1.0])
    with Experiment("experiment", "digits", code=False, console=False) as exp:
        for step in range(3):
            exp.log_metrics(step, 0, {"acc": step, "train_loss": -step, "loss_step": 5.0})
    record([])
    found = Elements(ExperimentViewer()._repr_html_()).found
    told = [attrs["aria-label"] for tag, attrs in found if tag == "svg"]
    assert told == ["loss: from 1 to 3, last 1", "train_loss: from -2 to 0, last -2"]


def test_where_metrics_are_large_the_older_runs_have_no_curve() -> None:
    old, new = record([1.0, 2.0]), record([3.0, 4.0])
    with new.paths.metrics.open("ab") as file:
        file.truncate(17 << 20)  # blank pages
    record([5.0])
    html = ExperimentViewer()._repr_html_()
    assert old.key in html
    assert re.findall(r'aria-label="loss: from (\d)', html) == ["5"]


def test_a_run_draws_itself_with_facts_parameters_and_metrics() -> None:
    exp = record([2.0, 1.0], lr=0.1, net={"width": 64})
    exp.tag("baseline")
    exp.note("the first that learns")
    found = Elements(ExperimentViewer().run(exp.key)._repr_html_())
    for text in ("digits / " + exp.key, "finished", "net.width", "64", "baseline",
                 "the first that learns", "loss", str(exp.path)):  # fmt: skip
        assert text in found.text
    assert [attrs["aria-label"] for tag, attrs in found.found if tag == "svg"] == [
        "loss: from 1 to 2, last 1"
    ]


def test_hostile_names_are_text_and_nothing_reaches_the_page_around() -> None:
    name = HOSTILE.replace("/", "").replace("\x1b", "")
    exp = record([1.0, 2.0], name, f"loss{HOSTILE}", lr=HOSTILE, **{HOSTILE: 1})
    exp.note(HOSTILE)
    exp.tag(HOSTILE)
    for shown in (ExperimentViewer(), ExperimentViewer().run(exp.key)):
        html = shown._repr_html_()
        found = Elements(html)
        assert {tag for tag, _ in found.found} <= SAFE
        for _, attrs in found.found:
            assert not [one for one in attrs if one in ("id", "class") or one.startswith("on")]
            assert "url(" not in str(attrs.get("style"))
        assert name in found.text
        assert all(line.isprintable() for line in html.splitlines())


def test_a_damaged_run_draws_what_is_left_of_it() -> None:
    exp = record([2.0, 1.0])
    exp.paths.manifest.write_text("{")
    exp.paths.metrics.unlink()
    html = ExperimentViewer().run(exp.key)._repr_html_()
    assert "damaged" in html
    assert "run.json cannot be used" in html
    exp.paths.manifest.write_text('{"key": 1}')
    exp.paths.notes.write_text('["torn')
    assert exp.key in ExperimentViewer()._repr_html_()


def test_what_is_drawn_needs_no_library(monkeypatch: pytest.MonkeyPatch) -> None:
    for library in ("matplotlib", "numpy", "plotly", "IPython"):
        monkeypatch.setitem(sys.modules, library, None)
    exp = record([2.0, 1.0])
    assert "<svg" in ExperimentViewer()._repr_html_()
    assert "<svg" in ExperimentViewer().run(exp.key)._repr_html_()


# -- no notebook ---------------------------------------------------------------------------------


def test_outside_of_a_notebook_watch_names_the_command_that_does_it() -> None:
    with pytest.raises(UsageError, match="run: thexp-pl show @last --follow"):
        notebook.watch("@last")


@pytest.mark.parametrize("every", [0, -1, True, "2", math.nan, math.inf])
def test_an_interval_that_is_none_is_refused(every: Any) -> None:
    with pytest.raises(UsageError, match=f"every={every!r}".replace("'", ".")):
        notebook.watch("@last", every=every)
