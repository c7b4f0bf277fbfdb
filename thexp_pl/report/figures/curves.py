"""The curves of a run: its metrics as arrays, over steps, epochs or time."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from thexp_pl.record.metrics import MetricColumns, read_history
from thexp_pl.record.metrics.columns import ABSENT
from thexp_pl.runs.row import RunRow

__all__ = ["Array", "Axis", "Curve", "RunCurves", "read_curves"]

Array = np.ndarray[Any, Any]
Axis = Literal["step", "epoch", "time"]
_FOREVER = 1e12  # seconds


@dataclass(frozen=True)
class Curve:
    """One metric of one run.

    Args:
        x: Where: steps or epochs as recorded, from 0, or seconds since the run's start; float64,
            rising.
        y: What was recorded there; float64 of the same length, NaN and infinities included.
    """

    x: Array
    y: Array

    @property
    def is_finite(self) -> bool:
        """Whether it has neither NaN nor infinities."""
        return bool(np.isfinite(self.y).all())


@dataclass(frozen=True)
class RunCurves:
    """What was read of one run.

    Args:
        names: All of its metrics.
        curves: Those that were asked for and have a point on this axis.
        remarks: What was passed over: pairs of a metric and the end of a sentence about it.
        damaged: How many lines of its history are no rows, a torn last one included.
    """

    names: list[str]
    curves: dict[str, Curve]
    remarks: list[tuple[str, str]]
    damaged: int = 0


def read_curves(row: RunRow, wanted: Callable[[str], bool], axis: Axis) -> RunCurves:
    """Read curves of a run from its history.

    Where several rows of a metric have the same step, the last counts: it was written again. Where
    several have the same epoch, their mean does. Rows without a step stand at their number, from 0,
    where no row of the metric has one.

    Args:
        row: The run.
        wanted: Says of the name of a metric whether its curve is.
        axis: What they are over.

    Returns:
        The curves.

    Raises:
        OSError: A file is there but cannot be read.
    """
    columns = read_history(row.paths)
    found = RunCurves([], {}, [], columns.passed_over + _is_torn(row.paths.metrics))
    if not columns.chunks:
        return found
    steps, epochs, times, codes, values = map(_joined, zip(*columns.chunks, strict=True))
    times = np.asarray(times, float) - row.started
    for name, own in _codes_of(columns, codes).items():
        found.names.append(name)
        if not wanted(name):
            continue
        mine = np.isin(codes, own)
        if axis == "step":
            curve, passed_over = _over_steps(steps[mine], values[mine])
        elif axis == "epoch":
            curve, passed_over = _over_epochs(epochs[mine], values[mine])
        else:
            curve, passed_over = _over_time(times[mine], values[mine])
        if len(curve.x):
            found.curves[name] = curve
        if passed_over:
            found.remarks.append((name, passed_over))
    return found


def _is_torn(path: Path) -> bool:
    """Say whether a file ends within a line."""
    try:
        with path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read() != b"\n"
    except OSError:  # it is not there, or empty
        return False


def _joined(parts: tuple[Any, ...]) -> Array:
    arrays = [np.asarray(part) for part in parts]
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)


def _codes_of(columns: MetricColumns, codes: Array) -> dict[str, list[int]]:
    """Give the codes of each name, as they first appear; a name may be written in two ways."""
    names: dict[str, list[int]] = {}
    found, first = np.unique(codes, return_index=True)
    for code in found[np.argsort(first)].tolist():
        names.setdefault(columns.names[code], []).append(code)
    return names


def _over_steps(steps: Array, values: Array) -> tuple[Curve, str]:
    told = steps != ABSENT
    if not told.any():
        numbers = np.arange(len(values), dtype=float)
        return Curve(numbers, values), "was recorded without steps: its rows are counted"
    curve = _rising(steps[told].astype(float), values[told])
    said = [] if told.all() else ["has rows without a step, which are left out"]
    return curve, ", and ".join([*said, *_again("step", int(told.sum()) - len(curve.x))])


def _over_epochs(epochs: Array, values: Array) -> tuple[Curve, str]:
    told = epochs != ABSENT
    x, places, counts = np.unique(
        epochs[told].astype(float), return_inverse=True, return_counts=True
    )
    curve = Curve(x, np.bincount(places, weights=values[told], minlength=len(x)) / counts)
    return curve, "" if told.all() else "has rows without an epoch, which are left out"


def _over_time(times: Array, values: Array) -> tuple[Curve, str]:
    told = np.abs(times) < _FOREVER
    curve = _rising(times[told], values[told])
    said = [] if told.all() else ["has rows of no possible time, which are left out"]
    return curve, ", and ".join([*said, *_again("time", int(told.sum()) - len(curve.x))])


def _again(axis: Axis, count: int) -> list[str]:
    """Say how many rows stand behind another of the same place."""
    return [f"has several rows of one {axis}: the last one counts"] if count else []


def _rising(x: Array, values: Array) -> Curve:
    """Sort points; of several at one place the last counts."""
    if not (x[1:] > x[:-1]).all():
        order = np.argsort(x, kind="stable")
        x, values = x[order], values[order]
        last = np.append(x[1:] != x[:-1], True)
        x, values = x[last], values[last]
    return Curve(x, values)
