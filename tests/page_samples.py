"""Pages of real runs, for the tests that open them in a browser."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from thexp_pl.record.experiment import Experiment
from thexp_pl.report.page import page_data, page_html
from thexp_pl.runs import ExperimentViewer, RunRow

Metrics = Mapping[str, Callable[[int], float]]
STEPS = 60
RATES = (0.1, 0.01, 0.001)


@contextmanager
def own_store(factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder for the runs and pages of a module, with a home of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("THEXP_HOME", str(factory.mktemp("home")))
        yield factory.mktemp("store")


def make_run(
    root: Path, name: str, params: dict[str, Any], metrics: Metrics, steps: int = STEPS
) -> str:
    """Record a run with curves; ten steps are an epoch. Gives its key."""
    with Experiment(root, name, code=False, console=False) as exp:
        exp.params = params
        for step in range(steps):
            exp.log_metrics(step, step // 10, {m: value(step) for m, value in metrics.items()})
    return exp.key


def make_sweep(root: Path) -> list[RunRow]:
    """Six runs: three rates, each with two seeds; the last one has no accuracy."""
    for place in range(6):
        rate = RATES[place // 2]
        metrics: dict[str, Callable[[int], float]] = {
            "loss": lambda step, place=place: math.exp(-step / 20) + place,
            "val/loss": lambda step, place=place: 2 * math.exp(-step / 20) + place,
        }
        if place < 5:
            metrics["acc"] = lambda step, place=place: (step + 1) / STEPS - place / 10
        params = {"optim": {"lr": rate}, "seed": place % 2, "kind": "ab"[place % 2]}
        make_run(root, f"net_lr={rate}", params, metrics)
    return ExperimentViewer([root]).rows()


def write(folder: Path, name: str, data: dict[str, Any]) -> str:
    """Write the file of a page; gives its address."""
    path = folder / f"{name}.html"
    path.write_text(page_html(data), "utf-8", "backslashreplace")
    return path.as_uri()


def write_rows(folder: Path, name: str, rows: list[RunRow]) -> str:
    """Write the page of these runs; gives its address."""
    return write(folder, name, page_data(rows))


def many(data: dict[str, Any], count: int) -> dict[str, Any]:
    """The page of one run's row, copied so many times under other names."""
    row, curves = data["rows"][0], next(iter(data["curves"].values()))
    rows = [{**row, "id": f"{n:016x}", "key": f"{row['key']}-{n}"} for n in range(count)]
    copies = {each["id"]: curves for each in rows}
    return {**data, "page": "runs", "rows": rows, "curves": copies, "detail": None, "differs": None}


# how a plot is looked at from the outside
PLOT = "document.querySelector('[data-metric=\"{0}\"] .plot')"


def show_plot(page: Any, metric: str) -> None:
    """Go to a metric's plot and wait until it is drawn."""
    page.locator(f'[data-metric="{metric}"]').scroll_into_view_if_needed()
    page.wait_for_selector(f'[data-metric="{metric}"] .plot.drawn')


def lines_of(metric: str) -> str:
    """JavaScript for the visible lines of a metric's plot."""
    return f"{PLOT.format(metric)}.data.filter((each) => each.line && each.line.width > 0)"


def drag(page: Any, metric: str) -> list[float]:
    """Zoom into the middle of a plot with the mouse; gives the range of its x axis then."""
    show_plot(page, metric)
    card = page.locator(f'[data-metric="{metric}"] .nsewdrag').first
    card.scroll_into_view_if_needed()
    box = card.bounding_box()
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * 0.3, y)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.6, y, steps=4)
    page.mouse.up()
    page.wait_for_function(f"!{PLOT.format(metric)}.layout.xaxis.autorange")
    return axis(page, metric)


def axis(page: Any, metric: str, name: str = "xaxis") -> list[float]:
    """The range of an axis of a metric's plot."""
    found: list[float] = page.evaluate(f"{PLOT.format(metric)}._fullLayout.{name}.range.slice()")
    return found
