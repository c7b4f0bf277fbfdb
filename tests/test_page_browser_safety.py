"""What a page must not do: run what a run is called, shut somebody out, fall apart when empty."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from browser_helpers import needs_browser, watched_page
from page_samples import (
    PLOT,
    lines_of,
    make_run,
    make_sweep,
    many,
    own_store,
    show_plot,
    write,
    write_rows,
)

from thexp_pl.record.notes import add_note, add_tags
from thexp_pl.report.page import page_data
from thexp_pl.runs import ExperimentViewer, RunRow

pytestmark = needs_browser

SCRIPT = "<script>window.pwned=1</script>"
IMAGE = "<img src=x onerror=window.pwned=1>"
MARKUP = "<b>b</b><br><a href='javascript:window.pwned=1'>%{y}&amp;"
NARROW = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


@dataclass
class Pages:
    """The addresses of sample pages, and the folder where more can be written."""

    folder: Path
    sweep: str
    hostile: str
    hostile_run: str
    empty_run: str
    rows: list[RunRow]


def _hostile_runs(root: Path) -> list[RunRow]:
    metrics = {name: lambda step: math.exp(-step / 9) for name in (IMAGE, MARKUP, "a" * 200)}
    for place, name in enumerate((SCRIPT.replace("/", "∕"), IMAGE, "javascript:window.pwned=1")):
        params = {MARKUP: IMAGE, "kind": f"{MARKUP}{place}", "n": place, "中文": "手写" * 100}
        make_run(root, name, params, metrics, steps=12)
    rows = ExperimentViewer([root]).rows()
    add_tags(rows[0].paths, SCRIPT)
    add_note(rows[0].paths, IMAGE)
    return ExperimentViewer([root]).rows()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    """The pages of a sweep, of hostile runs and of a run with nothing in it."""
    pytest.importorskip("plotly")
    with own_store(tmp_path_factory) as folder:
        rows = make_sweep(folder / "sweep")
        bad = _hostile_runs(folder / "bad")
        make_run(folder / "empty", "empty", {}, {}, steps=0)
        empty = ExperimentViewer([folder / "empty"]).rows()
        yield Pages(
            folder,
            write_rows(folder, "sweep", rows),
            write_rows(folder, "hostile", bad),
            write_rows(folder, "hostile_run", bad[:1]),
            write_rows(folder, "empty", empty),
            rows,
        )


def _draw_all(page: Any) -> None:
    """Go through the page, and stay at each plot until it is drawn."""
    page.wait_for_selector("h1")
    for plot in page.locator(".plot").all():
        plot.scroll_into_view_if_needed()
        page.wait_for_function(
            "(plot) => plot.classList.contains('drawn')", arg=plot.element_handle()
        )
    assert page.locator(".plot:not(.drawn)").count() == 0


def _unfold(page: Any) -> None:
    """Open all that is folded, and wait until it is filled."""
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    page.wait_for_function(
        "Array.from(document.querySelectorAll('details')).every((each) => each.children.length > 1)"
    )


@pytest.mark.parametrize("which", ["hostile", "hostile_run"])
def test_hostile_names_are_shown_as_they_are_and_do_nothing(
    browser: Any, pages: Pages, which: str
) -> None:
    with watched_page(browser) as watched:
        page = watched.page
        page.goto(getattr(pages, which))
        _draw_all(page)
        _unfold(page)
        text = page.locator("main").inner_text()
        for name in (IMAGE, MARKUP, SCRIPT.replace("/", "∕")):
            assert name in text
        assert page.evaluate("window.pwned") is None
        assert page.locator("main img, main script, main b, svg a").count() == 0
        links = page.evaluate("Array.from(document.links, (each) => each.getAttribute('href'))")
        assert all(link.startswith("#") for link in links)
        assert (watched.errors, watched.foreign) == ([], [])


def test_plotly_shows_its_own_markup_as_text(browser: Any, pages: Pages) -> None:
    with watched_page(browser) as watched:
        page = watched.page
        page.goto(pages.hostile)
        _draw_all(page)
        title = f"params.{MARKUP}"  # there is a metric of this name
        page.locator("#scatter").get_by_label("x", exact=True).select_option(label=title[:39] + "…")
        page.wait_for_function(
            "(text) => document.querySelector('#scatter .xtitle')?.textContent === text",
            arg=title[:49] + "…",
        )
        ticks = page.locator("#scatter .xtick text").all_text_contents()
        assert ticks == [IMAGE[:17] + "…"]
        label = page.locator("#parallel .axis-title", has_text=IMAGE[:20])
        assert label.count() == 1
        page.locator("#scatter .points path").first.hover(force=True)
        hover = page.locator("#scatter .hoverlayer text")
        hover.first.wait_for()
        shown = hover.first.text_content()
        assert MARKUP[:30] in shown
        assert any(name in shown for name in (IMAGE, "javascript:", SCRIPT.replace("/", "∕")))
        assert watched.errors == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious(browser: Any, pages: Pages, theme: str) -> None:
    with watched_page(browser, color_scheme=theme) as watched:
        for url in (pages.sweep, pages.hostile_run):
            watched.page.goto(url)
            _draw_all(watched.page)
            _unfold(watched.page)
            assert watched.faults() == []


def test_a_phone_scrolls_no_page_sideways_and_has_targets_for_a_finger(
    browser: Any, pages: Pages
) -> None:
    with watched_page(browser, **NARROW) as watched:
        for url in (pages.hostile, pages.hostile_run):
            watched.page.goto(url)
            _draw_all(watched.page)
            assert watched.page.evaluate("document.documentElement.scrollWidth") == 390
            small = watched.page.evaluate(
                """Array.from(document.querySelectorAll("button, select, label, summary"))
                .map((each) => [each.textContent, each.getBoundingClientRect()])
                .filter(([, box]) => box.height > 0 && (box.height < 24 || box.width < 24))
                .map(([text]) => text)"""
            )
            assert small == []
        assert watched.errors == []


def test_paper_is_light_without_controls_and_keeps_tables_and_curves(
    browser: Any, pages: Pages
) -> None:
    with watched_page(browser, color_scheme="dark") as watched:
        page = watched.page
        page.goto(pages.sweep)
        show_plot(page, "loss")
        colour = f"{lines_of('loss')}[4].line.color"
        assert page.evaluate(colour) == "#eeeeee"
        page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
        assert page.evaluate(colour) == "#222222"
        page.emulate_media(media="print")
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert ground == "rgb(255, 255, 255)"
        text = page.evaluate("getComputedStyle(document.querySelector('.plot text')).fill")
        assert text == "rgb(27, 31, 36)"
        assert not page.locator(".controls").first.is_visible()
        assert page.locator('[data-metric="loss"] .scatterlayer path').first.is_visible()
        cut = page.evaluate(
            """Array.from(document.querySelectorAll(".scroll"))
            .some((each) => each.scrollHeight > each.clientHeight + 1)"""
        )
        assert not cut
        assert page.pdf().startswith(b"%PDF")
        # what had not been in sight is drawn for the paper
        assert page.locator(".card .plot.drawn").count() == 3


def test_an_empty_run_has_a_page_that_says_what_is_not_there(browser: Any, pages: Pages) -> None:
    with watched_page(browser) as watched:
        watched.page.goto(pages.empty_run)
        watched.page.wait_for_selector("h1")
        text = watched.page.locator("main").inner_text()
        for line in ("No parameters were recorded.", "No metrics were recorded."):
            assert line in text
        data = {**page_data(pages.rows[:1]), "page": "runs", "rows": [], "detail": None}
        watched.page.goto(write(pages.folder, "none", data))
        watched.page.get_by_text("There are no runs here.").wait_for()
        assert watched.errors == []


def test_two_hundred_runs_are_grey_until_few_are_left(browser: Any, pages: Pages) -> None:
    with watched_page(browser) as watched:
        page = watched.page
        page.goto(write(pages.folder, "many", many(page_data(pages.rows[:1]), 200)))
        show_plot(page, "loss")
        assert page.evaluate(f"{lines_of('loss')}.length") == 200
        colours = f"new Set({lines_of('loss')}.map((each) => each.line.color))"
        assert page.evaluate(f"Array.from({colours})") == ["#888888"]
        page.get_by_text("point at a line to see whose it is").first.wait_for()
        page.get_by_label("Filter", exact=True).fill("key:-19")  # 19 and 190 to 199
        page.wait_for_function(f"{lines_of('loss')}.length === 11")
        kinds = f"new Set({lines_of('loss')}.map((each) => each.line.color + each.line.dash))"
        assert page.evaluate(f"{kinds}.size") == 11
        assert page.evaluate(f"{PLOT.format('loss')}.querySelectorAll('.js-line').length") == 11
        assert watched.errors == []
