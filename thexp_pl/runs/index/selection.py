"""Questions to the index, in SQL over its table ``runs``."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from thexp_pl.record.paths import RunPaths
from thexp_pl.runs.index.texts import kept_name, read_name

__all__ = ["Selection", "experiments", "keys", "names", "numbers", "places"]

_ALL = (1 << 63) - 1  # SQLite knows no greater number


@dataclass(frozen=True)
class Selection:
    """Which runs, in which order.

    Args:
        roots: The real paths of the experiment roots.
        where: SQL that is true for a row of ``runs`` that is wanted; all by default.
        values: What is bound to the marks in `where` and then in `order`.
        order: SQL that they are ordered by.
        limit: The most that are given.
        skip: How many are passed over before.
    """

    roots: Sequence[str]
    where: str = ""
    values: Sequence[Any] = ()
    order: str = "started, key"
    limit: int | None = None
    skip: int = 0

    def ask(self, connection: sqlite3.Connection, columns: str) -> list[tuple[Any, ...]]:
        """Ask for some columns.

        Args:
            connection: To the index.
            columns: SQL that names them.

        Returns:
            The rows.

        Raises:
            sqlite3.Error: The SQL is wrong, or the index cannot be read.
        """
        condition = self._among_roots(connection)
        if self.where:
            condition = f"{condition} AND ({self.where})"
        sql = f"SELECT {columns} FROM runs WHERE {condition} ORDER BY {self.order} LIMIT ? OFFSET ?"
        limit = -1 if self.limit is None else min(self.limit, _ALL)
        values = (*self.values, limit, self.skip)
        if "thexp_matches" not in self.where:
            return connection.execute(sql, values).fetchall()
        from thexp_pl.runs.query.functions import functions_in  # a query came from there

        with functions_in(connection):
            return connection.execute(sql, values).fetchall()

    def _among_roots(self, connection: sqlite3.Connection) -> str:
        known = dict(connection.execute("SELECT path, id FROM roots").fetchall())
        wanted = [known[path] for path in map(kept_name, self.roots) if path in known]
        if len(wanted) == len(known):
            return "1"
        # The plus keeps SQLite from looking runs up by their root, and then sorting all of them.
        return f"+runs.root IN ({', '.join(map(str, wanted))})"


def numbers(connection: sqlite3.Connection, selection: Selection) -> list[int]:
    """Give the numbers of runs in the index."""
    return [number for (number,) in selection.ask(connection, "id")]


def keys(connection: sqlite3.Connection, selection: Selection) -> list[str]:
    """Give the keys of runs."""
    return [read_name(key) for (key,) in selection.ask(connection, "key")]


def places(connection: sqlite3.Connection, selection: Selection) -> list[RunPaths]:
    """Give the files of runs."""
    found = connection.execute("SELECT id, path FROM roots")
    roots = {number: Path(read_name(path)) for number, path in found}
    return [
        RunPaths(roots[root], read_name(experiment), read_name(key))
        for root, experiment, key in selection.ask(connection, "root, experiment, key")
    ]


def experiments(connection: sqlite3.Connection, selection: Selection) -> list[str]:
    """Give the names of the experiments of runs."""
    return [read_name(name) for (name,) in selection.ask(connection, "DISTINCT experiment")]


def names(connection: sqlite3.Connection) -> dict[str, set[str]]:
    """Give the names of parameters and metrics, by ``param`` and ``metric``."""
    found: dict[str, set[str]] = {"param": set(), "metric": set()}
    for kind, name in connection.execute("SELECT kind, name FROM names"):
        found[kind].add(name)
    return found
