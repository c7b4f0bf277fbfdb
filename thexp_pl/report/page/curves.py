"""The curves of a run's metrics, thinned to what a page can draw."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from thexp_pl.record.metrics import read_history
from thexp_pl.record.metrics.columns import ABSENT
from thexp_pl.record.metrics.history import history_of
from thexp_pl.record.names import shown
from thexp_pl.record.paths import RunPaths
from thexp_pl.record.status import ENDED
from thexp_pl.report.page.plain import number
from thexp_pl.runs.curves import Curve, curves_of
from thexp_pl.runs.row import RunRow
from thexp_pl.runs.thinning import places_kept

__all__ = ["curves_data", "told_of"]


def curves_data(
    paths: RunPaths, points: int = 1000, after: int = 0, told: Mapping[str, int] | None = None
) -> dict[str, Any]:
    """Read the curves of a run.

    Args:
        paths: The run's files; it may still go on.
        points: How many points a curve may have, see `thinning.places_kept`.
        after: Give only what was written behind so many rows of the history.
        told: What the run itself says of its metrics, see `told_of`.

    Returns:
        ``rows``: how many rows the history has; ``went_back``: the byte of the file behind which
        the run last went on from a checkpoint, 0 for never: where it is another one than before,
        the curves that were given then are no longer the run's, and all are to be read again;
        ``curves``: by metric ``x``, ``y``, ``epoch`` (None where no point has one), ``by``
        (``step``, or ``row`` where a point has no step: then x counts the points from 0),
        ``points``, how many the whole curve has, and of a thinned one ``means``, see `_curve_data`;
        ``fault``: why the metrics cannot be read, what they lack of those that were told, or an
        empty text. Numbers that are not finite are texts.
    """
    try:
        went_back = history_of(paths.journal).since
        columns = read_history(paths)
    except OSError as error:
        return {"rows": 0, "went_back": 0, "curves": {}, "fault": str(error)}
    found = curves_of(columns, after)
    curves = {name: _curve_data(one, points) for name, one in sorted(found.items()) if one.values}
    fault = _fault(paths, told or {}, found)
    return {"rows": len(columns), "went_back": went_back, "curves": curves, "fault": fault}


def told_of(row: RunRow) -> dict[str, int]:
    """Say how many values a run has recorded of its metrics.

    Args:
        row: The run, as the index tells of it.

    Returns:
        The numbers by metric; none while it goes on, and where the metrics themselves say it.
    """
    if row.status not in ENDED:
        return {}
    counts = {name: cell.get("count") for name, cell in row.metrics.items()}
    return {name: count for name, count in counts.items() if isinstance(count, int)}


def _fault(paths: RunPaths, told: Mapping[str, int], found: Mapping[str, Curve]) -> str:
    there = {name: curve.before + len(curve.values) for name, curve in found.items()}
    lost = [name for name, count in told.items() if count > there.get(name, 0)]
    if not lost:
        return ""
    if not paths.metrics.exists():
        return f"{paths.metrics} is not there: the run's curves are lost."
    name, all_lost = lost[0], f"; {len(lost)} metrics lack values" if lost[1:] else ""
    return (
        f"{paths.metrics} is damaged: of the {told[name]} values of {shown(name)} that the run"
        f" recorded it has {there.get(name, 0)}{all_lost}."
    )


def _curve_data(curve: Curve, points: int) -> dict[str, Any]:
    """Give one curve.

    Args:
        curve: The curve.
        points: How many points it may have, see `thinning.places_kept`.

    Returns:
        What `curves_data` gives of each. Of the points that a thinned curve keeps half are
        extremes, of which no mean can be made: it has ``means`` too, of half as many buckets as it
        may have points. These are ``x`` and ``epoch`` of each bucket's last value, ``y``, the mean
        of its finite values (None where it has none), and ``n``, how many they are.
    """
    places = places_kept(curve.values, points)
    data = {
        **_at(curve, places),
        "y": [number(curve.values[place]) for place in places],
        "by": "step" if curve.by_step else "row",
        "points": curve.before + len(curve.values),
    }
    return data if len(places) == len(curve.values) else {**data, "means": _means(curve, points)}


def _at(curve: Curve, places: Sequence[int]) -> dict[str, Any]:
    xs, epochs = curve.xs, [curve.epochs[place] for place in places]
    has_epochs = any(epoch != ABSENT for epoch in epochs)
    return {
        "x": [xs[place] for place in places],
        "epoch": [None if epoch == ABSENT else epoch for epoch in epochs] if has_epochs else None,
    }


def _means(curve: Curve, points: int) -> dict[str, Any]:
    count, buckets = len(curve.values), max(points // 2, 1)
    bounds = [part * count // buckets for part in range(buckets + 1)]
    parts = [curve.values[start:stop] for start, stop in pairwise(bounds)]
    finite = [[value for value in part if math.isfinite(value)] for part in parts]
    return {
        **_at(curve, [stop - 1 for stop in bounds[1:]]),
        "y": [_mean(values) if values else None for values in finite],
        "n": [len(values) for values in finite],
    }


def _mean(values: Sequence[float]) -> float:
    whole = sum(values) / len(values)
    return whole if math.isfinite(whole) else sum(value / len(values) for value in values)
