"""The figure around the panels: how they stand, its size, one legend below them all."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from thexp_pl.errors import UsageError
from thexp_pl.report.figures.labels import shortened
from thexp_pl.report.figures.letters import said_of_letters
from thexp_pl.report.figures.panel import Panel, draw_panel
from thexp_pl.report.figures.settings import own_settings
from thexp_pl.report.figures.style import (
    FONT_SIZE,
    dress_text,
    line_look,
    new_figure,
    width_of,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw_panels"]

_PANEL = 2.2  # inches: panels side by side are at least so wide
_ASPECT = 0.68
_MOST_PANELS = 40
_MOST_NAMED = 40  # in the legend
_LETTER, _HANDLE, _ROW = 0.055, 0.36, 0.15  # inches of the legend


@own_settings()
def draw_panels(
    panels: Sequence[Panel],
    labels: Sequence[str],
    *,
    x_label: str,
    width: str | float,
    height: float | None,
    title: str,
    log_x: bool,
    log_y: bool,
) -> tuple[Figure, list[str]]:
    """Draw panels, one for each metric.

    Args:
        panels: One or more.
        labels: What the curves are called, by place; one alone needs no legend.
        x_label: Below the panels.
        width: As for `thexp_pl.report.figures.style.new_figure`.
        height: In inches; by default what panels and legend need.
        title: Above the panels; empty for none.
        log_x: Whether the x axes are logarithmic.
        log_y: The same of the y axes.

    Returns:
        The figure, and what is not to be seen in it, in sentences without a full stop.

    Raises:
        UsageError: There are too many panels, or a size is none.
    """
    if len(panels) > _MOST_PANELS:
        raise UsageError(
            f"{len(panels)} metrics are too many panels: a figure has at most {_MOST_PANELS};"
            " choose some with --tags"
        )
    wide = width_of(width)
    rows = math.ceil(len(panels) / max(int(wide / _PANEL), 1))
    columns = math.ceil(len(panels) / rows)
    named = labels if 1 < len(labels) <= _MOST_NAMED else []
    across = _legend_columns(named, wide)
    needed = rows * wide / columns * _ASPECT + math.ceil(len(named) / across) * _ROW
    figure = new_figure(wide, min(needed, 40.0) if height is None else height)
    grid: Any = figure.subplots(rows, columns, squeeze=False)
    said = []
    for place, axes in enumerate(grid.flat):
        if place >= len(panels):
            axes.remove()
            continue
        _, own = draw_panel(axes, panels[place], width=wide / columns, log_x=log_x, log_y=log_y)
        said += own
        if place + columns >= len(panels):
            axes.set_xlabel(x_label)
    said += _entitle(figure, title, int(wide / _LETTER)) if title else []
    if named:
        _draw_legend(figure, named, across)
    elif len(labels) > 1:
        said.append(
            f"{len(labels)} curves are too many for a legend, which names at most {_MOST_NAMED};"
            " draw fewer, or means of groups (--by)"
        )
    said += said_of_letters([*named, title, *(panel.tag for panel in panels)])
    return figure, said


def _entitle(figure: Figure, title: str, limit: int) -> list[str]:
    """Write the title, and say where not all of it is there."""
    written = shortened(title, limit)
    dress_text(figure.suptitle(written), FONT_SIZE + 1)
    return [f"of the title the middle is left out: {written}"] if len(title) > limit else []


def _legend_columns(labels: Sequence[str], wide: float) -> int:
    longest = max(map(_letters, labels), default=0) * _LETTER + _HANDLE
    return min(max(int(wide / longest), 1), max(len(labels), 1))


def _letters(text: str) -> int:
    """Count letters; those of East Asia are twice as wide."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def _draw_legend(figure: Figure, labels: Sequence[str], across: int) -> None:
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], **line_look(place)) for place in range(len(labels))]
    legend = figure.legend(
        handles,
        [
            str(place) for place in range(len(labels))
        ],  # matplotlib 3.8 leaves out what begins with _
        loc="outside lower center",
        ncols=across,
        fontsize=FONT_SIZE - 1,
        frameon=False,
        handlelength=2.4,
        columnspacing=1.0,
        labelspacing=0.25,
        borderaxespad=0.2,
    )
    for text, label in zip(legend.get_texts(), labels, strict=True):
        dress_text(text, FONT_SIZE - 1)
        text.set_text(label)
