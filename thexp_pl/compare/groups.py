"""Runs in groups of equal values, and what their metrics come to."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from thexp_pl.compare.columns import Column, Table, find_column, in_order
from thexp_pl.compare.comparison import best_places, directions, metric_columns
from thexp_pl.compare.sample import Sample
from thexp_pl.compare.values import MISSING, as_names, identity, or_missing
from thexp_pl.errors import UsageError
from thexp_pl.record.names import shown
from thexp_pl.runs.row import RunRow

__all__ = ["GroupComparison", "RunGroup", "compare_groups", "grouped"]


@dataclass(frozen=True)
class RunGroup:
    """Runs that have the same values in some columns.

    Args:
        values: These values, in the order of the columns; `MISSING` where its runs have none.
        keys: The keys of the runs.
        samples: By the metric's column its finite values in these runs.
        best: By the metric's column the best of them; None where there is none.
    """

    values: tuple[Any, ...]
    keys: tuple[str, ...]
    samples: Mapping[Column, Sample]
    best: Mapping[Column, float | None]


@dataclass(frozen=True)
class GroupComparison:
    """Groups of runs as the rows of a table.

    Args:
        by: The columns whose values make the groups.
        metrics: The metrics' columns.
        groups: The groups, in the order of their values.
        best: Of a metric's column the places of the groups whose mean is best.
    """

    by: tuple[Column, ...]
    metrics: tuple[Column, ...]
    groups: tuple[RunGroup, ...]
    best: Mapping[Column, frozenset[int]]

    def head(self, limit: int | None) -> GroupComparison:
        """Take the first groups; what is best of all stays marked.

        Args:
            limit: How many; None for all.

        Returns:
            The comparison with these only.
        """
        groups = self.groups[:limit]
        best = {
            column: frozenset(place for place in places if place < len(groups))
            for column, places in self.best.items()
        }
        return GroupComparison(self.by, self.metrics, groups, best)

    def to_dict(self) -> dict[str, Any]:
        """Give the groups as plain values.

        Returns:
            ``groups``: of each ``by`` (what it has of it), ``runs`` (how many), ``keys``,
            ``metrics`` (by name ``n``, ``mean``, ``std``, ``min``, ``max`` and the ``best`` value)
            and ``best``, the metrics whose mean is best in it.
        """
        return {"groups": [self._row(place) for place in range(len(self.groups))]}

    def _row(self, place: int) -> dict[str, Any]:
        group = self.groups[place]
        own = zip(self.by, group.values, strict=True)
        return {
            "by": {column.full: value for column, value in own if value is not MISSING},
            "runs": len(group.keys),
            "keys": list(group.keys),
            "metrics": {
                column.title: {**sample.to_dict(), "best": group.best[column]}
                for column, sample in group.samples.items()
            },
            "best": [column.title for column, places in self.best.items() if place in places],
        }


def compare_groups(
    rows: Iterable[RunRow],
    by: str | Sequence[str],
    *,
    metrics: str | Sequence[str] = (),
    smaller: str | Sequence[str] = (),
    larger: str | Sequence[str] = (),
    sort: str = "",
    reverse: bool = False,
) -> GroupComparison:
    """Group runs and compare the groups.

    Args:
        rows: The runs.
        by: Names of what makes the groups: parameters, metrics or facts.
        metrics: As for `thexp_pl.compare.comparison.compare_runs`, as are `smaller` and `larger`.
        smaller: Metrics that are better small.
        larger: Metrics that are better large.
        sort: One of `by`, or a metric, whose mean then counts; else by the groups' values.
        reverse: The greatest first.

    Returns:
        The groups with number, mean and deviation of each metric's finite values.

    Raises:
        UsageError: There is nothing of a name, or groups cannot be sorted by it.
    """
    rows = tuple(rows)
    table = Table(rows)
    columns = tuple(dict.fromkeys(find_column(word, table) for word in as_names(by)))
    measured = tuple(metric_columns(metrics, table))
    sides = directions(table, measured, smaller, larger)
    cells = {column: table.values(column) for column in measured}
    groups = []
    for values, places in grouped([table.values(column) for column in columns], len(rows)):
        found = {column: [cells[column][place] for place in places] for column in measured}
        samples = {column: Sample.of(filter(_is_finite, found[column])) for column in measured}
        best = {
            column: {"min": sample.min, "max": sample.max}.get(sides[column])
            for column, sample in samples.items()
        }
        groups.append(RunGroup(values, tuple(rows[place].key for place in places), samples, best))
    for column in reversed(columns):
        groups = _sorted(groups, [g.values[columns.index(column)] for g in groups], reverse)
    if sort:
        column = _sorting(sort, table, columns, measured)
        groups = _sorted(groups, [_key(group, column, columns) for group in groups], reverse)
    marks = {
        column: best_places([group.samples[column].mean for group in groups], sides[column])
        for column in measured
    }
    kept = {column: places for column, places in marks.items() if places}
    return GroupComparison(columns, measured, tuple(groups), kept)


def grouped(
    cells: Sequence[Sequence[Any]], size: int
) -> list[tuple[tuple[Any, ...], tuple[int, ...]]]:
    """Put rows of equal values together.

    Args:
        cells: Columns of values.
        size: How many rows there are.

    Returns:
        Of each group its values, and the places of its rows in their order; every row is in one
        group. The groups stand in the order in which they begin.
    """
    found: dict[tuple[Hashable, ...], list[int]] = {}
    for place in range(size):
        found.setdefault(tuple(identity(column[place]) for column in cells), []).append(place)
    return [
        (tuple(column[places[0]] for column in cells), tuple(places)) for places in found.values()
    ]


def _is_finite(value: Any) -> bool:
    return value is not MISSING and math.isfinite(value)


def _sorting(
    sort: str, table: Table, by: tuple[Column, ...], measured: tuple[Column, ...]
) -> Column:
    column = find_column(sort, table)
    if column not in (*by, *measured):
        raise UsageError(
            f"groups cannot be sorted by {shown(sort)}, which their table does not show: give a"
            " metric of --metrics, or a name of --by"
        )
    return column


def _key(group: RunGroup, column: Column, by: tuple[Column, ...]) -> Any:
    if column in by:
        return group.values[by.index(column)]
    return or_missing(group.samples[column].mean)


def _sorted(groups: list[RunGroup], keys: list[Any], reverse: bool) -> list[RunGroup]:
    return [groups[place] for place in in_order(keys, reverse=reverse)]
