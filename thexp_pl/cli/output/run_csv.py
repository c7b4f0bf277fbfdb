"""Many runs as CSV for machines: one line a run, a column a parameter and a number of a metric.

True and False are ``true`` and ``false``, lists are JSON, what a run does not have is empty, and
NaN and infinity are the words that ``--json`` has. Control characters are escaped, so that a run is
one line and none of them reaches a terminal; ``--json`` gives texts exactly.
"""

from __future__ import annotations

import csv
import json
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from thexp_pl.jsonable import to_jsonable
from thexp_pl.record.names import escaped
from thexp_pl.runs.columns import reader_of
from thexp_pl.runs.flat import flat
from thexp_pl.runs.query.names import AGGREGATES
from thexp_pl.runs.row import RunRow
from thexp_pl.runs.words import iso_text

__all__ = ["write_csv"]

_FACTS = ("key", "experiment", "status", "started", "seconds", "root")
_MORE = ("tags", "notes", "command", "code", "commit", "python", "host", "parent",
         "sweep", "point", "damage")  # fmt: skip


def write_csv(rows: Sequence[RunRow], titles: Sequence[str] = ()) -> None:
    """Write runs to stdout.

    Args:
        rows: The runs.
        titles: Names of the query language; by default all that the runs have.

    Raises:
        QueryError: There is no such name.
    """
    params = [flat(row.params) for row in rows]
    writer = csv.writer(sys.stdout, lineterminator="\n")
    if titles:
        readers = [_reader(title) for title in titles]
        writer.writerow(map(_text, titles))
        for row, own in zip(rows, params, strict=True):
            writer.writerow([_text(read(row, own)) for read in readers])
        return
    metrics = [
        (name, aggregate)
        for name in dict.fromkeys(name for row in rows for name in row.metrics)
        for aggregate in AGGREGATES
    ]
    names = list(dict.fromkeys(name for own in params for name in own))
    writer.writerow(_text(title) for title in _all_titles(names, metrics))
    for row, own in zip(rows, params, strict=True):
        writer.writerow(_text(value) for value in _all(row, own, names, metrics))


def _reader(title: str) -> Callable[[RunRow, Mapping[str, Any]], Any]:
    if title == "started":
        return lambda row, params: iso_text(row.started)
    return reader_of(title)


def _all_titles(params: Sequence[str], metrics: Sequence[tuple[str, str]]) -> Iterator[str]:
    yield from _FACTS
    yield from (f"params.{name}" for name in params)
    yield from (f"metrics.{name}.{aggregate}" for name, aggregate in metrics)
    yield from _MORE


def _all(
    row: RunRow,
    own: Mapping[str, Any],
    params: Sequence[str],
    metrics: Sequence[tuple[str, str]],
) -> Iterator[Any]:
    yield from (row.key, row.experiment, row.status, iso_text(row.started), row.seconds, row.root)
    yield from (own.get(name) for name in params)
    for name, aggregate in metrics:
        cell = row.metrics.get(name)
        yield None if cell is None else cell.get(aggregate)
    yield from (getattr(row, name) for name in _MORE)


def _text(value: Any) -> str:
    if type(value) is float and math.isfinite(value):  # most are, and JSON takes ten times longer
        return repr(value)
    if value is None or value == ():  # no tags, no notes
        return ""
    value = to_jsonable(value)
    if not isinstance(value, str):
        return json.dumps(value, separators=(",", ":"))
    return value if value.isprintable() else escaped(value)
