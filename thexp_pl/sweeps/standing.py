"""How the points of a sweep stand: told by their runs and locks alone."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from thexp_pl.record.locks import is_held
from thexp_pl.record.names import escaped
from thexp_pl.record.paths import RunPaths
from thexp_pl.runs.index import Index
from thexp_pl.runs.index.selection import SweptRun
from thexp_pl.runs.run import Run, read_run
from thexp_pl.runs.sweeps import FINISHERS, OWN, Finishers, was_pruned
from thexp_pl.sweeps.point import Point
from thexp_pl.sweeps.sweep import Sweep

__all__ = ["DONE", "FAILED", "PRUNED", "RUNNING", "WAITING", "State", "standing", "state_of"]

WAITING, RUNNING, FINISHED, PRUNED, FAILED = "waiting", "running", "finished", "pruned", "failed"
DONE = (FINISHED, PRUNED)
_MAX_REASON = 300
_LOG_END = 1 << 14


@dataclass(frozen=True)
class State:
    """How a point stands.

    Args:
        status: ``waiting`` (nothing of it was begun), ``running``, ``finished``, ``pruned`` or, of
            what ended early, as `thexp_pl.record.status` judges its newest run. ``failed`` too
            where a process ended before it recorded anything.
        paths: Its run; None where it has none.
        is_alive: Whether a process of it lives, as far as that can be seen from here.
        log: What its processes printed.
    """

    status: str
    paths: RunPaths | None = None
    is_alive: bool = False
    log: Path | None = None

    @cached_property
    def run(self) -> Run | None:
        """Its run, read when it is first asked for."""
        return None if self.paths is None else read_run(self.paths)

    @property
    def is_done(self) -> bool:
        """Whether nothing of it is left to do."""
        return self.status in DONE

    @property
    def reason(self) -> str:
        """Why it ended early, one line without control characters; empty where it did not."""
        if self.status in (WAITING, RUNNING, *DONE):
            return ""
        cause = {} if self.run is None else self.run.cause or {}
        told = [str(cause[name]) for name in ("type", "message", "signal") if cause.get(name)]
        text = ": ".join(told) or self._last_line()
        return escaped(" ".join(text.split())[:_MAX_REASON])

    def _last_line(self) -> str:
        with contextlib.suppress(OSError):
            if self.log is not None:
                with self.log.open("rb") as file:
                    file.seek(max(0, os.fstat(file.fileno()).st_size - _LOG_END))
                    lines = file.read().decode("utf-8", "replace").split("\n")
                return next((line for line in reversed(lines) if line.strip()), "")
        return ""


def standing(sweep: Sweep, points: Iterable[Point]) -> dict[int, State]:
    """Say how points stand.

    A point is finished when a run of it is, or one of another point, or sweep of the same code,
    that was trained with the same and not pruned. Else the newest run of it counts.

    Args:
        sweep: The sweep.
        points: Points of it.

    Returns:
        Their states by number.
    """
    runs = _runs(sweep, f"({OWN}) OR ({FINISHERS})", (sweep.key, sweep.tree))
    return _told(sweep, points, runs, _begun(sweep))


def state_of(sweep: Sweep, point: Point, *, is_own: bool = False) -> State:
    """Say how one point stands, see `standing`.

    Args:
        sweep: The sweep.
        point: The point.
        is_own: This process holds its lock, which says nothing then.

    Returns:
        Its state.
    """
    where = f"({OWN} AND point = ?) OR ({FINISHERS} AND digest = ?)"
    runs = _runs(sweep, where, (sweep.key, point.number, sweep.tree, point.digest))
    begun = () if is_own or not sweep.paths.point_lock(point.number).exists() else (point.number,)
    return _told(sweep, [point], runs, begun)[point.number]


def _runs(sweep: Sweep, where: str, values: Sequence[str | int]) -> list[SweptRun]:
    with contextlib.closing(Index([sweep.paths.root])) as index:
        index.refresh()
        return index.swept(where, values)


def _told(
    sweep: Sweep, points: Iterable[Point], runs: Iterable[SweptRun], begun: Container[int]
) -> dict[int, State]:
    runs = [*runs]
    own: dict[int, SweptRun] = {}
    done = Finishers(sweep.key, runs)
    for run in runs:  # oldest first
        number = run.point if run.sweep == sweep.key else None
        if number is not None and _counts_more(run, own.get(number)):
            own[number] = run
    return {
        point.number: _state(sweep, point, own.get(point.number), done, point.number in begun)
        for point in points
    }


def _counts_more(run: SweptRun, other: SweptRun | None) -> bool:
    return other is None or other.status != FINISHED or run.status == FINISHED


def _begun(sweep: Sweep) -> set[int]:
    """List the points that a process was ever started for."""
    with contextlib.suppress(OSError):
        names = os.listdir(sweep.paths.told(0).parent)  # noqa: PTH208 - names are enough
        stems = (name.removesuffix(".lock") for name in names if name.endswith(".lock"))
        return {int(stem) for stem in stems if stem.isascii() and stem.isdecimal()}
    return set()


def _state(
    sweep: Sweep,
    point: Point,
    run: SweptRun | None,
    done: Finishers,
    was_begun: bool,
) -> State:
    log = sweep.paths.log(point.number)
    if run is not None and run.status == FINISHED:
        return State(PRUNED if was_pruned(run) else FINISHED, run.paths, False, log)
    is_alive = was_begun and is_held(sweep.paths.point_lock(point.number))
    if is_alive:
        return State(RUNNING, None if run is None else run.paths, True, log)
    if run is not None and run.status == RUNNING:  # on another host, or its lock is not seen here
        return State(RUNNING, run.paths, True, log)
    other = done.of(point.digest)
    if other is not None:
        return State(FINISHED, other.paths, False, None)
    if run is not None:
        return State(run.status, run.paths, False, log)
    died = was_begun and sweep.paths.told(point.number).exists()
    return State(FAILED if died else WAITING, None, False, log)
