"""The page of one run, in a real browser."""

from __future__ import annotations

import json
import math
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser_helpers import needs_browser, watched_page
from page_samples import PLOT, axis, drag, lines_of, own_store, show_plot, write_rows

from thexp_pl.record.experiment import Experiment
from thexp_pl.record.notes import add_note, add_tags
from thexp_pl.report.page import run_data, run_id
from thexp_pl.runs import ExperimentViewer, RunRow
from thexp_pl.runs.run import read_run

pytestmark = needs_browser

STEPS = 200
MARKS = f"{PLOT.format('loss')}.data.find((each) => each.name === 'checkpoints')"
FIRST = {"light": "#0072b2", "dark": "#56b4e9"}  # the colour of the first line
SOURCE = 'def rate(step):\n    """Say <b>how</b>."""\n    return 1 / (step + 1)\n'


def _loss(step: int) -> float:
    return math.exp(-step / 50) + (step % 7) / 50


def _project(folder: Path, source: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "pyproject.toml").write_text("[project]\nname = 'sample'\nversion = '1'\n")
    (folder / "rate.py").write_text(source)
    return folder


def _record(root: Path, project: Path, lr: float) -> Experiment:
    with Experiment(root, "net", code=True, project=project, console=False) as exp:
        exp.params = {"optim": {"lr": lr, "name": "adam"}, "width": 16}
        for step in range(STEPS):
            values = {"loss": _loss(step), "acc": step / STEPS}
            exp.log_metrics(step, step // 50, values | ({"odd": math.nan} if step == 3 else {}))
        exp.log_metrics(7, 0, {"single": 3.5})
        (exp.path / "modules").mkdir(exist_ok=True)
        (exp.path / "modules" / "0000002.ckpt").write_bytes(b"x" * 5000)
        exp.log_event("checkpoint", path="modules/0000002.ckpt")
        exp.log_event("created", path="modules/0000002.ckpt", size=5000)
    return exp


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunRow, str]]:
    """A run that came from another one, and the address of its page."""
    pytest.importorskip("plotly")
    with own_store(tmp_path_factory) as folder:
        project = _project(folder / "project", SOURCE)
        parent = _record(folder / "runs", project, 0.1)
        _project(project, SOURCE.replace("step + 1", "step + 2"))
        exp = _record(folder / "runs", project, 0.05)
        add_tags(exp.paths, "best")
        add_note(exp.paths, "The one for the table.")
        manifest = exp.path / "run.json"
        told = json.loads(manifest.read_text())
        told["parent"] = {"key": parent.key, "how": "resumed"}
        manifest.write_text(json.dumps(told))
        rows = ExperimentViewer([folder / "runs"]).rows(f"key == '{exp.key}'")
        yield rows[0], write_rows(folder, "run", rows)


@pytest.fixture
def page(browser: Any, run: tuple[RunRow, str]) -> Iterator[Any]:
    """The open page; nothing on it may fail, and nothing may be asked of another machine."""
    with watched_page(browser, viewport={"width": 1280, "height": 900}) as watched:
        watched.page.goto(run[1])
        watched.page.wait_for_selector("h1")
        yield watched.page
        assert (watched.errors, watched.foreign) == ([], [])


def test_the_page_tells_what_the_record_tells(page: Any, run: tuple[RunRow, str]) -> None:
    assert page.locator("h1").inner_text() == run[0].key
    assert page.locator(".lead").inner_text().split("\n")[0] == "✓ finished"
    assert page.locator(".tag").inner_text() == "best"
    assert page.locator("blockquote").inner_text().startswith("The one for the table.")
    page.get_by_label("Filter parameters").fill("lr")
    page.wait_for_function("document.querySelectorAll('#params tbody tr').length === 1")
    assert page.locator("#params tbody tr").inner_text().split() == ["optim.lr", "0.05"]
    checkpoint = page.locator("#checkpoints tbody tr").inner_text()
    assert "modules/0000002.ckpt" in checkpoint
    assert "5 KB" in checkpoint


def test_facts_changes_of_files_and_environment_are_those_of_the_record(
    page: Any, run: tuple[RunRow, str]
) -> None:
    told = json.loads(run[0].paths.manifest.read_text())
    facts = page.locator("#facts .facts > div")
    assert facts.filter(has_text="command").locator("dd").first.inner_text() == told["command"]
    for name in ("files", "environment"):
        page.locator(f"#{name} > summary").click()
    changed = page.locator("#files tbody tr", has_text="modules/0000002.ckpt").first.inner_text()
    assert "created" in changed
    assert "5 KB" in changed
    python = page.locator("#environment .facts > div").filter(has=page.get_by_text("python"))
    assert python.locator("dd").first.inner_text() == platform.python_version()


def test_metrics_are_chosen_by_a_word_enlarged_and_read_as_numbers(page: Any) -> None:
    cards = page.locator("[data-metric]")
    assert cards.count() == 4
    page.get_by_label("Metrics", exact=True).fill("acc")
    page.wait_for_function("document.querySelectorAll('[data-metric]').length === 1")
    assert cards.get_attribute("data-metric") == "acc"
    show_plot(page, "acc")
    width = cards.bounding_box()["width"]
    button = page.get_by_role("button", name="Larger acc", exact=True)
    button.click()
    assert button.get_attribute("aria-pressed") == "true"
    assert cards.bounding_box()["width"] > 1.5 * width
    cards.locator("summary", has_text="Numbers").click()
    row = cards.locator(".numbers tbody tr").inner_text().split()
    assert row[-5:] == ["0.995", "0", "0.995", str(STEPS), "0"]  # last, min, max, points, odd


def test_a_printed_run_has_its_parameters_and_curves_and_no_controls(page: Any) -> None:
    show_plot(page, "loss")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    assert page.locator("#params tbody tr", has_text="optim.lr").is_visible()
    assert "0.05" in page.locator("#params tbody tr", has_text="optim.lr").inner_text()
    assert page.locator('[data-metric="loss"] .scatterlayer path').first.is_visible()
    assert not page.locator("#params .controls").is_visible()
    assert not page.get_by_role("button", name="Theme").is_visible()
    assert page.pdf().startswith(b"%PDF")
    # what had not been in sight is drawn for the paper
    page.wait_for_function("document.querySelectorAll('.card .plot:not(.drawn)').length === 0")


def test_smoothing_is_the_debiased_mean_and_the_raw_curve_stays_behind_it(page: Any) -> None:
    show_plot(page, "loss")
    page.get_by_label("Smoothing").fill("0.9")
    page.wait_for_function(f"{lines_of('loss')}.length === 2")
    raw, smooth = page.evaluate(f"{lines_of('loss')}.map((each) => each.y.slice(0, 20))")
    mean, wanted = 0.0, []
    for place in range(20):
        mean = 0.9 * mean + 0.1 * _loss(place)
        wanted.append(mean / (1 - 0.9 ** (place + 1)))
    assert raw == pytest.approx([_loss(place) for place in range(20)])
    assert smooth == pytest.approx(wanted)


def test_the_axes_become_logarithmic_and_epochs(page: Any) -> None:
    show_plot(page, "loss")
    page.get_by_label("Log y").check()
    page.wait_for_function(f"{PLOT.format('loss')}.layout.yaxis.type === 'log'")
    page.get_by_label("x", exact=True).select_option("epoch")
    page.wait_for_function(f"{PLOT.format('loss')}.layout.xaxis.title?.text === 'epoch'")
    page.wait_for_function(f"{PLOT.format('loss')}._fullLayout.xaxis.range[1] < 4")
    page.locator('[data-metric="acc"] .note', has_text="not above 0 are left out").wait_for()


def test_checkpoints_single_points_and_what_is_no_number_are_seen(page: Any) -> None:
    for metric in ("loss", "single", "odd"):
        show_plot(page, metric)
    page.get_by_label("x", exact=True).select_option("epoch")
    page.wait_for_function(f"{MARKS} !== undefined")
    assert page.evaluate(f"[{MARKS}.x, {MARKS}.text]") == [[2], ["modules/0000002.ckpt"]]
    assert page.evaluate(f"{PLOT.format('single')}.data[0].mode") == "markers"
    assert page.locator('[data-metric="single"] .scatterlayer .point').count() >= 1
    note = page.locator('[data-metric="odd"] .note').inner_text()
    assert "1 value is not finite" in note
    assert "There is no finite value." in note


def test_a_deep_link_opens_the_code_with_a_number_a_line(
    browser: Any, run: tuple[RunRow, str]
) -> None:
    with watched_page(browser) as watched:
        watched.page.goto(run[1] + "#code")
        watched.page.wait_for_selector("#code[open]")
        watched.page.locator("#code .file", has_text="rate.py").locator("summary").click()
        code = watched.page.locator("#code .file[open]")
        assert code.locator(".gutter").inner_text().split() == ["1", "2", "3"]
        assert code.locator(".code").inner_text().strip() == SOURCE.replace("+ 1", "+ 2").strip()
        assert code.locator(".tok-k").first.inner_text() == "def"
        assert watched.errors == []


def test_the_difference_to_the_parent_has_signs_and_values(page: Any) -> None:
    patch = page.locator("#diff .patch")
    assert "step + 1" in patch.locator(".tok-gd", has_text="return").inner_text()
    assert "step + 2" in patch.locator(".tok-gi", has_text="return").inner_text()
    row = page.locator("#diff tr", has_text="optim.lr").inner_text().split()
    assert row == ["optim.lr", "0.1", "0.05"]


def test_the_theme_follows_the_system_until_a_button_says_otherwise(
    browser: Any, run: tuple[RunRow, str]
) -> None:
    with watched_page(browser, color_scheme="dark") as watched:
        page = watched.page
        page.goto(run[1])
        show_plot(page, "loss")
        theme = "document.documentElement.dataset.theme"
        ground = "getComputedStyle(document.body).backgroundColor"
        colour = f"{lines_of('loss')}[0]?.line.color"
        page.wait_for_function(f"{theme} === 'dark' && {colour} === '{FIRST['dark']}'")
        dark = page.evaluate(ground)
        button = page.get_by_role("button", name="Theme")
        assert button.inner_text() == "Theme: auto"
        button.click()
        assert button.inner_text() == "Theme: light"
        assert page.evaluate(theme) == "light"
        show_plot(page, "loss")  # only what is in sight is drawn, and the button was gone to
        page.wait_for_function(f"{colour} === '{FIRST['light']}'")
        assert page.evaluate(ground) != dark
        page.reload()
        page.wait_for_selector("h1")
        assert page.evaluate(theme) == "light"


def test_the_keyboard_reaches_all_controls_and_folds_the_sections(page: Any) -> None:
    reached = []
    for _ in range(45):
        page.keyboard.press("Tab")
        reached.append(
            page.evaluate("document.activeElement.textContent || document.activeElement.type")
        )
    assert reached[0].startswith("Theme")
    assert reached[1] == "Facts"
    for control in ("search", "range", "checkbox", "Reset", "Larger", "Numbers"):
        assert any(each.startswith(control) for each in reached), control
    width = page.evaluate("getComputedStyle(document.activeElement).outlineWidth")
    assert width != "0px"
    page.locator("#packages > summary").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("#packages[open]")


def test_a_live_page_takes_points_and_the_status_and_keeps_the_zoom(
    page: Any, run: tuple[RunRow, str]
) -> None:
    row = run[0]
    low, high = drag(page, "loss")
    page.get_by_label("Filter parameters").fill("lr")
    more = {"x": [200, 201], "y": [9, 8], "epoch": [4, 4], "by": "step", "points": STEPS + 2}
    detail = {**run_data(read_run(row.paths), None, False), "status": "running"}
    detail["log"] = "a line"
    detail["checkpoints"][0]["step"] = 99
    curves = {run_id(row.paths): {"rows": 9, "went_back": 0, "curves": {"loss": more}}}
    page.evaluate("(part) => thexp.update(part)", {"curves": curves, "detail": detail})
    show_plot(page, "loss")  # only what is in sight is drawn
    page.wait_for_function(f"{lines_of('loss')}[0].x.length === {STEPS + 2}")
    assert page.evaluate(f"{MARKS}.x") == [99]
    assert axis(page, "loss") == [low, high]
    assert page.locator(".lead").inner_text().split("\n")[0] == "● running"
    assert "last 8, " in page.locator('[data-metric="loss"] .note').inner_text()
    assert page.get_by_label("Filter parameters").input_value() == "lr"
    assert page.locator("#log pre").text_content() == "a line"
    # the run goes on from a checkpoint: what came after it is no longer the run's
    fewer = {**more, "x": [0, 1], "y": [5, 6], "epoch": [0, 0], "points": 2}
    gone = {run_id(row.paths): {"rows": 2, "went_back": 77, "curves": {"loss": fewer}}}
    page.evaluate("(part) => thexp.update(part)", {"curves": gone})
    page.wait_for_function(f"{lines_of('loss')}[0].x.length === 2")
    assert page.locator("[data-metric]").count() == 1
