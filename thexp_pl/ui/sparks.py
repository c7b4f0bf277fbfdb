"""Sparklines: a few points of one metric of some runs, read again only where they have changed."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable
from typing import Any

from thexp_pl.record.metrics import read_history
from thexp_pl.record.paths import RunPaths
from thexp_pl.report.page import run_id
from thexp_pl.report.page.plain import number
from thexp_pl.runs import RunRow
from thexp_pl.runs.curves import curves_of
from thexp_pl.runs.index.looking import stamp_of
from thexp_pl.runs.thinning import places_kept

__all__ = ["Sparks"]

_POINTS = 60
_KEPT = 5_000  # curves, of some kilobytes each


class Sparks:
    """The small curves of the list; for any number of threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, str], tuple[str, Any]] = OrderedDict()

    def of(self, rows: Iterable[RunRow], metric: str) -> dict[str, Any]:
        """Give the curves of a metric.

        Args:
            rows: The runs.
            metric: The metric.

        Returns:
            By the runs' ids ``x`` and ``y`` of some points, spikes among them; None where a run
            has no such metric.
        """
        return {run_id(row.place): None if row.away else self._of(row, metric) for row in rows}

    def _of(self, row: RunRow, metric: str) -> Any:
        place = (run_id(row.paths), metric)
        stamp = stamp_of(str(row.paths.folder), is_open=True)  # before: a change is seen
        with self._lock:
            kept = self._kept.get(place)
            if kept is not None and kept[0] == stamp:
                self._kept.move_to_end(place)
                return kept[1]
        points = _points(row.paths, metric)
        with self._lock:
            self._kept[place] = (stamp, points)
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return points


def _points(paths: RunPaths, metric: str) -> dict[str, Any] | None:
    try:
        curve = curves_of(read_history(paths)).get(metric)
    except OSError:
        return None
    if curve is None:
        return None
    xs, places = curve.xs, places_kept(curve.values, _POINTS)
    return {
        "x": [xs[place] for place in places],
        "y": [number(curve.values[place]) for place in places],
    }
