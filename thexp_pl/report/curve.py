"""One curve as a picture."""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from thexp_pl.report.figures.settings import own_settings
from thexp_pl.report.figures.style import dress, line_look, new_figure, save_figure
from thexp_pl.runs.thinning import places_kept

__all__ = ["draw_curve"]

_POINTS = 1000
_DOTTED = 60  # points; so few are shown one by one
_LARGEST = 1e300  # matplotlib's margins would overflow


@own_settings()
def draw_curve(
    steps: Sequence[int] | array[int],
    values: Sequence[float] | array[float],
    path: Path,
    axis: str = "step",
) -> bool:
    """Draw a curve into a file, whole or not at all.

    Args:
        steps: Where the points lie, in the order in which they were recorded.
        values: Their values; where one is not finite, or beyond 1e300, the curve has a gap.
        path: The file, ``.png``, ``.svg`` or ``.pdf``.
        axis: What the steps count.

    Returns:
        Whether there was anything to draw; else nothing is written.

    Raises:
        UsageError: matplotlib is not installed.
        OSError: The file cannot be written.
    """
    places = places_kept(values, _POINTS)
    shown = [values[place] for place in places]
    ys = [value if abs(value) < _LARGEST else math.nan for value in shown]
    if all(map(math.isnan, ys)):
        return False
    figure = new_figure()
    axes = dress(figure.add_subplot())
    dots: dict[str, Any] = {"marker": "o", "markersize": 2.5} if len(places) <= _DOTTED else {}
    axes.plot([float(steps[place]) for place in places], ys, **line_look(0), **dots)
    axes.set_xlabel(axis)
    locator: Any = axes.xaxis.get_major_locator()  # a MaxNLocator
    locator.set_params(integer=True)
    save_figure(figure, path)
    return True
