"""From runs to the lines of a figure: smoothed, joined, over one axis."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

from thexp_pl.record.names import shown
from thexp_pl.report.figures.bands import Band, joined
from thexp_pl.report.figures.curves import Axis, Curve
from thexp_pl.report.figures.gathering import Gathered, identity_of
from thexp_pl.report.figures.grouping import RunSet
from thexp_pl.report.figures.lines import smoothed
from thexp_pl.report.figures.panel import Line, Panel

__all__ = ["doubts_of", "in_units", "lines_of_groups", "lines_of_runs"]

_UNITS = ((7200.0, 3600.0, "h"), (120.0, 60.0, "min"), (-math.inf, 1.0, "s"))  # from, seconds, name


def lines_of_runs(gathered: Gathered, sets: Sequence[RunSet], smooth: float) -> list[Panel]:
    """Make a line of each run.

    Args:
        gathered: What was read.
        sets: The runs, each alone.
        smooth: The weight of the smoothing.

    Returns:
        A panel for each metric.
    """
    panels = []
    for tag in gathered.tags:
        panel = Panel(tag)
        for place, one in enumerate(sets):
            curve = gathered.curves[identity_of(one.runs[0])].get(tag)
            if curve is not None:
                faint = curve.y if smooth and len(sets) == 1 else None
                y = smoothed(curve.y, smooth)
                panel.lines.append(Line(place, curve.x, y, faint=faint))
        panels.append(panel)
    return panels


def lines_of_groups(
    gathered: Gathered, sets: Sequence[RunSet], smooth: float, band: Band
) -> list[Panel]:
    """Make a line of each group of runs, with its band.

    Args:
        gathered: What was read.
        sets: The groups.
        smooth: The weight of the smoothing, which is done run by run.
        band: As for `thexp_pl.report.figures.bands.joined`.

    Returns:
        A panel for each metric.
    """
    panels = []
    for tag in gathered.tags:
        panel = Panel(tag)
        for place, one in enumerate(sets):
            found = [*_curves(gathered, one, tag)]
            if not found:
                continue
            curves = [Curve(curve.x, smoothed(curve.y, smooth)) for _, curve in found]
            whole = joined(curves, [one.units[number] for number, _ in found], band)
            edges = (None, None) if band == "none" else (whole.low, whole.high)
            panel.lines.append(Line(place, whole.x, whole.mean, *edges))
        panels.append(panel)
    return panels


def doubts_of(gathered: Gathered, sets: Sequence[RunSet], axis: Axis) -> Iterator[str]:
    """Say where a mean is not that of the whole group.

    Args:
        gathered: What was read.
        sets: The groups.
        axis: What the curves are over.

    Yields:
        Sentences without a full stop.
    """
    for tag in gathered.tags:
        for one in sets:
            curves = [curve for _, curve in _curves(gathered, one, tag)]
            broken = sum(not curve.is_finite for curve in curves)
            if broken and len(curves) > 1:
                yield (
                    f"{shown(tag)} is not finite everywhere in {broken} of the {len(curves)} runs"
                    f" of {shown(one.label)}: there the mean leaves them out"
                )
            ends = sorted({float(curve.x[-1]) for curve in curves})
            if len(ends) > 1 and axis != "time":
                yield (
                    f"{shown(tag)}: the runs of {shown(one.label)} end between {axis} {ends[0]:g}"
                    f" and {ends[-1]:g}: from there the mean is that of the others"
                )


def in_units(panels: Sequence[Panel], axis: Axis) -> tuple[list[Panel], str]:
    """Give times in a unit that fits them.

    Args:
        panels: Lines over steps, epochs or seconds.
        axis: Which of these.

    Returns:
        The panels, and what their x axes are called.
    """
    if axis != "time":
        return list(panels), axis
    longest = max((float(line.x[-1]) for panel in panels for line in panel.lines), default=0.0)
    size, unit = next((size, unit) for least, size, unit in _UNITS if longest >= least)
    return [
        Panel(panel.tag, [replace(line, x=line.x / size) for line in panel.lines])
        for panel in panels
    ], f"time ({unit})"


def _curves(gathered: Gathered, one: RunSet, tag: str) -> Iterator[tuple[int, Curve]]:
    for number, row in enumerate(one.runs):
        curve = gathered.curves[identity_of(row)].get(tag)
        if curve is not None:
            yield number, curve
