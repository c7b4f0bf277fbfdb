"""Telling a team of the runs of a root."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import re
import sqlite3
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from thexp_pl.runs.index.team.tables import TeamRun
from thexp_pl.runs.index.texts import read_name

if TYPE_CHECKING:
    import psycopg

__all__ = ["Telling", "tell"]

_FACTS = (
    'status, started, seconds, tags, notes, command, code, "commit", packages, python, host,'
    " parent, sweep, point, digest, damage"
)
_SELECT = (
    f"SELECT experiment, key, {_FACTS}, params, metrics FROM runs JOIN bodies ON run = id"
    " WHERE root = ?"
)
_BATCH = 500
_NAME_LETTERS = 32
_WIDE = re.compile(r"[^\x00-\x7f]+")  # in JSON it stands within quotes alone
_Row = tuple[Any, ...]
_PUT = """
INSERT INTO runs
    (root, version, gone, name, digest, experiment, key, status, facts, params, metrics)
VALUES (%s, %s, false, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (root, name) DO UPDATE SET version = excluded.version, gone = false,
    digest = excluded.digest, status = excluded.status, facts = excluded.facts,
    params = excluded.params, metrics = excluded.metrics"""
_REMOVE = """
UPDATE runs SET version = %s, gone = true, digest = '', status = '', facts = '', params = '',
    metrics = ''
WHERE root = %s AND name = ANY(%s) AND NOT gone"""


class Telling:
    """The runs of one root, while they are told.

    Args:
        connection: To the server, in a transaction.
        number: The root's number.
        version: The greatest version of its runs so far.
    """

    def __init__(self, connection: psycopg.Connection, number: int, version: int) -> None:
        self._connection = connection
        self._number = number
        self._is_new = False
        self.version = version

    def digests(self, names: Sequence[str] | None) -> dict[str, str]:
        """Give the digests of the runs that are there, by name.

        Args:
            names: Of which runs; None for all.
        """
        sql = "SELECT name, digest FROM runs WHERE root = %s AND NOT gone"
        if names is None:
            return dict(self._connection.execute(sql, (self._number,)).fetchall())
        rows = self._connection.execute(f"{sql} AND name = ANY(%s)", (self._number, [*names]))
        return dict(rows.fetchall())

    def put(self, runs: Sequence[TeamRun]) -> None:
        """Put runs there.

        Args:
            runs: The runs.
        """
        if runs:
            version = self._new_version()
            rows = [(self._number, version, *run) for run in runs]
            with self._connection.cursor() as cursor:
                cursor.executemany(_PUT, rows)

    def remove(self, names: Sequence[str]) -> None:
        """Note that runs are gone.

        Args:
            names: The runs.
        """
        if names:
            values = (self._new_version(), self._number, [*names])
            self._connection.execute(_REMOVE, values)

    def _new_version(self) -> int:
        if not self._is_new:
            self._is_new, self.version = True, self._next_version()
        return self.version

    def _next_version(self) -> int:
        row = self._connection.execute(
            "UPDATE roots SET version = greatest(version + 1,"
            " (extract(epoch FROM clock_timestamp()) * 1000)::bigint)"
            " WHERE number = %s RETURNING version",
            (self._number,),
        ).fetchone()
        assert row is not None
        return int(row[0])


def tell(connection: sqlite3.Connection, root: int, telling: Telling, *, whole: bool) -> None:
    """Tell of the runs of a root what a team does not know yet.

    Args:
        connection: To the index of this machine.
        root: The root's number in it.
        telling: To the server.
        whole: Of all runs, and not of those alone that are noted as untold.
    """
    if whole:
        names = None
        rows: Iterator[_Row] = connection.execute(_SELECT, (root,))
    else:
        untold = connection.execute(
            "SELECT experiment, key FROM untold WHERE root = ?", (root,)
        ).fetchall()
        names = [_name(*place) for place in untold]
        rows = _rows(connection, root, untold)
    known = telling.digests(names)
    while batch := list(itertools.islice(rows, _BATCH)):
        runs = [_told(*row) for row in batch]
        telling.put([run for run in runs if known.pop(run.name, "") != run.digest])
    telling.remove([*known])


def _rows(connection: sqlite3.Connection, root: int, places: list[_Row]) -> Iterator[_Row]:
    for place in places:
        yield from connection.execute(f"{_SELECT} AND experiment = ? AND key = ?", (root, *place))


def _told(experiment: str | bytes, key: str | bytes, *values: object) -> TeamRun:
    *facts, params, metrics = values
    texts = (
        str(facts[0]),
        json.dumps(facts),
        *(_WIDE.sub(lambda found: _plain(found[0]), str(text)) for text in (params, metrics)),
    )
    digest = hashlib.sha256("\n".join(texts).encode()).hexdigest()
    return TeamRun(_name(experiment, key), digest, _plain(experiment), _plain(key), *texts)


def _name(experiment: str | bytes, key: str | bytes) -> str:
    place = os.fsencode(read_name(experiment)) + b"/" + os.fsencode(read_name(key))
    return hashlib.sha256(place).hexdigest()[:_NAME_LETTERS]


def _plain(name: str | bytes) -> str:
    return json.dumps(read_name(name))[1:-1]
