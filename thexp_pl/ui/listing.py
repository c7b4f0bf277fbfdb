"""The list: one page of rows out of the index, filtered and sorted there."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from thexp_pl.errors import QueryError, UsageError
from thexp_pl.record.names import shown
from thexp_pl.record.roots import gone_roots
from thexp_pl.report.page import row_data
from thexp_pl.runs.index import Index
from thexp_pl.runs.index.texts import kept_text
from thexp_pl.runs.query import Condition, check_names, compile_query, compile_sort
from thexp_pl.ui.catalog import Catalog

__all__ = ["Asked", "column_names", "list_page"]

_SIGNS = re.compile(r"[<>=!(\[\"']")  # of a query; words have none
_SEARCHED = ("key", "experiment", "status", "tags", "notes")
_NEWEST = "started DESC, key DESC"
_ROOTS = 5  # that are named
_NAMES = 2_000  # of each kind; a list to choose from
_LETTERS, _MOST_WORDS = 5_000, 50  # of the filter; SQLite takes no deeper expression, either


@dataclass(frozen=True)
class Asked:
    """What a page of the list is asked for by.

    Args:
        text: A query, or words that the key, experiment, status, tags or notes hold.
        sort: A name such as ``metrics.acc.max``; by default the start.
        reverse: The greatest, or newest, first.
        limit: The most rows.
        skip: How many rows are passed over.
        until: Runs that started later, in seconds since 1970, are only counted; None for now. So
            what a user reads does not move when a run begins.
    """

    text: str = ""
    sort: str = ""
    reverse: bool = True
    limit: int = 50
    skip: int = 0
    until: float | None = None


def list_page(catalog: Catalog, asked: Asked) -> dict[str, Any]:
    """Give a page of the list.

    Args:
        catalog: The runs.
        asked: Which.

    Returns:
        ``rows``, see `thexp_pl.report.page.row_data`; ``total`` of all that are like that;
        ``until`` to ask on with; how many ``newer`` ones there are; whether there is ``any`` run,
        and where there is none the known roots that are ``gone``.

    Raises:
        QueryError: The query or the name of the order cannot be carried out as written.
        RecordError: The roots cannot be read.
    """
    index = catalog.index()
    newest = index.select(order=_NEWEST, limit=1)
    until = asked.until
    if until is None:
        until = newest[0].started if newest else 0.0
    where = _condition(index, asked.text)
    order = compile_sort(asked.sort or "started", reverse=asked.reverse)
    check_names(order.names, index.names())
    there = _limited(where, "started <= ?", until)
    newer = _limited(where, "started > ?", until)
    rows = catalog.select(
        there.sql, there.values + order.values, order.sql, limit=asked.limit, skip=asked.skip
    )
    return {
        "rows": [row_data(row) for row in rows],
        "total": index.count(there.sql, there.values),
        "newer": index.count(newer.sql, newer.values),
        "until": until,
        "any": bool(newest),
        "gone": [] if newest else [shown(str(root), _LETTERS) for root in gone_roots()[:_ROOTS]],
    }


def column_names(catalog: Catalog) -> dict[str, list[str]]:
    """Give the names of parameters and metrics that may be columns.

    Args:
        catalog: The runs.

    Returns:
        ``params`` and ``metrics``, sorted.
    """
    names = catalog.index().names()
    return {f"{kind}s": sorted(names[kind])[:_NAMES] for kind in ("param", "metric")}


def _limited(where: Condition, bound: str, until: float) -> Condition:
    if not where.sql:
        return Condition(bound, (until,))
    return Condition(f"({where.sql}) AND {bound}", (*where.values, until))


def _condition(index: Index, text: str) -> Condition:
    """Take a text for a query where it has a query's signs, else for words."""
    words = text.split()
    if len(text) > _LETTERS or (len(words) > _MOST_WORDS and _SIGNS.search(text) is None):
        raise UsageError(f"the filter has at most {_LETTERS} letters, and {_MOST_WORDS} words")
    if _SIGNS.search(text) is None:
        return _words(words)
    try:
        condition = compile_query(text)
        check_names(condition.names, index.names())
    except QueryError:
        if len(words) > _MOST_WORDS:
            raise
        # an experiment may be called `mytrainer_lr=0.01`
        condition = _words(words)
        if not index.select(condition.sql, condition.values, limit=1):
            raise
    return condition


def _words(words: list[str]) -> Condition:
    """Make the condition that a run holds each word somewhere, in whatever case."""
    every, values = [], []
    for word in words:
        some = []
        for column in _SEARCHED:
            # lists are kept as JSON: a quote in a tag stands there as it is written in JSON
            sought = json.dumps(word, ensure_ascii=False)[1:-1] if column in _SEARCHED[3:] else word
            some.append(f"CAST(runs.{column} AS TEXT) LIKE ? ESCAPE '\\'")
            values.append(f"%{_like(kept_text(sought))}%")
        every.append(f"({' OR '.join(some)})")
    return Condition(" AND ".join(every), tuple(values))


def _like(text: str) -> str:
    return re.sub(r"([\\%_])", r"\\\1", text)
