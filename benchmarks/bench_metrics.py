"""A step's values recorded: by us, by TensorBoard, by Lightning's loggers and by other trackers."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.harness import QUICK_SAMPLE_SECONDS, SAMPLE_SECONDS, Scale, in_turn
from benchmarks.recorders import Recorder, recorders
from benchmarks.report import Goal, Growth, Report
from benchmarks.sinks import (
    AIM,
    BOARD,
    CSV_LOGGER,
    DVCLIVE,
    MLFLOW,
    MLFLOW_LATER,
    OPENINGS,
    OURS,
    RUN_LOGGER,
    SACRED,
    TENSORBOARD_LOGGER,
    WRITER,
)

STEPS = 100  # from one flush to the next, as often as Lightning's CSVLogger writes by itself
TEN = 10
VALUES = (1, TEN, 100)
QUICK = (OURS, WRITER, SACRED)
WHY = (
    "The floor is the text of ten floats, and the page cache that it is copied to: nobody here"
    " waits for a disk but those who commit a transaction for each step, as MLflow does to SQLite."
    " What is put off counts in the cases with a flush after every hundred steps. CSVLogger writes"
    " a row for each step, and all of them anew where a name is new; metrics.csv has a row for each"
    " value, with its time and name, so that names may come and go. Of the others dvclive opens a"
    " file for each value, sacred writes all values of the run anew at each heartbeat, so that its"
    " cost grows with the run, and Aim writes each value, and several facts of its curve, to"
    " RocksDB."
)


def called(name: str) -> str:
    """Name the case of the call alone."""
    return f"{name}, the call"


def flushed(name: str, values: int = TEN) -> str:
    """Name the case with all that is put off."""
    more = "" if values == TEN else f", {values} value{'s' if values > 1 else ''}"
    return f"{name}, flushed{more}"


def cases_of(found: dict[str, Recorder], scale: Scale) -> dict[str, Callable[[], float]]:
    """Give what is timed: each tracker's call, its flush too, and ours with other numbers."""
    least = scale.pick(SAMPLE_SECONDS, QUICK_SAMPLE_SECONDS)
    cases: dict[str, Callable[[], float]] = {}
    for name, recorder in found.items():
        steps = partial(recorder.seconds, scale.pick(STEPS, 10), least=least)
        cases[called(name)] = partial(steps, flushed=False)
        cases[flushed(name)] = steps
        if name == OURS:
            cases |= {flushed(OURS, many): partial(steps, values=many) for many in VALUES}
    return cases


def goals_among(names: tuple[str, ...]) -> list[Goal]:
    """State what is aimed at, as far as the trackers are asked for."""
    goals = [
        (OURS, WRITER, called, 1 / 10),
        (BOARD, WRITER, flushed, 1 / 2),
        (RUN_LOGGER, TENSORBOARD_LOGGER, flushed, 1),
    ]
    peers = (WRITER, TENSORBOARD_LOGGER, CSV_LOGGER, MLFLOW, MLFLOW_LATER, AIM, SACRED, DVCLIVE)
    goals += [(OURS, peer, flushed, 1) for peer in peers]
    return [
        Goal(way(ours), way(peer), limit)
        for ours, peer, way, limit in goals
        if {ours, peer} <= {*names}
    ]


def report(scale: Scale) -> Report:
    """Measure each tracker in a process of its own, asked in turn."""
    absent: list[str] = []
    names = scale.pick(tuple(OPENINGS), QUICK)
    with (
        tempfile.TemporaryDirectory() as scratch,
        recorders(names, Path(scratch), absent) as found,
    ):
        cases = cases_of(found, scale)
        for case in cases.values():  # the first call of some imports and makes files
            case()
        seconds = in_turn(cases, scale.rounds(4))
    growth = Growth(OURS, "values", {many: flushed(OURS, many) for many in VALUES})
    return Report(
        "Ten metrics recorded at each step", seconds, goals_among(names), absent,
        growths=[growth], why=WHY,
    )  # fmt: skip
