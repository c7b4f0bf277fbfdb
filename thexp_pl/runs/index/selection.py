"""Questions to the index, in SQL over its table ``runs``."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from thexp_pl.record.paths import RunPaths
from thexp_pl.runs.index.texts import kept_name, read_name

__all__ = ["Selection", "SweptRun", "count", "experiments", "keys", "names", "numbers", "places",
           "sweeps", "swept"]  # fmt: skip

# A run that was brought here, or to a second machine, counts once: the one with files here.
_ONCE = """+runs.root NOT IN ({away}) OR NOT EXISTS (
    SELECT 1 FROM runs AS same WHERE same.key = runs.key AND same.experiment = runs.experiment
    AND same.started = runs.started AND (same.root IN ({here})
    OR (same.root < runs.root AND same.root IN ({away}))))"""
_ALL = (1 << 63) - 1  # SQLite knows no greater number


class SweptRun(NamedTuple):
    """A run of a sweep, as far as its sweep has to know it.

    Args:
        paths: Its files.
        status: As of `RunRow`.
        started: As of `RunRow`.
        sweep: The sweep's key.
        point: The point's number; None where the record does not tell it.
        digest: The point's digest.
    """

    paths: RunPaths
    status: str
    started: float
    sweep: str
    point: int | None
    digest: str


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
        known = connection.execute("SELECT id, path, host FROM roots").fetchall()
        paths = set(map(kept_name, self.roots))
        here = [number for number, path, host in known if not host and path in paths]
        away = [number for number, _, host in known if host]
        # The plus keeps SQLite from looking runs up by their root, and then sorting all of them.
        among = "1" if len(here + away) == len(known) else f"+runs.root IN ({_listed(here + away)})"
        if not away:
            return among
        return f"{among} AND ({_ONCE.format(here=_listed(here), away=_listed(away))})"


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))


def numbers(connection: sqlite3.Connection, selection: Selection) -> list[int]:
    """Give the numbers of runs in the index."""
    return [number for (number,) in selection.ask(connection, "id")]


def count(connection: sqlite3.Connection, selection: Selection) -> int:
    """Count runs; the selection is ordered by 1, the only column."""
    ((number,),) = selection.ask(connection, "count(*)")
    return int(number)


def keys(connection: sqlite3.Connection, selection: Selection) -> list[str]:
    """Give the keys of runs."""
    return [read_name(key) for (key,) in selection.ask(connection, "key")]


def places(connection: sqlite3.Connection, selection: Selection) -> list[RunPaths]:
    """Give the files of runs, as far as they are on this machine."""
    found = connection.execute("SELECT id, path FROM roots WHERE host = ''")
    roots = {number: Path(read_name(path)) for number, path in found}
    return [
        RunPaths(roots[root], read_name(experiment), read_name(key))
        for root, experiment, key in selection.ask(connection, "root, experiment, key")
        if root in roots
    ]


def sweeps(connection: sqlite3.Connection, selection: Selection) -> list[str]:
    """Give the keys of the sweeps of runs."""
    return [read_name(key) for (key,) in selection.ask(connection, "DISTINCT sweep")]


def swept(connection: sqlite3.Connection, selection: Selection) -> list[SweptRun]:
    """Give runs of sweeps."""
    found = connection.execute("SELECT id, path FROM roots")
    roots = {number: Path(read_name(path)) for number, path in found}
    columns = "root, experiment, key, status, started, sweep, point, digest"
    return [
        SweptRun(RunPaths(roots[root], read_name(experiment), read_name(key)), *facts)
        for root, experiment, key, *facts in selection.ask(connection, columns)
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
