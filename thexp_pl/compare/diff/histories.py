"""The metrics of two runs: their summaries, and the first step at which the histories part."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from thexp_pl.compare.diff.change import Change, changes
from thexp_pl.compare.values import MISSING, Missing
from thexp_pl.jsonable import to_jsonable
from thexp_pl.record.metrics import MetricColumns, read_history
from thexp_pl.runs.run import Run

__all__ = ["MetricsDifference", "Parting", "diff_metrics", "first_parting"]

_SHOWN = ("last", "min", "max")
_NO_STEP = -(2**63)
_Series: TypeAlias = "tuple[array[int], array[float]]"


@dataclass(frozen=True)
class Parting:
    """Where two histories part.

    Args:
        name: The metric.
        step: The step; None for values without one.
        a: The value in the first run; `MISSING` where it has none at that step.
        b: The same of the second run.
    """

    name: str
    step: int | None
    a: float | Missing
    b: float | Missing

    def to_dict(self) -> dict[str, Any]:
        """Give it as JSON values.

        Returns:
            ``name``, ``step``, ``a`` and ``b``; a value that is absent has no entry.
        """
        values: dict[str, Any] = to_jsonable(Change(self.name, self.a, self.b).to_dict())
        return {**values, "step": self.step}


@dataclass(frozen=True)
class MetricsDifference:
    """What differs between the metrics of two runs.

    Args:
        summary: ``<name>.last``, ``.min`` and ``.max``, where they differ.
        first: Where the histories part first; None where they agree bit for bit, or one of them
            cannot be read.
        parted: The names of all metrics whose histories differ.
        agree: Whether both have histories and these agree bit for bit.
    """

    summary: tuple[Change, ...] = ()
    first: Parting | None = None
    parted: tuple[str, ...] = ()
    agree: bool = False

    def __bool__(self) -> bool:
        return bool(self.summary or self.first)

    def to_dict(self) -> dict[str, Any]:
        """Give it as JSON values.

        Returns:
            ``summary``, ``first`` and ``parted``.
        """
        return {
            "summary": [change.to_dict() for change in self.summary],
            "first": None if self.first is None else self.first.to_dict(),
            "parted": list(self.parted),
        }


def diff_metrics(a: Run, b: Run) -> tuple[MetricsDifference, tuple[str, ...]]:
    """Compare the metrics of two runs; the times at which they were logged do not count.

    Args:
        a: A run.
        b: Another.

    Returns:
        What differs, and what could not be compared.
    """
    summary = tuple(changes(_summary(a), _summary(b)))
    try:
        one, other = read_history(a.paths), read_history(b.paths)
    except OSError as error:
        return MetricsDifference(summary), (f"the histories cannot be compared: {error}",)
    parted = first_parting(one, other)
    names = tuple(each.name for each in parted)
    agree = not parted and len(one) > 0
    return MetricsDifference(summary, parted[0] if parted else None, names, agree), ()


def first_parting(one: MetricColumns, other: MetricColumns) -> list[Parting]:
    """Find where each metric's history parts from another one's.

    Args:
        one: The rows of a run.
        other: Those of another.

    Returns:
        Of each metric whose histories differ the first place, the least step first and what has
        none last; values are compared bit for bit.
    """
    if _bytes_of(one) == _bytes_of(other):
        return []
    left, right = _series(one), _series(other)
    empty = (array("q"), array("d"))
    pairs = ((n, left.get(n, empty), right.get(n, empty)) for n in {**left, **right})
    found = [_parting(name, a, b) for name, a, b in pairs if _bits(*a) != _bits(*b)]
    return sorted(found, key=lambda each: (math.inf if each.step is None else each.step, each.name))


def _parting(name: str, a: _Series, b: _Series) -> Parting:
    (steps_a, values_a), (steps_b, values_b) = a, b
    shorter = min(len(steps_a), len(steps_b))
    places: Iterator[int] = (
        i
        for i in range(shorter)
        if steps_a[i] != steps_b[i] or _bits(values_a[i : i + 1]) != _bits(values_b[i : i + 1])
    )
    place = next(places, shorter)
    found = [own[0][place] for own in (a, b) if place < len(own[0])]
    step = min(found)
    here = [
        own[1][place] if place < len(own[0]) and own[0][place] == step else MISSING
        for own in (a, b)
    ]
    return Parting(name, None if step == _NO_STEP else step, here[0], here[1])


def _series(columns: MetricColumns) -> dict[str, _Series]:
    series: dict[str, _Series] = {}
    for step, _, _, name, value in columns.rows():
        steps, values = series.setdefault(name, (array("q"), array("d")))
        steps.append(_NO_STEP if step is None else step)
        values.append(value)
    return series


def _bytes_of(columns: MetricColumns) -> list[object]:
    chunks = columns.chunks
    parts = [[chunk.steps for chunk in chunks], [chunk.codes for chunk in chunks]]
    joined = [b"".join(part.tobytes() for part in each) for each in parts]
    return [columns.names, *joined, b"".join(chunk.values.tobytes() for chunk in chunks)]


def _bits(*arrays: array[Any]) -> bytes:
    return b"".join(each.tobytes() for each in arrays)


def _summary(run: Run) -> dict[str, Any]:
    return {
        f"{name}.{part}": cell[part]
        for name, cell in run.metrics.items()
        for part in _SHOWN
        if part in cell
    }
