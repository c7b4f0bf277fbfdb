"""Smoothed curves and the means of groups are right numbers, however long the curves are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser_helpers import needs_browser, watched_page
from page_helpers import record, rows_of
from page_samples import lines_of, own_store, show_plot, write_rows

from thexp_pl.record import Experiment
from thexp_pl.report.page import curves_data, run_id

pytestmark = needs_browser

LONG = 10_000
Values = np.ndarray[Any, np.dtype[np.float64]]


def drawn(seed: int) -> Values:
    """What a noisy loss is like: half of a bucket's extremes are far above its mean."""
    return np.random.default_rng(seed).lognormal(0, 1.5, LONG)


def smoothed(values: Values, weight: float) -> Values:
    """TensorBoard's smoothing, of every value."""
    found, mean = np.empty(len(values)), 0.0
    for place, value in enumerate(values):
        mean = mean * weight + (1 - weight) * value
        found[place] = mean / (1 - weight ** (place + 1))
    return found


def make_page(folder: Path, name: str, runs: list[tuple[dict[str, Any], Values]]) -> str:
    for params, values in runs:
        record(
            folder / name,
            steps=len(values),
            metrics={"loss": values.tolist().__getitem__},
            **params,
        )
    return write_rows(folder, name, rows_of(folder / name))


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Four long runs in two groups; one long; four that end at different steps; of 30 epochs."""
    pytest.importorskip("plotly")
    four = [({"g": seed % 2, "seed": seed}, drawn(seed)) for seed in range(4)]
    short = [
        ({"lr": 0.1, "seed": seed}, 1 / np.arange(1, steps + 1) + seed / 10)
        for seed, steps in enumerate((20, 30, 40))
    ]
    short.append(({"lr": 0.2, "seed": 0}, np.ones(40)))
    of_epochs = [({"g": 1, "seed": seed}, drawn(seed)[:300]) for seed in range(3)]
    of_epochs.append(({"g": 2, "seed": 0}, np.ones(300)))
    with own_store(tmp_path_factory) as folder:
        yield {
            "four": make_page(folder, "four", four),
            "one": make_page(folder, "one", [({}, drawn(0))]),
            "short": make_page(folder, "short", short),
            "epochs": make_page(folder, "epochs", of_epochs),
        }


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A browser's page on which nothing may fail."""
    with watched_page(browser, viewport={"width": 1280, "height": 900}) as watched:
        yield watched.page
        assert watched.errors == []


def smooth(page: Any, weight: float) -> None:
    """Move the slider, and wait until the plot is drawn anew."""
    page.evaluate(f"window.before = {lines_of('loss')}.at(-1).y")
    page.get_by_label("Smoothing").fill(str(weight))
    page.wait_for_function(f"{lines_of('loss')}.at(-1).y !== window.before")


def curve(page: Any, place: int) -> tuple[Values, Values]:
    """The points of one of the visible lines of the plot."""
    x, y = page.evaluate(f"(([line]) => [line.x, line.y])({lines_of('loss')}.slice({place}))")
    return np.array(x, float), np.array(y, float)


def test_a_long_curve_is_smoothed_as_all_of_its_values_are(
    page: Any, pages: dict[str, str]
) -> None:
    page.goto(pages["one"])
    show_plot(page, "loss")
    # a bucket is taken for its mean: the wider the smoothing is, the less that changes
    for weight, off in ((0.6, 1.0), (0.95, 0.1), (0.99, 0.02)):
        smooth(page, weight)
        x, y = curve(page, 1)
        exact = smoothed(drawn(0), weight)
        assert np.mean(y) == pytest.approx(np.mean(exact), rel=0.02)
        away = np.abs(y - exact[x.astype(int)])[1:]
        assert away.mean() < off * exact.mean()
    assert "the means of up to 20 neighbouring values" in page.locator(".card .note").inner_text()


def test_the_mean_of_a_group_of_long_curves_is_that_of_all_their_values(
    page: Any, pages: dict[str, str]
) -> None:
    page.goto(pages["four"])
    page.get_by_label("Group by").select_option(label="g")
    show_plot(page, "loss")
    page.wait_for_function(f"{lines_of('loss')}.length === 2")
    for group in range(2):
        exact = np.mean([drawn(seed) for seed in range(group, 4, 2)], 0)
        x, y = curve(page, group)
        assert (x[0], x[-1]) == (0, LONG - 1)
        assert np.mean(y) == pytest.approx(exact.mean(), rel=0.01)
        buckets = np.array_split(exact, len(x) - 2)  # and both ends
        assert y[1:-1] == pytest.approx([part.mean() for part in buckets])
    hover = page.evaluate(f"{lines_of('loss')}[0].hovertemplate")
    assert "about step" in hover


def test_over_epochs_the_mean_of_a_group_is_that_of_each_epochs_values(
    page: Any, pages: dict[str, str]
) -> None:
    page.goto(pages["epochs"])
    page.get_by_label("Group by").select_option(label="g")
    show_plot(page, "loss")
    page.wait_for_function(f"{lines_of('loss')}.length === 2")
    page.locator("#curves").get_by_label("x", exact=True).select_option("epoch")
    page.wait_for_function(f"{lines_of('loss')}[0].x.at(-1) === 29")
    of_runs = [drawn(seed)[:300].reshape(30, 10).mean(1) for seed in range(3)]
    x, y = curve(page, 0)
    assert x.tolist() == list(range(30))
    assert y == pytest.approx(np.mean(of_runs, 0))
    smooth(page, 0.8)
    x, y = curve(page, 0)
    assert x.tolist() == list(range(30))
    assert y == pytest.approx(np.mean([smoothed(values, 0.8) for values in of_runs], 0))


def test_where_some_runs_of_a_group_have_ended_the_page_says_so(
    page: Any, pages: dict[str, str]
) -> None:
    page.goto(pages["short"])
    show_plot(page, "loss")
    assert "end between" not in page.locator(".card .note").inner_text()
    page.get_by_label("Group by").select_option(label="lr")
    page.wait_for_function(f"{lines_of('loss')}.length === 2")
    note = "The runs of lr = 0.1 end between step 19 and 39: from there the mean is that of the "
    assert page.locator(".card .note").inner_text() == f"{note}others."
    told = page.evaluate(f"{lines_of('loss')}[0].customdata.map((each) => each[2])")
    assert told[:20] == [""] * 20
    assert set(told[20:30]) == {", of 2 of the 3 runs"}
    assert set(told[30:]) == {", of 1 of the 3 runs"}


def test_points_that_arrive_later_are_smoothed_with_those_before(page: Any, tmp_path: Path) -> None:
    values = drawn(9)
    with Experiment(tmp_path, "live", code=False, console=False) as exp:
        done = 0
        for stop in (900, 1700, 4500, 6000, 7300, LONG):  # with and without thinning on both sides
            for step in range(done, stop):
                exp.log_metrics(step, step // 100, {"loss": float(values[step])})
            exp.kept_rows()
            more = curves_data(exp.paths, after=done)
            if not done:
                page.goto(write_rows(tmp_path, "live", rows_of(tmp_path)))
                show_plot(page, "loss")
                smooth(page, 0.99)
            else:
                page.evaluate("(curves) => thexp.update({curves})", {run_id(exp.paths): more})
            last = f"{lines_of('loss')}.at(-1).x.at(-1) === {stop - 1}"
            page.wait_for_function(f"{lines_of('loss')}.length === 2 && {last}")
            x, y = curve(page, 1)
            exact = smoothed(values[:stop], 0.99)[x.astype(int)]
            assert np.all(np.diff(x) >= 0)
            assert np.abs(y - exact)[1:].mean() < 0.05 * exact.mean()
            assert abs(y[-1] - exact[-1]) < 0.15 * exact[-1]
            done = stop
    assert len(x) < 5000
