"""How far the runs of a sweep are that run, told by the ends of their metrics."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, field

from thexp_pl.record.metrics.reading import read_ranges
from thexp_pl.record.paths import RunPaths
from thexp_pl.runs.curves import leading
from thexp_pl.runs.stamps import metrics_stamp
from thexp_pl.runs.words import short
from thexp_pl.sweeps.point import Point
from thexp_pl.sweeps.standing import state_of
from thexp_pl.sweeps.sweep import Sweep

__all__ = ["Progress", "Seen"]

_LOOK_SECONDS = 1.0  # between two looks for a run that is not recorded yet
_TAIL_BYTES = 16_384  # of the metrics: some 300 rows, the last of every metric that is logged often


@dataclass
class Seen:
    """What was seen of a point that runs.

    Args:
        key: The key of its run; empty where it has recorded none yet.
        at: The epoch, or the step, of the last value.
        metric: The name and the last value of the metric that tells most.
    """

    key: str = ""
    at: str = ""
    metric: str = ""


@dataclass
class _Watched:
    seen: Seen = field(default_factory=Seen)
    paths: RunPaths | None = None
    looked_at: float = float("-inf")
    stamp: tuple[object, ...] = ()
    values: dict[str, float] = field(default_factory=dict)


class Progress:
    """Reads how far points are, no more than what is new.

    Args:
        sweep: The sweep.
    """

    def __init__(self, sweep: Sweep) -> None:
        self._sweep = sweep
        metric = str((sweep.study or {}).get("metric") or "")
        self._wanted = (metric, metric.rpartition(".")[0])  # with how it is summarised, or without
        self._watched: dict[int, _Watched] = {}

    def forget(self, point: Point) -> None:
        """Look anew for the run of a point, which has begun again.

        Args:
            point: The point.
        """
        self._watched.pop(point.number, None)

    def of(self, point: Point) -> Seen:
        """Say how far a point is.

        Args:
            point: A point that runs.
        """
        watched = self._watched.setdefault(point.number, _Watched())
        if watched.paths is None:
            self._find(point, watched)
        if watched.paths is not None:
            self._read(watched, watched.paths)
        return watched.seen

    def _find(self, point: Point, watched: _Watched) -> None:
        if time.monotonic() - watched.looked_at < _LOOK_SECONDS:
            return
        watched.looked_at = time.monotonic()
        state = state_of(self._sweep, point)
        if state.run is not None and state.run.status == "running":  # not that of an attempt before
            watched.paths = state.paths
            watched.seen.key = state.run.key

    def _read(self, watched: _Watched, paths: RunPaths) -> None:
        stamp = metrics_stamp(paths)
        if stamp == watched.stamp:
            return
        watched.stamp = stamp
        step = epoch = None
        with contextlib.suppress(OSError):
            size = paths.metrics.stat().st_size
            columns = read_ranges(paths.metrics, [(max(size - _TAIL_BYTES, 0), None)])
            for step, epoch, _, name, value in columns.rows():  # noqa: B007 - the last ones count
                watched.values[name] = value
        marks = [f"epoch {epoch}"] if epoch is not None else []
        watched.seen.at = (marks or ([f"step {step}"] if step is not None else [""]))[0]
        wanted = [name for name in self._wanted if name in watched.values]
        shown = wanted[0] if wanted else leading(watched.values)
        if shown is not None:
            watched.seen.metric = f"{shown} {short(watched.values[shown])}"
