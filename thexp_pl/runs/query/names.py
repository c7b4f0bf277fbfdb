"""The names of a query: what a run has, where the index keeps it, and what kind it is of."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from thexp_pl.errors import QueryError, near_miss

__all__ = ["AGGREGATES", "COLUMNS", "STATUSES", "Kind", "Name", "name_of", "plain_name"]

Kind = Literal["number", "bool", "text", "json", "list"]
AGGREGATES = ("last", "min", "max", "mean", "count", "nonfinite")
STATUSES = ("running", "finished", "failed", "interrupted", "killed", "lost", "damaged")


@dataclass(frozen=True)
class Name:
    """What a name stands for.

    Args:
        text: The name, as it may be written in a query.
        table: The index's table: ``runs``, ``params`` or ``metrics``.
        column: The column; of a parameter it depends on the kind.
        kinds: What it can be. ``list`` is a JSON array of texts.
        name: The parameter's or the metric's.
        reads: How a text beside it is read: ``moment``, ``age`` or ``span``; empty for as it is.
    """

    text: str
    table: Literal["runs", "params", "metrics"]
    column: str
    kinds: tuple[Kind, ...]
    name: str = ""
    reads: Literal["", "moment", "age", "span"] = ""

    def of(self, alias: str, kind: Kind) -> str:
        """Give the column that holds it, where it is of a kind.

        Args:
            alias: What its table is called.
            kind: The kind.

        Returns:
            The column, as SQL.
        """
        if self.table == "params":
            return f"{alias}.{'number' if kind in ('number', 'bool') else 'text'}"
        if self.column == "root":
            return f"(SELECT path FROM roots WHERE roots.id = {alias}.root)"
        return f'{alias}."{self.column}"'

    def in_order(self, alias: str, kind: Kind) -> str:
        """Give the column as it is compared by ``<`` and sorted.

        Args:
            alias: What its table is called.
            kind: The kind.

        Returns:
            The column, as SQL.
        """
        column = self.of(alias, kind)
        # a name that is not UTF-8 is kept as bytes, which SQLite puts after all texts
        is_any_bytes = self.table == "runs" and kind == "text"
        return f"CAST({column} AS TEXT)" if is_any_bytes else column


_TEXTS = ("experiment", "key", "status", "command", "code", "commit", "python", "host", "parent",
          "sweep", "root", "damage")  # fmt: skip
COLUMNS = {name: Name(name, "runs", name, ("text",)) for name in _TEXTS} | {
    "tags": Name("tags", "runs", "tags", ("list",)),
    "notes": Name("notes", "runs", "notes", ("list",)),
    "started": Name("started", "runs", "started", ("number",), reads="moment"),
    "age": Name("age", "runs", "started", ("number",), reads="age"),
    "point": Name("point", "runs", "point", ("number",)),
    "seconds": Name("seconds", "runs", "seconds", ("number",), reads="span"),
}
_PLAIN = re.compile(r"(?:params|metrics)\.[^\[\]\"'\s<>=!()]+")


def name_of(base: str, parts: Sequence[str], aggregate: str | None) -> Name:
    """Find what a name stands for.

    Args:
        base: Its first word.
        parts: The words after it.
        aggregate: The last word, written with a dot, where that may name a metric's aggregate.

    Returns:
        What it stands for.

    Raises:
        QueryError: There is no such name.
    """
    if base in COLUMNS:
        if parts:
            raise QueryError(f"{base} has no parts, so there is no {base}.{'.'.join(parts)[:80]}")
        return COLUMNS[base]
    if base not in ("params", "metrics"):
        raise QueryError(
            f"there is no name {base[:80]!r}{near_miss(base, (*COLUMNS, 'params', 'metrics'))};"
            " a parameter is written params.lr, a metric metrics.acc, a text in quotes,"
            f" as in experiment == {base[:80]!r}"
        )
    if not parts:
        raise QueryError(f"{base} alone means none of them: write {base}.NAME")
    if base == "params":
        name = ".".join(parts)
        kinds: tuple[Kind, ...] = ("number", "bool", "text", "json")
        return Name(f"params.{name}", "params", "", kinds, name)
    column = "last"
    if aggregate in AGGREGATES and len(parts) > 1:
        column, parts = aggregate, parts[:-1]
    name = ".".join(parts)
    return Name(f"metrics.{name}.{column}", "metrics", column, ("number",), name)


def plain_name(text: str) -> Name | None:
    """Read a name of a parameter or metric as it is, without quotes, brackets and blanks.

    Args:
        text: Such as ``metrics.val/acc.max``, which an expression would take for a division.

    Returns:
        What it stands for; None where it is not of that form.

    Raises:
        QueryError: There is no such name.
    """
    if _PLAIN.fullmatch(text) is None:
        return None
    base, *parts = text.split(".")
    return name_of(base, parts, parts[-1])
