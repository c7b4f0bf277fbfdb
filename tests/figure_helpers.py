"""Recorded runs for the tests of figures, and what a figure shows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from thexp_pl.record import Experiment
from thexp_pl.runs import ExperimentViewer, RunRow

ROOT = "./experiment"
Row = tuple[Any, Any, Mapping[str, float]]  # step, epoch, metrics


def record(rows: Iterable[Row], name: str = "line", **params: Any) -> str:
    with Experiment(ROOT, name, code=False, console=False) as exp:
        exp.params = params
        for step, epoch, metrics in rows:
            exp.log_metrics(step, epoch, dict(metrics))
    return exp.key


def record_values(values: Iterable[float], tag: str = "loss", **params: Any) -> str:
    return record([(step, 0, {tag: value}) for step, value in enumerate(values)], **params)


def rows() -> list[RunRow]:
    return ExperimentViewer([ROOT]).rows()


def curves(figure: Any, panel: int = 0) -> list[tuple[list[float], list[float]]]:
    """The lines of a panel, without marks and what is faint."""
    found = [line for line in figure.axes[panel].lines if line.get_linestyle() != "None"]
    return [(xs(line), ys(line)) for line in found if line.get_alpha() is None]


def marks(figure: Any, panel: int = 0) -> dict[str, list[float]]:
    """Where marks stand, by their kind."""
    found = [line for line in figure.axes[panel].lines if line.get_linestyle() == "None"]
    return {str(line.get_marker()): xs(line) for line in found}


def bands(figure: Any, panel: int = 0) -> list[tuple[np.ndarray, np.ndarray]]:
    """The lower and the upper edge of each band that has no gap."""
    found = []
    for band in figure.axes[panel].collections:
        if band.get_paths():
            points = band.get_paths()[0].vertices
            size = (len(points) - 3) // 2
            edges = points[1 : size + 1, 1], points[size + 2 : -1, 1][::-1]
            found.append((np.minimum(*edges), np.maximum(*edges)))
    return found


def labels(figure: Any) -> list[str]:
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


def tags(figure: Any) -> list[str]:
    return [axes.get_ylabel() for axes in figure.axes]


def xs(line: Any) -> list[float]:
    return np.asarray(line.get_xdata(), float).tolist()


def ys(line: Any) -> list[float]:
    return np.asarray(line.get_ydata(), float).tolist()
