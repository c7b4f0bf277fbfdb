"""Comparisons as tables of texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from thexp_pl.cli.output.digits import mean_text, single_text
from thexp_pl.cli.output.sheet import Sheet, value_texts
from thexp_pl.compare.columns import Column
from thexp_pl.compare.comparison import Comparison
from thexp_pl.compare.groups import GroupComparison
from thexp_pl.compare.values import or_missing

__all__ = ["cell_texts", "group_values", "groups_sheet", "runs_sheet", "runs_values"]

_HASH_LETTERS = 10
_OF_GROUPS = ("n", "mean", "std", "best")  # of each metric


def runs_sheet(comparison: Comparison) -> Sheet:
    """Write runs beside one another for people.

    Args:
        comparison: The runs.

    Returns:
        The table, a run a row.
    """
    columns = comparison.columns
    told = [
        cell_texts(column.full, [values[place] for values in comparison.values])
        for place, column in enumerate(columns)
    ]
    rows = [
        [run.key, *(texts[place] for texts in told)] for place, run in enumerate(comparison.runs)
    ]
    best = frozenset(
        (row, columns.index(column) + 1)
        for column, places in comparison.best.items()
        for row in places
    )
    return Sheet(["key", *_titles(columns)], rows, best)


def runs_values(comparison: Comparison) -> tuple[list[str], list[list[Any]]]:
    """Give the same for machines: titles that are one column's only, and whole values."""
    pairs = zip(comparison.runs, comparison.values, strict=True)
    rows = [[run.key, *values] for run, values in pairs]
    return ["key", *(column.full for column in comparison.columns)], rows


def groups_sheet(found: GroupComparison) -> Sheet:
    """Write groups of runs for people.

    Args:
        found: The groups.

    Returns:
        The table, a group a row: its values, how many runs it has, and of each metric mean,
        deviation and best.
    """
    titles = [*_titles(found.by), "n"]
    for column in found.metrics:
        titles += [column.title, f"{column.title} best"]
    told = [
        cell_texts(column.full, [group.values[place] for group in found.groups])
        for place, column in enumerate(found.by)
    ]
    rows = []
    for place, group in enumerate(found.groups):
        cells = [*(texts[place] for texts in told), str(len(group.keys))]
        for column in found.metrics:
            sample, best = group.samples[column], group.best[column]
            short = f" ({sample.n} of {len(group.keys)})" if sample.n < len(group.keys) else ""
            cells.append(f"{mean_text(sample)}{short}")
            cells.append(single_text(best, sample.std))
        rows.append(cells)
    first = len(found.by) + 1
    best_cells = frozenset(
        (row, first + 2 * found.metrics.index(column))
        for column, places in found.best.items()
        for row in places
    )
    return Sheet(titles, rows, best_cells, len(found.by))


def group_values(found: GroupComparison) -> tuple[list[str], list[list[Any]]]:
    """Give the same for machines, numbers in full precision."""
    titles = [*(column.full for column in found.by), "runs"]
    titles += [f"{column.full}.{name}" for column in found.metrics for name in _OF_GROUPS]
    rows: list[list[Any]] = []
    for group in found.groups:
        rows.append([*group.values, len(group.keys)])
        for column in found.metrics:
            sample = group.samples[column]
            rows[-1] += map(or_missing, (sample.n, sample.mean, sample.std, group.best[column]))
    return titles, rows


def cell_texts(name: str, values: Sequence[Any]) -> list[str]:
    """Write the values of a column for people, of hashes their beginnings.

    Args:
        name: The column's full name.
        values: The values, or `MISSING`.

    Returns:
        A text each.
    """
    texts = value_texts(values)
    is_hash = name in ("code", "packages", "commit")
    return [text[:_HASH_LETTERS] for text in texts] if is_hash else texts


def _titles(columns: Sequence[Column]) -> list[str]:
    """Take the short title of each column, or the full one where two would be the same."""
    short = ["key", "n", *(column.title for column in columns)]
    return [c.full if short.count(c.title) > 1 else c.title for c in columns]
