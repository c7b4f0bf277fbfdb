"""The list of all runs in a real browser."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser_helpers import Watched, needs_browser, watched_page
from filelock import FileLock
from ui_helpers import HOSTILE, Server, expect, record

from thexp_pl.record import Experiment
from thexp_pl.record.notes import add_tags, read_notes
from thexp_pl.record.paths import RunPaths

pytestmark = needs_browser


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "root"


@pytest.fixture
def watched(browser: Any) -> Iterator[Watched]:
    with watched_page(browser) as page:
        yield page
        assert page.foreign == []
        # a refusal that is shown is no fault of the page, but the browser notes it
        refused = ("status of 400", "status of 409")
        assert [each for each in page.errors if not any(one in each for one in refused)] == []


def rows(page: Any) -> Any:
    return page.locator(".runs tbody tr")


def copies(paths: RunPaths, count: int) -> None:
    """Copy a run that started before all others."""
    for number in range(count):
        shutil.copytree(paths.folder, paths.folder.with_name(f"a-{number:02d}"))


def test_the_list_is_filtered_sorted_and_turned(
    ui_server: Server, root: Path, watched: Watched
) -> None:
    made = [record(root, lr=0.1 + place, batch=8) for place in range(5)]
    copies(made[0], 55)
    page = watched.page
    page.goto(ui_server.address)
    expect(page).to_have_url(f"{ui_server.base}/")  # the token has left the address
    expect(rows(page)).to_have_count(50)
    expect(rows(page).first).to_contain_text(made[-1].key)
    expect(page.locator(".place")).to_have_text("1–50 of 60")
    page.get_by_role("button", name="Next").click()
    expect(rows(page)).to_have_count(10)
    expect(page.get_by_role("button", name="Next")).to_be_disabled()
    page.get_by_role("button", name="Previous").click()

    page.get_by_label("Filter").fill("params.lr > 0.5")
    expect(page.locator(".place")).to_have_text("1–4 of 4")
    header = page.get_by_role("button", name="lr", exact=True)
    header.click()
    expect(page.locator("th", has=header)).to_have_attribute("aria-sort", "descending")
    expect(rows(page).first).to_contain_text(made[4].key)
    header.click()
    expect(rows(page).first).to_contain_text(made[1].key)

    page.get_by_label("Filter").fill("params.lrr < 5")
    expect(page.locator(".line.fault")).to_contain_text("no run has params.lrr")
    page.get_by_label("Filter").fill(made[3].key[-6:])
    expect(rows(page)).to_have_count(1)
    page.reload()  # the address knows what was asked for
    expect(rows(page)).to_have_count(1)
    expect(page.get_by_label("Filter")).to_have_value(made[3].key[-6:])
    page.get_by_label("Filter").fill("nothing like it")
    expect(page.locator(".runs")).to_contain_text("No run is like that.")


def test_small_curves_are_drawn_and_columns_chosen(
    ui_server: Server, root: Path, watched: Watched
) -> None:
    with Experiment(root, "two", code=False, console=False) as exp:
        exp.params = {"lr": 0.1, "kind": "slow"}
        for step in range(4):
            exp.log_metrics(step, 0, {"train loss": 1.0 + step, "val/acc": 0.25 * step})
    page = watched.page
    page.goto(ui_server.address)
    curve = page.locator(".spark svg")
    expect(curve).to_have_attribute("aria-label", "train loss: last 4, min 1, max 4")
    page.get_by_label("Curve of").select_option("val/acc")
    expect(curve).to_have_attribute("aria-label", "val/acc: last 0.75, min 0, max 0.75")
    page.locator(".chooser summary").click()
    page.get_by_label("kind").uncheck()
    expect(page.get_by_role("button", name="kind", exact=True)).to_have_count(0)
    page.get_by_role("button", name="train loss", exact=True).click()  # a name that needs quotes
    expect(page.locator("th[aria-sort]")).to_contain_text("train loss")
    expect(rows(page)).to_have_count(1)
    expect(page.locator(".line.fault")).to_have_count(0)


def test_a_curve_that_ends_in_no_number_says_so(
    ui_server: Server, root: Path, watched: Watched
) -> None:
    with Experiment(root, "diverged", code=False, console=False) as exp:
        for step in range(5):
            exp.log_metrics(step, 0, {"loss": float("inf") if step == 4 else step})
    page = watched.page
    page.goto(ui_server.address)
    curve = page.locator(".spark svg")
    told = "loss: last Infinity, min 0, max 3, some not finite"
    expect(curve).to_have_attribute("aria-label", told)
    expect(curve.locator(".odd")).to_have_count(1)
    expect(curve.locator("circle")).to_have_count(0)


def test_what_is_typed_for_a_run_reaches_no_other(
    ui_server: Server, root: Path, watched: Watched
) -> None:
    first, second = record(root), record(root)
    page = watched.page
    page.goto(ui_server.address)

    def edit(paths: RunPaths) -> None:
        page.get_by_role("button", name=f"edit tags and notes of {paths.key}").click()

    edit(first)
    page.get_by_label("New note").fill("of the first")
    page.get_by_label("New tag").fill("one")
    page.get_by_role("button", name="Close").click()
    edit(second)
    expect(page.get_by_label("New note")).to_have_value("")
    expect(page.get_by_label("New tag")).to_have_value("")
    page.get_by_role("button", name="Add note").click()
    page.get_by_label("New tag").fill("two")
    edit(first)
    expect(page.get_by_label("New tag")).to_have_value("one")
    page.get_by_role("button", name="Add note").click()
    expect(page.locator(".editor .notes")).to_have_text("of the first")
    expect(page.get_by_label("New note")).to_have_value("")
    assert [note["text"] for note in read_notes(first)["notes"]] == ["of the first"]
    assert read_notes(second) == {"tags": [], "notes": []}


def test_a_refusal_is_said_though_the_panel_was_closed_meanwhile(
    ui_server: Server, root: Path, watched: Watched
) -> None:
    paths = record(root)
    page = watched.page
    page.goto(ui_server.address)
    page.get_by_role("button", name=re.compile("edit tags")).click()
    page.get_by_label("New note").fill("first")
    paths.notes.write_text("{torn")
    with FileLock(paths.notes_lock):  # the answer waits
        with page.expect_request("**/notes"):
            page.get_by_role("button", name="Add note").click()
        page.get_by_role("button", name="Close").click()
        expect(page.locator(".editor")).to_be_hidden()
    expect(page.get_by_role("alert")).to_contain_text("mend it by hand")
    expect(page.get_by_label("New note")).to_have_value("first")


def test_hostile_names_are_text(ui_server: Server, root: Path, watched: Watched) -> None:
    paths = record(root, HOSTILE, **{"<img src=x onerror='window.pwned=1'>": "javascript:alert(1)"})
    add_tags(paths, "<b onclick=x>tag</b>", "\u202etxt")
    page = watched.page
    page.goto(ui_server.address)
    expect(rows(page)).to_contain_text(HOSTILE)
    expect(rows(page)).to_contain_text("<b onclick=x>tag</b>")
    page.get_by_role("button", name=re.compile("edit tags")).click()
    expect(page.locator(".editor")).to_contain_text("<b onclick=x>tag</b>")
    assert page.evaluate("window.pwned") is None
    assert page.locator(".runs img, .runs b, .editor b, a[href^='javascript']").count() == 0
    page.get_by_role("link", name=paths.key).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(paths.key)
    expect(page.locator("header.run")).to_contain_text(HOSTILE)
    assert page.evaluate("window.pwned") is None


def test_tags_and_notes_are_changed_where_they_are_read(
    ui_server: Server, root: Path, watched: Watched
) -> None:
    paths = record(root)
    page = watched.page
    page.goto(ui_server.address)
    page.get_by_role("button", name=re.compile("edit tags")).click()
    expect(page.get_by_label("New tag")).to_be_focused()
    page.keyboard.type("best one")
    page.keyboard.press("Enter")
    expect(rows(page)).to_contain_text("best one")
    page.get_by_label("New note").fill("looks fine")
    page.get_by_role("button", name="Add note").click()
    expect(rows(page)).to_contain_text("looks fine")
    assert read_notes(paths)["tags"] == ["best one"]
    assert [note["text"] for note in read_notes(paths)["notes"]] == ["looks fine"]
    page.get_by_role("button", name="remove tag best one").click()
    expect(page.locator(".editor .tag")).to_have_count(0)
    assert read_notes(paths)["tags"] == []
    paths.notes.write_text("{torn")
    page.get_by_label("New tag").fill("again")
    page.get_by_role("button", name="Add tag").click()
    expect(page.get_by_role("alert")).to_contain_text("mend it by hand")
    expect(page.get_by_label("New tag")).to_have_value("again")
    assert paths.notes.read_text() == "{torn"
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name=re.compile("edit tags"))).to_be_focused()


def test_a_new_run_waits_behind_a_button_and_what_was_chosen_stays(
    ui_server: Server, root: Path, watched: Watched
) -> None:
    first = record(root)
    page = watched.page
    page.goto(ui_server.address)
    page.get_by_label(f"choose {first.key}").check()
    page.get_by_role("link", name=first.key).focus()
    second = record(root)
    page.get_by_role("button", name="1 new run").click()
    expect(rows(page)).to_have_count(2)
    expect(rows(page).first).to_contain_text(second.key)
    expect(page.get_by_label(f"choose {first.key}")).to_be_checked()
    page.get_by_label(f"choose {second.key}").check()
    page.get_by_role("button", name="Compare 2 runs").click()
    expect(page).to_have_url(re.compile("/compare\\?ids=[0-9a-f]{16},[0-9a-f]{16}$"))
    expect(page.locator(".js-plotly-plot").first).to_be_visible()
    expect(page.get_by_role("table", name="runs").locator("tbody tr")).to_have_count(2)
    page.get_by_role("link", name="All runs").click()
    expect(rows(page)).to_have_count(2)


def test_a_run_that_begins_is_shown_where_there_was_none_and_its_status_follows(
    ui_server: Server, root: Path, watched: Watched
) -> None:
    page = watched.page
    page.goto(ui_server.address)
    expect(page.get_by_role("heading", name="No runs yet")).to_be_visible()
    with Experiment(root, "first", code=False, console=False) as exp:
        expect(rows(page)).to_contain_text("running")
        expect(page.get_by_role("heading", name="No runs yet")).to_be_hidden()
        exp.log_metrics(0, 0, {"loss": 0.25})
        exp.flush()
        curve = page.locator(".spark svg")
        expect(curve).to_have_attribute("aria-label", re.compile("last 0.25"))
        page.get_by_role("link", name=exp.paths.key).focus()
        exp.log_metrics(1, 0, {"loss": 0.125})
    expect(rows(page)).to_contain_text("finished")
    expect(curve).to_have_attribute("aria-label", re.compile("last 0.125"))
    expect(page.get_by_role("link", name=exp.paths.key)).to_be_focused()


@pytest.mark.parametrize(
    "look",
    [
        {"color_scheme": "light", "viewport": {"width": 1280, "height": 800}},
        {"color_scheme": "dark", "viewport": {"width": 390, "height": 844}},
    ],
)
def test_nobody_is_kept_out(
    ui_server: Server, root: Path, browser: Any, look: dict[str, Any]
) -> None:
    with watched_page(browser, **look) as watched:
        page = watched.page
        page.goto(ui_server.address)
        expect(page.get_by_role("heading", name="No runs yet")).to_be_visible()
        assert watched.faults() == []
        made: list[RunPaths] = [record(root, "a name of very many letters" * 6) for _ in range(3)]
        add_tags(made[0], "a tag of very many letters " * 6)
        expect(rows(page)).to_have_count(3)
        page.get_by_role("button", name=re.compile("edit tags")).first.click()
        page.locator(".chooser summary").click()
        assert watched.faults() == []
        assert page.evaluate("document.documentElement.scrollWidth") <= look["viewport"]["width"]
        # by keyboard alone: from the box of the first row to its link, and in
        page.keyboard.press("Escape")
        page.get_by_label(f"choose {made[-1].key}").focus()
        page.keyboard.press("Space")
        expect(page.get_by_role("button", name="Compare 1 run")).to_be_enabled()
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text(made[-1].key)
        assert watched.errors == []
