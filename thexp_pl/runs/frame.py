"""Runs as a pandas DataFrame."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator, Sequence
from importlib import import_module
from operator import itemgetter
from typing import Any

from thexp_pl.errors import UsageError
from thexp_pl.runs.flat import flat
from thexp_pl.runs.row import RunRow

__all__ = ["to_frame", "uncollected"]

_FACTS = ("experiment", "status", "seconds", "tags", "notes", "command", "code", "commit",
          "packages", "python", "host", "parent", "sweep", "damage")  # fmt: skip
_AGGREGATES = ("last", "min", "max", "mean", "count", "nonfinite")
_COUNTS = ("count", "nonfinite")
_ABSENT = dict.fromkeys(_AGGREGATES)  # what a run without a metric has of it
_LARGEST = 2**63


def to_frame(rows: Sequence[RunRow]) -> Any:
    """Make a DataFrame of runs.

    Args:
        rows: The runs.

    Returns:
        The `pandas.DataFrame`: a line a run, by key. ``started`` is a time in UTC, ``seconds`` a
        float; a parameter is in ``params.NAME``, a metric in ``metrics.NAME.last`` and so on. A
        column of integers is int64 or, with runs that have none, Int64; one of truth values bool
        or boolean; one of other numbers float64, in which NaN stands for a missing one too.

    Raises:
        UsageError: pandas is not installed.
    """
    try:
        pandas: Any = import_module("pandas")  # by name: it is no requirement, and brings no types
    except ImportError:
        raise UsageError("a DataFrame needs the package pandas; run: pip install pandas") from None
    seconds = pandas.Series([row.started for row in rows], dtype="float64")
    started = pandas.to_datetime(seconds, unit="s", utc=True, errors="coerce")
    columns: dict[str, Any] = {name: [getattr(row, name) for row in rows] for name in _FACTS}
    columns["seconds"] = pandas.array(columns["seconds"], dtype="float64")
    columns["root"] = [str(row.root) for row in rows]
    columns["started"] = started.array
    columns |= {name: _array(pandas, values) for name, values in _params(rows)}
    columns |= {name: _metric(pandas, name, values) for name, values in _metrics(rows)}
    keys = pandas.Index([row.key for row in rows], name="key", dtype="object")
    return pandas.DataFrame(columns, index=keys)


def _params(rows: Sequence[RunRow]) -> Iterator[tuple[str, list[Any]]]:
    columns: dict[str, list[Any]] = {}
    for position, row in enumerate(rows):
        for name, value in flat(row.params).items():
            column = columns.get(name)
            if column is None:
                column = columns[name] = [None] * len(rows)
            column[position] = value
    for name, column in columns.items():
        yield f"params.{name}", column


def _metrics(rows: Sequence[RunRow]) -> Iterator[tuple[str, Sequence[Any]]]:
    columns: dict[str, list[dict[str, Any]]] = {}
    for position, row in enumerate(rows):
        for name, cell in row.metrics.items():
            if name not in columns:
                columns[name] = [_ABSENT] * len(rows)
            columns[name][position] = cell
    for name, cells in columns.items():
        for aggregate, values in zip(_AGGREGATES, _aggregates(cells), strict=True):
            yield f"metrics.{name}.{aggregate}", values


def _aggregates(cells: Sequence[dict[str, Any]]) -> list[tuple[Any, ...]]:
    of_all = itemgetter(*_AGGREGATES)  # a call for each of a million numbers takes twice as long
    try:
        return [*zip(*map(of_all, cells), strict=True)]
    except KeyError:  # of another release, or edited
        return [*zip(*(of_all(_ABSENT | cell) for cell in cells), strict=True)]


def _metric(pandas: Any, name: str, values: Sequence[Any]) -> Any:
    if name.endswith(_COUNTS):
        return _array(pandas, values)
    return pandas.array(values, dtype="float64")  # None becomes NaN


def _array(pandas: Any, values: Sequence[Any]) -> Any:
    """Make a column of values of one kind as narrow as it can be; any others are objects."""
    kinds = {type(value) for value in values if value is not None}
    missing = None in values if kinds <= {bool, int, float, str} else True
    if kinds == {bool}:
        return pandas.array(values, dtype="boolean" if missing else "bool")
    if kinds == {int} and all(value is None or -_LARGEST <= value < _LARGEST for value in values):
        return pandas.array(values, dtype="Int64" if missing else "int64")
    if kinds and kinds <= {int, float}:
        return pandas.array([_double(value) for value in values], dtype="float64")
    return pandas.Series(values, dtype="object").array


def _double(value: float | None) -> float:
    try:
        return float("nan") if value is None else float(value)
    except OverflowError:
        return float("inf") if value is not None and value > 0 else float("-inf")


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Keep the cycle collector from looking through what is being made: a sixth of the time.

    Yields:
        Nothing.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
