"""Names, values and damages that are easily taken for others, on pages in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser_helpers import needs_browser, watched_page
from page_helpers import record, rows_of
from page_samples import own_store, write_rows

pytestmark = needs_browser


@pytest.fixture(scope="module")
def alike(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Runs whose parameters and metrics have names and values that look the same."""
    pytest.importorskip("plotly")
    odd: list[dict[str, Any]] = [{"a": None}, {"a": "None"}, {}]
    with own_store(tmp_path_factory) as folder:
        for place, params in enumerate(odd):
            metrics = {
                "loss": lambda step, place=place: 0.69314718 + place * 1e-7,
                "lr": lambda step, place=place: (place + 1) / 10,
            }
            params |= {"lr": 0.12345671 + place * 1e-8, "loss": f"mse{place}"}
            record(folder, steps=2, metrics=metrics, **params)
        yield write_rows(folder, "alike", rows_of(folder))


@pytest.fixture(scope="module")
def page(browser: Any, alike: str) -> Iterator[Any]:
    with watched_page(browser, viewport={"width": 1280, "height": 900}) as watched:
        watched.page.goto(alike)
        watched.page.wait_for_selector("#runs tbody tr")
        yield watched.page
        assert watched.errors == []


def _heads(page: Any, table: str) -> list[str]:
    found: list[str] = page.locator(f"{table} thead .cell").all_text_contents()
    return found


def test_what_differs_tells_names_kinds_and_values_apart(page: Any) -> None:
    lines = page.locator("#differs tbody tr").all()
    cells = [[each.text_content() for each in line.locator("td").all()] for line in lines]
    columns = dict(zip(_heads(page, "#differs"), zip(*cells, strict=True), strict=True))
    assert set(columns) == {"key", "a", "params.lr", "params.loss", "metrics.lr", "metrics.loss"}
    assert columns["a"] == ("None", '"None"', "")
    assert columns["params.lr"] == ("0.12345671", "0.12345672", "0.12345673")
    assert columns["params.loss"] == ("mse0", "mse1", "mse2")
    assert columns["metrics.loss"] == ("0.6931472 ★ (best)", "0.6931473", "0.6931474")


def test_a_name_of_two_kinds_is_no_filter_until_its_kind_is_said(page: Any) -> None:
    heads = _heads(page, "#runs")
    assert [name for name in heads if "." in name] == [
        *("params.lr", "params.loss", "metrics.loss", "metrics.lr"),
    ]
    box = page.get_by_label("Filter", exact=True)
    box.fill("lr<0.15")
    page.get_by_text("3 of 3 runs shown. lr may be params.lr, metrics.lr").wait_for()
    box.fill("metrics.lr<0.15")
    page.get_by_text("1 of 3 runs shown.").wait_for()
    box.fill("lr.last<0.25 metrics.lr>0.05")
    page.get_by_text("2 of 3 runs shown.").wait_for()
    box.fill("")
    page.get_by_text("3 of 3 runs shown.").wait_for()


def test_runs_whose_values_look_alike_are_groups_of_their_own(page: Any) -> None:
    legend = page.locator(".legend .chip")
    page.get_by_label("Group by").select_option(label="a")
    page.locator(".legend").get_by_text("a = None").wait_for()
    assert legend.all_inner_texts() == ['a = "None"', "a = None", "a is not set"]
    page.get_by_label("Group by").select_option(label="params.lr")
    page.locator(".legend").get_by_text("params.lr = 0.12345673").wait_for()
    assert legend.count() == 3


def test_a_damaged_record_does_not_say_that_there_was_nothing(browser: Any, tmp_path: Path) -> None:
    pytest.importorskip("plotly")
    torn, lost = record(tmp_path / "torn", lr=0.1), record(tmp_path / "lost", lr=0.1)
    torn.paths.manifest.write_text('{"broken')
    lost.paths.metrics.unlink()
    with watched_page(browser) as watched:
        watched.page.goto(write_rows(tmp_path, "torn", rows_of(tmp_path / "torn")))
        for section in ("params", "metrics"):
            watched.page.locator(f"#{section}").get_by_text("This cannot be told").wait_for()
        watched.page.goto(write_rows(tmp_path, "lost", rows_of(tmp_path / "lost")))
        watched.page.locator("#curves").get_by_text("metrics.csv is not there").wait_for()
        assert watched.errors == []
