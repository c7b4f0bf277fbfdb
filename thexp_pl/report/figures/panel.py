"""One panel of a figure: the curves of a metric, their bands, and what no axis can show."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from thexp_pl.record.names import shown
from thexp_pl.report.figures.curves import Array
from thexp_pl.report.figures.labels import shortened
from thexp_pl.report.figures.lines import visible
from thexp_pl.report.figures.style import dress, dress_text, line_look

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Line", "Panel", "draw_panel"]

_DOTS = 300  # an inch
_TAG_LETTERS = 30
# what is beyond counts as infinite, and on a logarithmic axis as 0: limits need room around them
_LARGEST, _LEAST = 1e150, 1e-250
_ROUNDING = 1e-9  # numbers that differ by a smaller part of themselves are the same to the eye
_MARKS: dict[str, Any] = {"marker": "o", "markersize": 2.0, "linestyle": "none"}
_EDGES = ((1.0, "^"), (0.0, "v"))  # of the axes, and what stands there for an infinity


@dataclass(frozen=True)
class Line:
    """One curve of a panel; all arrays are float64 and of the same length.

    Args:
        place: Its place in the legend, from 0.
        x: Where: finite, rising.
        y: The values; NaN leaves a gap, an infinity is marked at the edge.
        low: The lower edge of its band; None without.
        high: The upper edge.
        faint: A curve to be drawn faintly behind it; None without.
    """

    place: int
    x: Array
    y: Array
    low: Array | None = None
    high: Array | None = None
    faint: Array | None = None

    def each(self, change: Any) -> Line:
        """Change every array of values, each by itself."""
        named = {name: getattr(self, name) for name in ("y", "low", "high", "faint")}
        changed = {name: change(own) for name, own in named.items() if own is not None}
        return replace(self, **changed)

    def at(self, places: Array) -> Line:
        """Take some of the points only."""
        return replace(self, x=self.x[places]).each(lambda own: own[places])


@dataclass
class Panel:
    """The curves of one metric.

    Args:
        tag: The metric's name.
        lines: The curves.
    """

    tag: str
    lines: list[Line] = field(default_factory=list)


def draw_panel(
    axes: Axes, panel: Panel, *, width: float, log_x: bool, log_y: bool
) -> tuple[Axes, list[str]]:
    """Draw a panel.

    Args:
        axes: Empty axes.
        panel: What is drawn.
        width: Of the panel, in inches.
        log_x: Whether the x axis is logarithmic.
        log_y: The same of the y axis.

    Returns:
        The axes, and what is not to be seen there, in sentences without a full stop.
    """
    dress(axes)
    axes.set(xscale="log" if log_x else "linear", yscale="log" if log_y else "linear")
    axes.set_ylabel(shortened(panel.tag, _TAG_LETTERS))
    axes.margins(x=0.02)
    lines, said = panel.lines, []
    beyond = sum(_count_beyond(line) for line in lines)
    if beyond:
        said.append(f"{shown(panel.tag)}: drawn as infinite: {beyond:,} points beyond 1e150")
    if not log_x and all((line.x == np.round(line.x)).all() for line in lines):
        steps: Any = axes.xaxis.get_major_locator()  # a MaxNLocator
        steps.set_params(integer=True)
    if log_x:
        said += _said_of(panel.tag, "x", sum(int((line.x < _LEAST).sum()) for line in lines))
        lines = [line.at(line.x >= _LEAST) for line in lines]
    if log_y:
        recorded = [line.y if line.faint is None else line.faint for line in lines]
        said += _said_of(panel.tag, "y", sum(int((own < _LEAST).sum()) for own in recorded))
        drawn = [*recorded, *(line.y for line in lines)]
        least = min((own[own >= _LEAST].min(initial=np.inf) for own in drawn), default=np.inf)
        lines = [_above_zero(line, least / 10) for line in lines]
    for line in lines:
        _draw_line(axes, line, max(int(width * _DOTS), 1), np.log if log_x else np.asarray)
    if axes.lines:
        _fit_logarithmic(axes)
        if log_y and least < _LARGEST:  # a band that is cut off is so at the edge
            axes.set_ylim(bottom=max(axes.get_ylim()[0], least / 10))
    else:
        axes.set(xticks=[], yticks=[])
        axes.minorticks_off()
        dress_text(axes.text(0.5, 0.5, "no value to show", transform=axes.transAxes, ha="center"))
    return axes, said


def _count_beyond(line: Line) -> int:
    recorded = line.y if line.faint is None else line.faint
    return int((np.isfinite(recorded) & (np.abs(recorded) > _LARGEST)).sum())


def _said_of(tag: str, axis: str, count: int) -> list[str]:
    text = f"not on the logarithmic {axis} axis: {count:,} of its points, at 0 or below"
    return [f"{shown(tag)}: {text}"] if count else []


def _fit_logarithmic(axes: Axes) -> None:
    """Give a logarithmic axis of less than a decade the ticks of a linear one: they fit there."""
    from matplotlib.ticker import MaxNLocator, NullLocator, ScalarFormatter

    limits = {}
    for name, axis in (("x", axes.xaxis), ("y", axes.yaxis)):
        low, high = axis.get_data_interval()
        if axis.get_scale() == "log" and np.isfinite(low) and high < low * (1 + _ROUNDING):
            limits[name] = low * 0.9, high * 1.1
    # before any limit is set or asked for: matplotlib would widen it by itself, and warn of it
    axes.set(**{f"autoscale{name}_on": False for name in limits})
    axes.set(**{f"{name}lim": limit for name, limit in limits.items()})
    for axis in (axes.xaxis, axes.yaxis):
        low, high = axis.get_view_interval()
        if axis.get_scale() == "log" and high < 10 * low:
            axis.set_major_locator(MaxNLocator(4))
            axis.set_minor_locator(NullLocator())
            axis.set_major_formatter(ScalarFormatter())


def _above_zero(line: Line, least: float) -> Line:
    """Leave gaps for what a logarithmic axis has no place for; no band goes below the least."""
    above = line.each(lambda own: np.where(own >= _LEAST, own, np.nan))
    return above if line.low is None else replace(above, low=np.maximum(line.low, least))


def _draw_line(axes: Axes, line: Line, dots: int, scale: Any) -> None:
    look = line_look(line.place)
    mark: dict[str, Any] = {**_MARKS, "color": look["color"]}
    for (edge, marker), over in zip(_EDGES, (line.y > _LARGEST, line.y < -_LARGEST), strict=True):
        if over.any():
            where = line.x[over]
            where = where[visible(scale(where), [], dots)]
            at_edge: dict[str, Any] = {
                "transform": axes.get_xaxis_transform(),
                "clip_on": False,
                "zorder": 3,
            }
            axes.plot(where, np.full(len(where), edge), **{**mark, "marker": marker}, **at_edge)
    line = line.each(lambda own: np.where(np.abs(own) <= _LARGEST, own, np.nan))
    if lone := _lone(line.y):
        axes.plot(line.x[lone], line.y[lone], **mark)
    values = [own for own in (line.y, line.low, line.high, line.faint) if own is not None]
    line = line.at(visible(scale(line.x), values, dots))
    if all(np.isnan(own).all() for own in values):
        return
    if line.faint is not None:
        axes.plot(line.x, line.faint, **{**look, "linestyle": "solid"}, alpha=0.3, zorder=1.5)
    if line.low is not None and line.high is not None:
        shade = {"color": look["color"], "alpha": 0.2, "linewidth": 0}
        axes.fill_between(line.x, line.low, line.high, **shade)
    axes.plot(line.x, line.y, **look)


def _lone(y: Array) -> list[int]:
    """Find points between gaps, which no line leads to."""
    there = np.concatenate([[False], np.isfinite(y), [False]])
    found: list[int] = np.flatnonzero(there[1:-1] & ~there[:-2] & ~there[2:]).tolist()
    return found
