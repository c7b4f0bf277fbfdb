"""The page of several runs, in a real browser."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from browser_helpers import needs_browser, watched_page
from page_samples import (
    PLOT,
    RATES,
    axis,
    drag,
    lines_of,
    make_sweep,
    own_store,
    show_plot,
    write_rows,
)

from thexp_pl.report.page import run_id
from thexp_pl.runs import RunRow

pytestmark = needs_browser


@dataclass
class Sweep:
    """Six runs and the address of their page."""

    rows: list[RunRow]
    url: str

    @property
    def keys(self) -> list[str]:
        """Their keys, oldest first."""
        return [row.key for row in self.rows]


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sweep]:
    """A page of six runs on the disk."""
    pytest.importorskip("plotly")
    with own_store(tmp_path_factory) as folder:
        rows = make_sweep(folder)
        yield Sweep(rows, write_rows(folder, "runs", rows))


@pytest.fixture
def page(browser: Any, sweep: Sweep) -> Iterator[Any]:
    """The open page; nothing on it may fail, and nothing may be asked of another machine."""
    with watched_page(browser, viewport={"width": 1280, "height": 900}) as watched:
        watched.page.goto(sweep.url)
        watched.page.wait_for_selector("#runs tbody tr")
        yield watched.page
        assert (watched.errors, watched.foreign) == ([], [])


def _keys(page: Any, table: str = "#runs") -> list[str]:
    found: list[str] = page.locator(f"{table} tbody .key .cell").all_text_contents()
    return found


def _names(page: Any, metric: str) -> list[str]:
    found: list[str] = page.evaluate(f"{lines_of(metric)}.map((each) => each.name)")
    return found


def _wait_for_lines(page: Any, metric: str, count: int) -> None:
    page.wait_for_function(f"{lines_of(metric)}.length === {count}")


def _colours(page: Any, metric: str) -> dict[str, str]:
    script = f"Object.fromEntries({lines_of(metric)}.map((each) => [each.name, each.line.color]))"
    found: dict[str, str] = page.evaluate(script)
    return found


def test_a_page_opened_from_disk_shows_every_run_and_every_curve(page: Any, sweep: Sweep) -> None:
    assert _keys(page) == sweep.keys
    assert page.locator(".card h4").all_text_contents() == ["acc", "loss", "val/loss"]
    show_plot(page, "acc")
    assert _names(page, "acc") == sweep.keys[:5]
    show_plot(page, "loss")
    y = page.evaluate(f"{lines_of('loss')}.map((each) => each.y[10])")
    assert y == pytest.approx([math.exp(-0.5) + place for place in range(6)])
    assert len(set(_colours(page, "loss").values())) == 6


def test_a_click_on_a_heading_sorts_numbers_as_numbers_and_what_is_missing_last(
    page: Any, sweep: Sweep
) -> None:
    button = page.locator("#runs").get_by_role("button", name="acc", exact=True)
    button.click()
    assert page.locator("#runs th[aria-sort]").get_attribute("aria-sort") == "descending"
    assert _keys(page) == sweep.keys
    button.click()
    assert page.locator("#runs th[aria-sort]").get_attribute("aria-sort") == "ascending"
    assert _keys(page) == [*sweep.keys[4::-1], sweep.keys[5]]
    button.click()
    assert page.locator("#runs th[aria-sort]").count() == 0


def test_the_filter_narrows_the_table_and_all_plots(page: Any, sweep: Sweep) -> None:
    show_plot(page, "loss")
    box = page.get_by_label("Filter", exact=True)
    box.fill("lr<0.05 seed=0")
    _wait_for_lines(page, "loss", 2)
    assert _keys(page) == [sweep.keys[2], sweep.keys[4]] == _names(page, "loss")
    box.fill(f"acc.max>0.75 status:finished {sweep.keys[1][-4:]}")
    _wait_for_lines(page, "loss", 1)
    assert _keys(page) == [sweep.keys[1]]
    box.fill("nonsense<3")
    page.get_by_text("no column is named nonsense").wait_for()
    assert box.get_attribute("aria-invalid") == "true"


def test_a_run_is_hidden_by_its_box_and_shown_by_the_legend_in_its_old_colour(
    page: Any, sweep: Sweep
) -> None:
    show_plot(page, "loss")
    _wait_for_lines(page, "loss", 6)
    before = _colours(page, "loss")
    page.get_by_label(f"choose {sweep.keys[1]}").uncheck()
    _wait_for_lines(page, "loss", 5)
    del before[sweep.keys[1]]
    assert _colours(page, "loss") == before
    chip = page.locator(f'.chip[title="{sweep.keys[1]}"]')
    assert chip.get_attribute("aria-pressed") == "false"
    chip.click()
    _wait_for_lines(page, "loss", 6)
    assert chip.get_attribute("aria-pressed") == "true"
    assert page.get_by_label(f"choose {sweep.keys[1]}").is_checked()


def test_dragging_zooms_and_a_filter_keeps_the_zoom(page: Any) -> None:
    low, high = drag(page, "loss")
    assert 10 < low < high < 45
    page.get_by_label("Filter", exact=True).fill("seed=0")
    _wait_for_lines(page, "loss", 3)
    assert axis(page, "loss") == [low, high]
    page.get_by_role("button", name="Reset zoom of loss", exact=True).click()
    page.wait_for_function(f"{PLOT.format('loss')}.layout.xaxis.autorange")
    page.wait_for_function(f"{PLOT.format('loss')}._fullLayout.xaxis.range[0] <= 0")


def test_groups_are_drawn_as_their_mean_between_the_least_and_the_greatest(page: Any) -> None:
    show_plot(page, "loss")
    page.get_by_label("Group by").select_option(label="optim.lr")
    _wait_for_lines(page, "loss", 3)
    assert _names(page, "loss") == [f"optim.lr = {rate} (2 runs)" for rate in sorted(RATES)]
    first = "each.y[0], each.customdata[0].slice(0, 2)"
    found = page.evaluate(f"{lines_of('loss')}.map((each) => [{first}])")
    means, bands = [list(part) for part in zip(*found, strict=True)]
    # rates fall while the losses rise by 1 a run
    assert means == pytest.approx([5.5, 3.5, 1.5])
    assert bands == [[5, 6], [3, 4], [1, 2]]
    assert page.locator(".legend .chip").count() == 3


def test_parallel_coordinates_have_an_axis_for_each_parameter_and_metric(page: Any) -> None:
    page.locator("#parallel").scroll_into_view_if_needed()
    page.wait_for_selector("#parallel .plot.drawn")
    plot = "document.querySelector('#parallel .plot').data[0].dimensions"
    labels = page.evaluate(f"{plot}.map((each) => each.label)")
    assert labels == ["optim.lr", "seed", "kind", "loss", "acc"]
    kind, acc = page.evaluate(f"[{plot}[2].ticktext, {plot}[4].ticktext]")
    assert kind == ["a", "b"]
    assert acc[0] == "none"  # one run has no accuracy
    values = page.evaluate(f"{plot}.map((each) => each.values)")
    assert values[0] == pytest.approx([math.log10(rate) for rate in RATES for _ in range(2)])
    assert values[1] == values[2] == [0, 1] * 3
    assert values[3] == pytest.approx([math.exp(-59 / 20) + place for place in range(6)])
    assert values[4][:5] == pytest.approx([1 - place / 10 for place in range(5)])
    assert values[4][5] == page.evaluate(f"{plot}[4].tickvals[0]") < 0.6  # where "none" stands
    page.locator("#parallel summary", has_text="Axes").click()
    page.locator("#parallel").get_by_label("kind", exact=True).uncheck()
    page.wait_for_function(f"{plot}.length === 4")


def test_without_webgl_a_line_says_why_there_are_no_parallel_coordinates(
    browser: Any, sweep: Sweep
) -> None:
    with watched_page(browser) as watched:
        watched.page.add_init_script("HTMLCanvasElement.prototype.getContext = () => null")
        watched.page.goto(sweep.url)
        watched.page.get_by_text("Parallel coordinates need WebGL").wait_for()
        assert watched.errors == []


def test_the_scatter_shows_a_point_a_run_and_names_it(page: Any, sweep: Sweep) -> None:
    page.locator("#scatter").scroll_into_view_if_needed()
    page.wait_for_selector("#scatter .plot.drawn")
    plot = "document.querySelector('#scatter .plot')"
    assert page.locator("#scatter").get_by_label("Log x").is_checked()  # a factor of 100
    page.locator("#scatter").get_by_label("y", exact=True).select_option(label="acc")
    page.wait_for_function(f"{plot}.data[0].x.length === 5")
    assert page.locator("#scatter .note", has_text="1 run has no value").count() == 1
    x, y = page.evaluate(f"[{plot}.data[0].x, {plot}.data[0].y]")
    assert x == pytest.approx([RATES[place // 2] for place in range(5)])
    assert y == pytest.approx([1 - place / 10 for place in range(5)])
    text = page.evaluate(f"{plot}.data[0].text[0]")
    assert text.startswith(sweep.keys[0])
    page.locator("#scatter").get_by_label("Log x").uncheck()
    page.wait_for_function(f"{plot}.layout.xaxis.type === 'linear'")


def test_what_differs_has_the_best_of_each_metric_marked_by_a_word(page: Any, sweep: Sweep) -> None:
    best = page.locator("#differs tr", has=page.locator(".best"))
    assert best.count() == 1
    assert sweep.keys[0] in best.inner_text()
    assert best.locator(".best").all_inner_texts()[0].endswith("(best)")


def test_newer_points_and_runs_arrive_and_zoom_filter_order_and_focus_stay(
    page: Any, sweep: Sweep
) -> None:
    first = run_id(sweep.rows[0].paths)
    low, high = drag(page, "loss")
    page.get_by_role("button", name="started").click()
    box = page.get_by_label("Filter", exact=True)
    box.fill("seed=0")
    _wait_for_lines(page, "loss", 3)
    order = _keys(page)
    more = {"x": [59, 60, 61], "y": [1, "NaN", 2], "epoch": [5, 6, 6], "by": "step", "points": 62}
    row = {"id": "f" * 16, "key": "new", "experiment": "e", "status": "running", "started": 0}
    page.evaluate(
        """([id, more, row]) => thexp.update({
            curves: {[id]: {went_back: 0, curves: {loss: more}}, [row.id]: {curves: {loss: more}}},
            rows: [{...row, params: {seed: 0}, metrics: {}, tags: [], notes: []}]})""",
        [first, more, row],
    )
    _wait_for_lines(page, "loss", 4)
    assert _keys(page) == [*order, "new"]
    assert page.locator("#runs .is-running").count() == 1
    x, y = page.evaluate(f"[{lines_of('loss')}[0].x.slice(58), {lines_of('loss')}[0].y.slice(58)]")
    assert (x, y) == ([58, 59, 60, 61], [pytest.approx(math.exp(-2.9)), 1, None, 2])
    assert axis(page, "loss") == [low, high]
    assert box.input_value() == "seed=0"
    assert page.evaluate("document.activeElement.type") == "search"
