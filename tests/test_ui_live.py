"""The pages of one run and of several, kept fresh in a real browser."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser_helpers import Watched, needs_browser, watched_page
from ui_helpers import Server, expect, record

from thexp_pl.record import Experiment
from thexp_pl.record.notes import add_note, read_notes
from thexp_pl.report.page import run_id

pytestmark = needs_browser
LOSSES = "[data-metric='loss'] .js-plotly-plot"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "root"


@pytest.fixture
def watched(browser: Any) -> Iterator[Watched]:
    with watched_page(browser) as page:
        yield page
        assert page.foreign == []
        refused = ("status of 400", "status of 404", "status of 409", "net::ERR_")  # and shown
        assert [each for each in page.errors if not any(one in each for one in refused)] == []


def opened(ui_server: Server, page: Any, path: str) -> None:
    """Open a page of the server as somebody who was let in."""
    page.goto(ui_server.address)
    page.goto(f"{ui_server.base}{path}")


def points(page: Any, count: int, line: int = 0) -> None:
    """Wait until a curve has so many points."""
    # what is not seen is not drawn
    page.locator("#curves").scroll_into_view_if_needed()
    page.wait_for_function(
        f'() => {{ const plot = document.querySelector("{LOSSES}");'
        f" return plot?.data?.[{line}]?.x?.length === {count}; }}"
    )


def test_a_new_point_arrives_without_a_reload_and_keeps_the_zoom(
    ui_server: Server, root: Path, watched: Watched
) -> None:
    page = watched.page
    with Experiment(root, "going", code=False, console=False) as exp:
        exp.log_metrics(0, 0, {"loss": 3.0})
        exp.log_metrics(1, 0, {"loss": 2.0})
        exp.flush()
        opened(ui_server, page, f"/run/{run_id(exp.paths)}")
        expect(page.locator("header.run")).to_contain_text("running")
        points(page, 2)
        page.evaluate(
            f"Plotly.relayout(document.querySelector(\"{LOSSES}\"), {{'xaxis.range': [0.5, 1.5]}})"
        )
        page.evaluate("window.stayed = true")
        exp.log_metrics(2, 0, {"loss": 1.0, "new metric": 7.0})
        exp.flush()
        points(page, 3)
        expect(page.locator("[data-metric='new metric']")).to_be_attached()
        shown = page.evaluate(f'document.querySelector("{LOSSES}").layout.xaxis.range')
        assert shown == [0.5, 1.5]
    expect(page.locator("header.run")).to_contain_text("finished")
    assert page.evaluate("window.stayed") is True


def test_a_run_that_goes_back_to_a_checkpoint_is_drawn_as_if_it_had_never_stopped(
    ui_server: Server, root: Path, watched: Watched
) -> None:
    paths = record(root, steps=6)
    page = watched.page
    opened(ui_server, page, f"/run/{run_id(paths)}")
    points(page, 6)
    size = paths.metrics.stat().st_size
    kept = sum(map(len, paths.metrics.read_bytes().splitlines(keepends=True)[:3]))
    told = {"kept": [[0, kept]], "until": size}
    with paths.journal.open("a") as file:
        event = {"event": "resume", "time": "2026-01-01T00:00:00+00:00", "passed_over": told}
        file.write(json.dumps(event) + "\n")
    with paths.metrics.open("a") as file:
        file.write("2,0,1.0,loss,7.0\n")
    points(page, 3)


def test_two_runs_side_by_side_go_on_by_themselves(
    ui_server: Server, root: Path, watched: Watched
) -> None:
    page = watched.page
    done = record(root, steps=4, lr=0.1)
    with Experiment(root, "going", code=False, console=False) as exp:
        exp.params = {"lr": 0.2}
        exp.log_metrics(0, 0, {"loss": 3.0})
        exp.flush()
        opened(ui_server, page, f"/compare?ids={run_id(done)},{run_id(exp.paths)}")
        table = page.get_by_role("table", name="runs")
        expect(table).to_contain_text("running")
        page.get_by_label(f"choose {done.key}").uncheck()
        points(page, 1)
        exp.log_metrics(1, 0, {"loss": 2.0})
        exp.flush()
        points(page, 2)
        expect(page.get_by_label(f"choose {done.key}")).not_to_be_checked()
    expect(table).not_to_contain_text("running")
    table.get_by_role("link", name=done.key).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(done.key)


def test_tags_and_notes_of_the_run_are_changed_on_its_page(
    ui_server: Server, root: Path, watched: Watched
) -> None:
    paths = record(root)
    page = watched.page
    opened(ui_server, page, f"/run/{run_id(paths)}")
    page.get_by_role("button", name="Tags and notes").click()
    page.get_by_label("New tag").fill("<b>good</b>")
    page.keyboard.press("Enter")
    expect(page.locator("header.run .tag")).to_have_text("<b>good</b>")
    assert read_notes(paths)["tags"] == ["<b>good</b>"]
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Tags and notes")).to_be_focused()
    assert watched.faults() == []


def test_a_long_note_scrolls_and_a_value_that_cannot_be_drawn_is_named(
    ui_server: Server, root: Path, watched: Watched
) -> None:
    with Experiment(root, "huge", code=False, console=False) as exp:
        exp.log_metrics(0, 0, {"loss": 1.7e308})
    add_note(exp.paths, "line\n" * 10_000)
    page = watched.page
    opened(ui_server, page, f"/run/{run_id(exp.paths)}")
    expect(page.locator("blockquote")).to_contain_text("line")
    assert page.evaluate("document.documentElement.scrollHeight") < 10_000
    card = page.locator('[data-metric="loss"]')
    expect(card).to_contain_text("last 1.7e+308")
    expect(card).to_contain_text("1 value is too large to be drawn")
    page.get_by_role("button", name="Tags and notes").click()
    expect(page.locator(".editor .notes")).to_contain_text("line")
    assert page.evaluate("document.documentElement.scrollHeight") < 10_000
    assert watched.faults() == []


def test_a_run_that_vanishes_leaves_its_page_and_a_line(
    ui_server: Server, root: Path, watched: Watched
) -> None:
    paths = record(root)
    page = watched.page
    opened(ui_server, page, f"/run/{run_id(paths)}")
    expect(page.get_by_role("heading", level=1)).to_have_text(paths.key)
    shutil.rmtree(paths.folder)
    expect(page.get_by_role("status").first).to_contain_text("gone")
    expect(page.get_by_role("heading", level=1)).to_have_text(paths.key)
    page.reload()
    expect(page.locator("#page")).to_contain_text("This run is gone.")
    page.goto(f"{ui_server.base}/run/<b>xyz")
    expect(page.locator("#page")).to_contain_text("'<b>xyz' is no id of a run")
    page.get_by_role("link", name="All runs").click()
    expect(page).to_have_url(re.compile(":[0-9]+/$"))


def test_a_server_that_has_ended_is_said_to_have(
    ui_server: Server, root: Path, watched: Watched
) -> None:
    record(root)
    page = watched.page
    page.goto(ui_server.address)
    expect(page.locator(".runs tbody tr")).to_have_count(1)
    ui_server.process.terminate()
    expect(page.locator(".line")).to_contain_text("does not answer")
    expect(page.locator(".runs tbody tr")).to_have_count(1)
