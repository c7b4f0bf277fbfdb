"""The history of a run's metrics, name by name."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeVar

from thexp_pl.errors import RecordError, UsageError, near_miss
from thexp_pl.record.metrics import MetricColumns, read_history
from thexp_pl.record.metrics.columns import ABSENT
from thexp_pl.record.names import shown
from thexp_pl.runs.curves import Curve, curves_of
from thexp_pl.runs.run import Run

__all__ = ["Point", "chosen", "histories", "read_columns", "words"]

_Kept = TypeVar("_Kept")


class Point(NamedTuple):
    """One value of a metric.

    Args:
        step: The step, counted from 0, or None.
        epoch: The epoch, counted from 0, or None.
        value: The value, perhaps NaN or infinite.
    """

    step: int | None
    epoch: int | None
    value: float


def read_columns(run: Run) -> MetricColumns:
    """Read the rows of a run's metrics.

    Args:
        run: The run; it may still go on.

    Returns:
        Its rows, without those that it went back behind; none where the file is missing or cannot
        be read.
    """
    with contextlib.suppress(OSError):
        return read_history(run.paths)
    return MetricColumns()


def histories(columns: MetricColumns) -> dict[str, list[Point]]:
    """Sort rows by their metrics.

    Args:
        columns: The rows.

    Returns:
        By name its values, in the order in which they were written.
    """
    return {name: [*_points(curve)] for name, curve in curves_of(columns).items()}


def _points(curve: Curve) -> Iterator[Point]:
    for step, epoch, value in zip(curve.steps, curve.epochs, curve.values, strict=True):
        yield Point(None if step == ABSENT else step, None if epoch == ABSENT else epoch, value)


def words(text: str | None, known: Iterable[str] = ()) -> list[str]:
    """Read the names of metrics that a flag gives, with commas between them.

    Args:
        text: What was given; None where nothing was.
        known: The names that there are: one that has commas itself is taken whole.

    Returns:
        The names; none where nothing was given.

    Raises:
        UsageError: The flag was given without a name.
    """
    if text is None or text in known:
        return [] if text is None else [text]
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise UsageError(f"{shown(text)} names no metric; give some, as in loss,acc")
    return names


def chosen(kept: Mapping[str, _Kept], names: Sequence[str]) -> dict[str, _Kept]:
    """Choose among metrics.

    Args:
        kept: All, by name.
        names: Those that are wanted, in this order; all where there are none.

    Raises:
        RecordError: One of them is not among them.
    """
    for name in names:
        if name not in kept:
            hint = near_miss(name, kept)
            some = f"it has {', '.join(map(shown, list(kept)[:5]))}" if kept else "it has none"
            raise RecordError(f"the run has no metric {shown(name)}{hint}; {some}")
    return {name: kept[name] for name in names or kept}
