"""Costs against their sizes, drawn on logarithmic axes over lines of what would be linear."""

from __future__ import annotations

import io
import math
import statistics
import textwrap
from collections.abc import Iterable
from typing import Any

from benchmarks.report import Growth, Report, shown

__all__ = ["drawn"]

_COLUMNS = 3
_WIDTH, _HEIGHT, _LINE = 3.4, 2.7, 0.15  # of a panel, and of a name below it, in inches
_LETTERS = 42  # that fit into a line above a panel, and into one below it
# of M. Okabe and K. Ito, told apart by all eyes
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
_MARKERS = "osD^"
Panel = tuple[Report, list[Growth]]


def drawn(reports: Iterable[Report]) -> str:
    """Draw each cost that was measured at several sizes; those of one thing in one panel.

    Args:
        reports: What was measured.

    Returns:
        The picture, as the text of an SVG; the same for the same figures.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    panels = [panel for report in reports for panel in _panels(report)]
    columns = min(len(panels), _COLUMNS) or 1
    rows = [panels[at : at + columns] for at in range(0, len(panels), columns)]
    heights = [_HEIGHT + _LINE * max(_lines(*panel) for panel in row) for row in rows] or [1]
    with mpl.rc_context({"svg.hashsalt": "growth", "font.size": 8}):
        figure = Figure(figsize=(columns * _WIDTH, sum(heights)), layout="constrained")
        figure.suptitle("Costs by their sizes; the dotted lines are linear", fontsize=9)
        grid = figure.add_gridspec(len(heights), columns, height_ratios=heights)
        for place, panel in zip(grid, panels, strict=False):
            _draw(figure.add_subplot(place), *panel)
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    return text.getvalue()


def _panels(report: Report) -> list[Panel]:
    """Put what was measured by the sizes of the same thing into one panel."""
    together: dict[str, list[Growth]] = {}
    for growth in report.growths:
        if len(_points(report, growth)) > 1:
            together.setdefault(growth.of, []).append(growth)
    return [(report, growths) for growths in together.values()]


def _points(report: Report, growth: Growth) -> list[tuple[int, float]]:
    found = ((size, report.values.get(case)) for size, case in sorted(growth.cases.items()))
    points = [(size, statistics.median(values)) for size, values in found if values]
    return [(size, value) for size, value in points if value > 0]


def _label(growth: Growth) -> str:
    return textwrap.fill(growth.name, _LETTERS)


def _lines(report: Report, growths: list[Growth]) -> int:
    return sum(_label(growth).count("\n") + 1 for growth in growths)


def _draw(axis: Any, report: Report, growths: list[Growth]) -> None:
    values: list[float] = []
    for at, growth in enumerate(growths):
        own, costs = zip(*_points(report, growth), strict=True)
        values += costs
        colour, marker = _COLOURS[at % len(_COLOURS)], _MARKERS[at // len(_COLOURS) % 4]
        line = {"color": colour, "marker": marker, "markersize": 4, "clip_on": False}
        axis.loglog(own, costs, label=_label(growth), **line)
    sizes = sorted({size for growth in growths for size in growth.cases})
    # whole decades, since the labels between them lie over one another
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    ticks = [10.0**power for power in range(low, max(high, low + 1) + 1)]
    span = sizes[-1] / sizes[0]
    for start in (ticks[0] / span, *ticks[:-1]):
        axis.loglog((sizes[0], sizes[-1]), (start, start * span), ":", color="0.7", zorder=0)
    axis.set_title(textwrap.fill(report.title, _LETTERS), fontsize=8)
    axis.set_xlabel(growths[0].of)
    # short enough for two sizes that lie close to one another
    names = [f"{size / 1e6:.2g}M" if size >= 1_000_000 else f"{size:,}" for size in sizes]
    axis.set_xticks(sizes, names)
    axis.set_yticks(ticks, [shown(tick, report.unit) for tick in ticks])
    axis.set_ylim(ticks[0], ticks[-1])
    axis.minorticks_off()
    axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.22), fontsize=7, frameon=False)
