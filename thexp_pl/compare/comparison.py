"""Many runs beside one another: what differs between them, their metrics, and which are best."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from thexp_pl.compare.columns import FACTS, Column, Table, find_column, find_param, in_order
from thexp_pl.compare.metric import Better, better, choose_metrics, find_metric
from thexp_pl.compare.values import MISSING, as_names, differ
from thexp_pl.errors import UsageError
from thexp_pl.record.names import shown
from thexp_pl.runs.row import RunRow

__all__ = ["Comparison", "best_places", "compare_runs", "directions", "metric_columns", "sort_runs"]


@dataclass(frozen=True)
class Comparison:
    """Runs as the rows of a table.

    Args:
        runs: The runs.
        columns: What they are compared by: facts and parameters, then metrics.
        values: Of each run the columns' values; `MISSING` where it has none.
        best: Of a metric's column the places of the runs that are best in it.
    """

    runs: tuple[RunRow, ...]
    columns: tuple[Column, ...]
    values: tuple[tuple[Any, ...], ...]
    best: Mapping[Column, frozenset[int]]

    def part(self, places: range) -> Comparison:
        """Take some of the rows; what is best of all stays marked.

        Args:
            places: Their places, one after another.

        Returns:
            The comparison with these rows only.
        """
        start, stop = places.start, places.stop
        best = {
            column: frozenset(place - start for place in found if place in places)
            for column, found in self.best.items()
        }
        return Comparison(self.runs[start:stop], self.columns, self.values[start:stop], best)

    def to_dict(self) -> dict[str, Any]:
        """Give the comparison as plain values.

        Returns:
            ``runs``: of each ``key``, ``experiment``, ``status`` and ``root``; ``facts``,
            ``params`` and ``metrics``, of these what is compared and what it has; and ``best``, the
            metrics in which it is best.
        """
        return {"runs": [self._row(place) for place in range(len(self.runs))]}

    def _row(self, place: int) -> dict[str, Any]:
        run, own = self.runs[place], zip(self.columns, self.values[place], strict=True)
        found: dict[str, dict[str, Any]] = {"fact": {}, "param": {}, "metric": {}}
        for column, value in own:
            if value is not MISSING:
                found[column.kind][column.title] = value
        return {
            "key": run.key,
            "experiment": run.experiment,
            "status": run.status,
            "root": str(run.root),
            "facts": found["fact"],
            "params": found["param"],
            "metrics": found["metric"],
            "best": [column.title for column, places in self.best.items() if place in places],
        }


def compare_runs(
    rows: Iterable[RunRow],
    *,
    params: str | Sequence[str] | None = None,
    metrics: str | Sequence[str] = (),
    smaller: str | Sequence[str] = (),
    larger: str | Sequence[str] = (),
) -> Comparison:
    """Put runs beside one another; no file is read.

    Args:
        rows: The runs, as the index tells of them.
        params: Dotted names of parameters to show; None means those that differ. Code, packages,
            Python, host and commit are shown where they differ.
        metrics: Names of metrics, with ``.min``, ``.max`` or ``.mean`` where not the last value is
            meant; none means the last values of all.
        smaller: Metrics whose small values are the better ones, against what
            `thexp_pl.compare.metric.better` takes from their names.
        larger: The same for large ones.

    Returns:
        The comparison. The best are the finite values that no other surpasses; where all runs have
        the same, none is.

    Raises:
        UsageError: No run has a parameter or a metric of a name.
    """
    rows = tuple(rows)
    table = Table(rows)
    if params is None:
        chosen = [Column("param", name) for name in table.param_names]
        chosen = [column for column in chosen if differ(table.values(column))]
    else:
        chosen = list(dict.fromkeys(find_param(word, table) for word in as_names(params)))
    facts = [Column("fact", name) for name in FACTS]
    facts = [column for column in facts if differ(table.values(column))]
    told = [column for column in facts if column.name in ("experiment", "status")]
    measured = metric_columns(metrics, table)
    columns = (*told, *chosen, *(column for column in facts if column not in told), *measured)
    cells = {column: table.values(column) for column in columns}
    wanted = directions(table, measured, smaller, larger)
    best = {column: best_places(cells[column], wanted[column]) for column in measured}
    values = tuple(zip(*cells.values(), strict=True)) if cells else tuple(() for _ in rows)
    return Comparison(rows, columns, values, {k: v for k, v in best.items() if v})


def sort_runs(rows: Sequence[RunRow], name: str, *, reverse: bool = False) -> list[RunRow]:
    """Sort runs by a parameter, a metric or a fact.

    Args:
        rows: The runs.
        name: See `thexp_pl.compare.columns.find_column`.
        reverse: The greatest first.

    Returns:
        The runs; those without a value, or with NaN, come last either way.

    Raises:
        UsageError: There is nothing of that name.
    """
    if not rows:
        return []
    table = Table(rows)
    order = in_order(table.values(find_column(name, table)), reverse=reverse)
    return [rows[place] for place in order]


def metric_columns(words: str | Sequence[str], table: Table) -> list[Column]:
    """Make the columns of the metrics that words mean, see `choose_metrics`."""
    found = choose_metrics(as_names(words), table.metric_names)
    return [Column("metric", metric.name, metric.aggregate) for metric in found]


def directions(
    table: Table,
    columns: Sequence[Column],
    smaller: str | Sequence[str],
    larger: str | Sequence[str],
) -> dict[Column, Better]:
    """Say of metrics which of their values are better.

    Args:
        table: The runs.
        columns: The metrics' columns.
        smaller: Metrics said to be better small.
        larger: Metrics said to be better large.

    Returns:
        By column ``"min"``, ``"max"`` or ``""``.

    Raises:
        UsageError: There is no such metric, or it was said to be both.
    """
    said: dict[str, Better] = {}
    both: tuple[tuple[str | Sequence[str], Better], ...] = ((smaller, "min"), (larger, "max"))
    for words, side in both:
        for word in as_names(words):
            name = find_metric(word, table.metric_names).name
            if said.setdefault(name, side) != side:
                raise UsageError(
                    f"the metric {shown(name)} is said to be better small and better large:"
                    " give one of --min and --max"
                )
    return {column: said.get(column.name, better(column.name)) for column in columns}


def best_places(values: Sequence[Any], side: Better) -> frozenset[int]:
    """Find the best of some values.

    Args:
        values: Numbers; `MISSING`, None and what is not finite are never best.
        side: Which are better.

    Returns:
        The places of the best; none where there is nothing to choose.
    """
    finite = {
        place: value
        for place, value in enumerate(values)
        if isinstance(value, float) and math.isfinite(value)
    }
    if not side or len(values) < 2 or not finite:
        return frozenset()
    best = (min if side == "min" else max)(finite.values())
    found = frozenset(place for place, value in finite.items() if value == best)
    return found if len(found) < len(values) else frozenset()
