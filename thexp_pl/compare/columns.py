"""What a run can be compared by: a fact of it, a parameter, a metric; and the words for these."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from thexp_pl.compare.metric import Metric, find_metric
from thexp_pl.compare.values import MISSING, or_missing, rank
from thexp_pl.errors import UsageError, near_miss
from thexp_pl.record.names import shown
from thexp_pl.runs.flat import flat
from thexp_pl.runs.row import RunRow

__all__ = ["FACTS", "Column", "Table", "find_column", "find_param", "in_order"]

# what a run is compared by besides its parameters and metrics, in the order of the columns
FACTS = ("experiment", "status", "code", "packages", "python", "host", "commit")
_SORTED_BY = (*FACTS, "key", "started", "seconds")


@dataclass(frozen=True, slots=True)
class Column:
    """One thing that runs are compared by.

    Args:
        kind: What it is.
        name: Of a fact the field of `RunRow`, of a parameter its dotted name, of a metric its own.
        aggregate: Of a metric which of its values, see `thexp_pl.compare.metric.AGGREGATES`.
    """

    kind: Literal["fact", "param", "metric"]
    name: str
    aggregate: str = ""

    @property
    def title(self) -> str:
        """Its short name, which a column of another kind may have too."""
        return self.metric.title if self.kind == "metric" else self.name

    @property
    def full(self) -> str:
        """The name that no other column has: ``code``, ``params.lr``, ``metrics.acc.last``."""
        if self.kind == "metric":
            return f"metrics.{self.name}.{self.aggregate}"
        return f"params.{self.name}" if self.kind == "param" else self.name

    @property
    def metric(self) -> Metric:
        """The metric that it shows."""
        return Metric(self.name, self.aggregate)


@dataclass(frozen=True)
class Table:
    """Runs, and what they can be asked for.

    Args:
        runs: The runs.
    """

    runs: Sequence[RunRow]
    params: list[dict[str, Any]] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "params", [flat(run.params) for run in self.runs])

    @cached_property
    def param_names(self) -> list[str]:
        """The dotted names of all parameters, in the order in which they first appear."""
        return list(dict.fromkeys(name for own in self.params for name in own))

    @cached_property
    def metric_names(self) -> list[str]:
        """The names of all metrics, in the order in which they first appear."""
        return list(dict.fromkeys(name for run in self.runs for name in run.metrics))

    def values(self, column: Column) -> list[Any]:
        """Give a column's value in each run.

        Args:
            column: The column.

        Returns:
            The values in the order of the runs; `MISSING` where a run has none.
        """
        if column.kind == "param":
            return [own.get(column.name, MISSING) for own in self.params]
        if column.kind == "metric":
            metric = column.metric
            found = (metric.value(run.metrics) for run in self.runs)
            return [or_missing(value) for value in found]
        given = (getattr(run, column.name) for run in self.runs)
        return [MISSING if value in ("", None) else value for value in given]


def find_param(word: str, table: Table) -> Column:
    """Find the parameter that a word means.

    Args:
        word: Its dotted name; ``params.`` may stand before it.
        table: The runs.

    Returns:
        Its column.

    Raises:
        UsageError: No run has it.
    """
    for name in (word, word.removeprefix("params.")):
        if name in table.param_names:
            return Column("param", name)
    raise UsageError(
        f"these runs have no parameter {shown(word)}{near_miss(word, table.param_names)}"
    )


def find_column(word: str, table: Table) -> Column:
    """Find what a word means, of whatever kind.

    Args:
        word: ``params.NAME``, ``metrics.NAME`` with an aggregate or without, a fact such as
            ``host``; or the name of a parameter or a metric alone, where just one has it.
        table: The runs.

    Returns:
        The column.

    Raises:
        UsageError: There is nothing of that name, or two things.
    """
    if word.startswith("params."):
        return find_param(word, table)
    if word.startswith("metrics."):
        return _column_of(find_metric(word, table.metric_names))
    if word in _SORTED_BY:
        return Column("fact", word)
    found = [Column("param", word)] if word in table.param_names else []
    try:
        found.append(_column_of(find_metric(word, table.metric_names)))
    except UsageError:
        if not found:
            known = [*table.param_names, *table.metric_names, *_SORTED_BY]
            raise UsageError(
                f"these runs have no {shown(word)}{near_miss(word, known)}: give the name of a"
                f" parameter, of a metric, or one of {', '.join(_SORTED_BY)}"
            ) from None
    if len(found) > 1:
        raise UsageError(
            f"{shown(word)} is a parameter and a metric: give {shown(f'params.{word}')} or"
            f" {shown(f'metrics.{word}')}"
        )
    return found[0]


def in_order(values: Iterable[Any], *, reverse: bool = False) -> list[int]:
    """Sort values of any kind.

    Args:
        values: The values; those that are missing or NaN come last either way.
        reverse: The greatest first.

    Returns:
        Their places in the sorted order; equal ones stay as they stood.
    """
    ranks = list(enumerate(map(rank, values)))
    present = [pair for pair in ranks if pair[1] not in _LAST]
    rest = [place for place, key in ranks if key in _LAST]
    present.sort(key=lambda pair: pair[1], reverse=reverse)
    return [place for place, _ in present] + rest


_LAST = (rank(MISSING), rank(float("nan")))


def _column_of(metric: Metric) -> Column:
    return Column("metric", metric.name, metric.aggregate)
