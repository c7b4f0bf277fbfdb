"""Runs in columns of texts, for a terminal and for a notebook; whoever shows them escapes them."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from thexp_pl.runs.flat import flat
from thexp_pl.runs.query.sorting import read_name
from thexp_pl.runs.row import RunRow
from thexp_pl.runs.words import duration_text, short, start_text

__all__ = ["DEFAULT_COLUMNS", "Cells", "column_names", "reader_of"]

DEFAULT_COLUMNS = ("key", "experiment", "status", "start", "duration", "params", "metrics")
_COMMA = re.compile(r"(?:[^,\[]|\[[^\]]*\]?)+")
_GAP = "  "


@dataclass(frozen=True)
class Cells:
    """What is shown of some runs.

    Args:
        rows: The runs.
    """

    rows: Sequence[RunRow]

    @cached_property
    def params(self) -> list[dict[str, Any]]:
        """Each run's parameters by dotted name."""
        return [flat(row.params) for row in self.rows]

    def column(self, title: str) -> list[str]:
        """Give one column.

        Args:
            title: One of `DEFAULT_COLUMNS`, or a name of the query language.

        Returns:
            A text a run.

        Raises:
            QueryError: There is no such column.
        """
        if title == "params":
            return self._differing_params()
        if title == "metrics":
            return [
                _GAP.join(f"{name}={short(cell.get('last'))}" for name, cell in row.metrics.items())
                for row in self.rows
            ]
        if title in ("start", "started"):
            return [start_text(row.started) for row in self.rows]
        if title == "duration":
            return [duration_text(row.seconds, row.status, row.started) for row in self.rows]
        read = reader_of(title)
        pairs = zip(self.rows, self.params, strict=True)
        return ["" if (value := read(*pair)) is None else short(value) for pair in pairs]

    def _differing_params(self) -> list[str]:
        missing = object()
        names = dict.fromkeys(name for own in self.params for name in own)
        first = self.params[0] if self.params else {}
        differing = [
            name
            for name in names
            if any(not _same(own.get(name, missing), first.get(name, missing))
                   for own in self.params)
        ]  # fmt: skip
        return [
            _GAP.join(f"{name}={short(own[name])}" for name in differing if name in own)
            for own in self.params
        ]


def column_names(text: str) -> list[str]:
    """Take the names of columns apart.

    Args:
        text: The names, with commas between.

    Returns:
        The names.

    >>> column_names('key, params["a,b"],metrics.acc.max')
    ['key', 'params["a,b"]', 'metrics.acc.max']
    """
    return [name.strip() for name in _COMMA.findall(text) if name.strip()]


def reader_of(title: str) -> Callable[[RunRow, Mapping[str, Any]], Any]:
    """Give what reads the value of a name off a run.

    Args:
        title: A name of the query language.

    Returns:
        Takes the run and its parameters by dotted name; gives None where the run has no value.

    Raises:
        QueryError: There is no such name.
    """
    name = read_name(title)
    if name.table == "params":
        return lambda row, params: params.get(name.name)
    if name.table == "metrics":
        return lambda row, params: row.metrics.get(name.name, {}).get(name.column)
    if name.reads == "age":
        return lambda row, params: time.time() - row.started
    return lambda row, params: getattr(row, name.column)


def _same(one: Any, other: Any) -> bool:
    """Say whether two values are equal and of a kind; NaN is as it is."""
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one):
        return math.isnan(other)
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)
