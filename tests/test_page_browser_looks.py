"""What a page of several runs looks like on a phone, and where names and values are unusual."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest
from browser_helpers import needs_browser, watched_page
from colour_helpers import contrast, least_distance
from page_samples import PLOT, drag, make_sweep, own_store, show_plot, write_rows

from thexp_pl.record.experiment import Experiment
from thexp_pl.runs import ExperimentViewer, RunRow

pytestmark = needs_browser

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
SCATTER = "document.querySelector('#scatter .plot')"
CONTAINERS = "Array.from(document.querySelectorAll('.plot-container'))"
STEP = 5_000


@dataclass
class Pages:
    """The runs of two roots with the same keys, and the addresses of pages."""

    rows: list[RunRow]
    both: str
    odd: str


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    """A sweep and its copy in another root, and two runs of far steps, names and values."""
    pytest.importorskip("plotly")
    with own_store(tmp_path_factory) as folder:
        make_sweep(folder / "first" / "runs")
        shutil.copytree(folder / "first" / "runs", folder / "second" / "runs")
        rows = ExperimentViewer([folder / "first" / "runs", folder / "second" / "runs"]).rows()
        for place in range(2):
            with Experiment(folder / "odd", "net", code=False, console=False) as exp:
                exp.params = {"__proto__": place, "big": 1e308**place}
                for step in range(0, 10 * STEP, STEP):
                    exp.log_metrics(step, 0, {"loss": step / STEP + place})
        odd = ExperimentViewer([folder / "odd"]).rows()
        yield Pages(rows, write_rows(folder, "both", rows), write_rows(folder, "odd", odd))


@pytest.fixture
def page(browser: Any, pages: Pages) -> Iterator[Any]:
    """The open page of both roots; nothing on it may fail."""
    with watched_page(browser, viewport={"width": 1280, "height": 900}) as watched:
        watched.page.goto(pages.both)
        watched.page.wait_for_selector("#runs tbody tr")
        yield watched.page
        assert (watched.errors, watched.foreign) == ([], [])


def _show(page: Any, section: str) -> None:
    page.locator(f"#{section}").scroll_into_view_if_needed()
    page.wait_for_selector(f"#{section} .plot.drawn")


def test_the_scatter_has_the_colours_of_the_groups_in_the_legend(page: Any) -> None:
    _show(page, "scatter")
    page.get_by_label("Group by").select_option(label="optim.lr")
    page.wait_for_function(f"new Set({SCATTER}.data[0].marker.color).size === 3")
    x, colours = page.evaluate(f"[{SCATTER}.data[0].x, {SCATTER}.data[0].marker.color]")
    legend = page.evaluate(
        """Object.fromEntries(Array.from(document.querySelectorAll('.legend .chip'), (chip) =>
            [chip.textContent, chip.querySelector('line').getAttribute('stroke')]))"""
    )
    assert len(set(legend.values())) == 3
    assert [legend[f"optim.lr = {rate}"] for rate in x] == colours


def test_the_colours_of_runs_can_be_told_apart_in_both_themes(browser: Any, pages: Pages) -> None:
    with watched_page(browser, color_scheme="light") as watched:
        page = watched.page
        page.goto(pages.odd)
        page.wait_for_selector("h1")
        for theme in ("light", "dark"):
            page.emulate_media(color_scheme=theme)
            page.wait_for_function(f"document.documentElement.dataset.theme === '{theme}'")
            lines = page.evaluate("Array.from({length: 16}, (_, slot) => thexp.lineOf(slot))")
            colours = {line["color"] for line in lines}
            assert len(colours) == 8
            assert len({(line["color"], line["dash"]) for line in lines}) == 16
            assert least_distance(colours) > 15
            style = "getComputedStyle(document.documentElement)"
            for ground in page.evaluate(
                f"['--ground', '--card'].map((name) => {style}.getPropertyValue(name))"
            ):
                assert min(contrast(colour, ground.strip()) for colour in colours) >= 3


def test_runs_of_one_key_in_two_roots_are_told_apart(page: Any, pages: Pages) -> None:
    key = pages.rows[0].key
    names = {f"{key} (first)", f"{key} (second)"}
    assert "root" in page.locator("#runs th").all_inner_texts()
    titles = page.locator(".legend .chip").evaluate_all("(all) => all.map((each) => each.title)")
    assert len(set(titles)) == 12
    assert names < set(titles)
    assert names < set(page.locator("#differs tbody td:first-child").all_inner_texts())
    show_plot(page, "loss")
    assert names < set(page.evaluate(f"{PLOT.format('loss')}.data.map((each) => each.name)"))
    page.get_by_label(f"choose {key} (second)").uncheck()
    _show(page, "scatter")
    page.wait_for_function(f"{SCATTER}.data[0].x.length === 11")
    hovers = page.evaluate(f"{SCATTER}.data[0].text.map((each) => each.split('<br>')[0])")
    assert f"{key} (first)" in hovers
    assert f"{key} (second)" not in hovers


def test_a_line_is_in_place_of_each_plot_where_no_run_is_left_and_the_zoom_comes_back(
    page: Any,
) -> None:
    low, high = drag(page, "loss")
    find = page.get_by_label("Filter", exact=True)
    find.fill("seed>99")
    for section in ("parallel", "scatter"):
        page.locator(f"#{section}").scroll_into_view_if_needed()
        page.locator(f"#{section} .plot .empty", has_text="No run is chosen.").wait_for()
    show_plot(page, "loss")
    page.locator('[data-metric="loss"] .plot .empty', has_text="No run that is").wait_for()
    # plots are drawn one after another: those behind this one have their line a moment later
    page.wait_for_function(f"!{CONTAINERS}.some((each) => each.checkVisibility())")
    find.fill("")
    page.locator('[data-metric="loss"] .plot-container').wait_for()
    assert page.evaluate(f"{PLOT.format('loss')}._fullLayout.xaxis.range") == [low, high]


def test_the_focus_in_a_row_stays_when_runs_are_newer(page: Any, pages: Pages) -> None:
    box = page.get_by_label(f"choose {pages.rows[2].key} (first)")
    box.focus()
    page.evaluate("thexp.update({curves: {}})")
    assert box.evaluate("(each) => each === document.activeElement")
    page.locator("#runs .tick", has_text="kind").locator("input").evaluate("(each) => each.click()")
    assert "kind" not in page.locator("#runs th").all_inner_texts()
    assert box.evaluate("(each) => each === document.activeElement")


def test_the_number_of_the_smoothing_stands_in_one_line(page: Any) -> None:
    slider = page.get_by_label("Smoothing")
    height = "document.querySelector('.control output').getBoundingClientRect().height"
    before = page.evaluate(height)
    slider.fill("0.95")
    assert page.evaluate("document.querySelector('.control output').textContent") == "0.95"
    assert page.evaluate(height) == before


def test_a_plot_that_fails_says_so_and_takes_no_other_with_it(browser: Any, pages: Pages) -> None:
    with watched_page(browser) as watched:
        page = watched.page
        page.goto(pages.both)
        page.wait_for_selector("#runs tbody tr")
        page.evaluate(
            """thexp.plotly().then((plotly) => {
                const react = plotly.react;
                plotly.react = (holder, data, ...rest) => {
                    if (data[0].type === "parcoords") throw new Error("out of axes");
                    return react(holder, data, ...rest);
                };
            })"""
        )
        page.locator("#parallel").scroll_into_view_if_needed()
        page.get_by_text("The plot cannot be drawn: out of axes.").wait_for()
        _show(page, "scatter")
        assert [error for error in watched.errors if "out of axes" not in error] == []


def test_names_and_values_that_plotly_cannot_take_spoil_no_plot(browser: Any, pages: Pages) -> None:
    with watched_page(browser) as watched:
        page = watched.page
        page.goto(pages.odd)
        _show(page, "parallel")
        page.wait_for_function("document.querySelectorAll('#parallel .axis-title').length >= 3")
        titles = page.locator("#parallel .axis-title").all_text_contents()
        assert [title.strip("\u200b") for title in titles] == ["__proto__", "big", "loss"]
        _show(page, "scatter")
        page.locator("#scatter").get_by_label("x", exact=True).select_option(label="big")
        page.locator("#scatter .note", has_text="1 run has no value that can be drawn").wait_for()
        assert page.evaluate(f"{SCATTER}.data[0].x") == [1]
        assert watched.errors == []


def test_a_phone_has_the_buttons_above_the_curve_and_short_steps_below_it(
    browser: Any, pages: Pages
) -> None:
    with watched_page(browser, **PHONE) as watched:
        page = watched.page
        page.goto(pages.odd)
        show_plot(page, "loss")
        card = page.locator('[data-metric="loss"]')
        bar = card.locator(".modebar").bounding_box()
        assert bar["y"] + bar["height"] <= card.locator(".nsewdrag").first.bounding_box()["y"]
        ticks = card.locator(".xtick text")
        assert ticks.all_text_contents()[:3] == ["0", "20k", "40k"]
        ends = [(box["x"], box["x"] + box["width"]) for box in map(_box, ticks.all())]
        assert all(end < start for (_, end), (start, _) in pairwise(ends))
        page.evaluate(
            f"Plotly.Fx.hover({PLOT.format('loss')}, [{{curveNumber: 0, pointNumber: 3}}])"
        )
        hover = card.locator(".hoverlayer", has_text="step 15000: 3")
        hover.wait_for(state="attached")
        for chooser in page.locator(".chooser summary").all():
            chooser.click()
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        assert watched.errors == []


def _box(element: Any) -> dict[str, float]:
    found: dict[str, float] = element.bounding_box()
    return found


def test_without_javascript_the_page_says_only_that(browser: Any, pages: Pages) -> None:
    with watched_page(browser, java_script_enabled=False) as watched:
        watched.page.goto(pages.odd)
        assert watched.page.locator("body").inner_text().strip() == (
            "This page is drawn by JavaScript, which is off in this browser."
        )
