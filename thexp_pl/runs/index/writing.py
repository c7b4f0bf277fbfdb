"""Bringing changes into the index."""

from __future__ import annotations

import itertools
import os
import sqlite3
from collections.abc import Callable, Iterable
from typing import Any

from thexp_pl.runs.index.entries import Entry, entry_of
from thexp_pl.runs.index.looking import Changes, Folder, Seen, stamp_of
from thexp_pl.runs.index.texts import kept_name
from thexp_pl.runs.run import Run, read_run

__all__ = ["Progress", "Writer", "write"]

Progress = Callable[[int, int], object]
_BATCH = 500  # runs, so that little of what was read is in memory at a time
_OF_A_RUN = (
    "DELETE FROM params WHERE run = ? AND name IN (SELECT id FROM names WHERE kind = 'param')",
    "DELETE FROM metrics WHERE run = ? AND name IN (SELECT id FROM names WHERE kind = 'metric')",
)
_ALL_OF_A_RUN = (
    *_OF_A_RUN,
    "DELETE FROM runs WHERE id = ?",
    "DELETE FROM bodies WHERE run = ?",
    "DELETE FROM looks WHERE run = ?",
)


def write(
    connection: sqlite3.Connection, changes: Changes, progress: Progress | None = None
) -> None:
    """Write changes, in a transaction that the caller has begun.

    Args:
        connection: To the index.
        changes: What has changed; the runs are read here.
        progress: Told how many of the runs are read, and how many there are.

    Raises:
        sqlite3.Error: They cannot be written.
    """
    gone = list(changes.gone)
    for place in changes.gone_folders:
        found = connection.execute("SELECT run FROM looks WHERE folder = ?", (place,))
        gone += [number for (number,) in found]
    connection.executemany(
        "DELETE FROM experiments WHERE id = ?", [(number,) for number in changes.gone_folders]
    )
    writer = Writer(connection)
    writer.remove(gone)
    for folder in changes.folders:
        writer.put_folder(folder)
    seen = list(changes.read.values())
    for start in range(0, len(seen), _BATCH):
        batch = seen[start : start + _BATCH]
        writer.put(batch)
        if progress is not None:
            progress(start + len(batch), len(seen))


class Writer:
    """Writes runs, in a transaction that the caller has begun.

    Args:
        connection: To the index.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._names = {
            (kind, name): number
            for number, kind, name in connection.execute("SELECT id, kind, name FROM names")
        }
        last = connection.execute("SELECT max(id) FROM runs").fetchone()[0] or 0
        self._numbers = itertools.count(last + 1)
        self._folders: dict[str, tuple[int, int]] = {}  # by path: the numbers of root and folder

    def remove(self, numbers: Iterable[int]) -> None:
        """Remove runs.

        Args:
            numbers: Their numbers.
        """
        rows = [(number,) for number in numbers]
        for statement in _ALL_OF_A_RUN:
            self._connection.executemany(statement, rows)

    def put_folder(self, folder: Folder) -> None:
        """Keep what an experiment's folder was like.

        Args:
            folder: The folder.
        """
        root = self._root(folder.root)
        values = (folder.mtime, folder.since, folder.settled)
        number = folder.id
        if number:
            self._connection.execute(
                "UPDATE experiments SET mtime = ?, since = ?, settled = ? WHERE id = ?",
                (*values, number),
            )
        else:
            cursor = self._connection.execute(
                "INSERT INTO experiments (root, name, mtime, since, settled)"
                " VALUES (?, ?, ?, ?, ?)",
                (root, kept_name(folder.name), *values),
            )
            number = cursor.lastrowid or 0
        self._folders[folder.path] = (root, number)

    def put(self, batch: list[Seen]) -> None:
        """Read runs and write them.

        Args:
            batch: The runs.
        """
        entries: list[tuple[int, Seen, str, Entry]] = []
        old, gone = [], []
        for seen in batch:
            if not os.path.lexists(seen.paths.manifest):
                gone.append(seen.id)
                continue
            entries.append((seen.id or next(self._numbers), seen, *_read(seen)))
            if seen.id:
                old.append((seen.id,))
        self.remove(number for number in gone if number)
        for statement in _OF_A_RUN:
            self._connection.executemany(statement, old)
        self._insert_read(entries)

    def put_away(self, root: int, batch: list[tuple[str, str, Entry]]) -> None:
        """Write runs whose files are on another machine.

        Args:
            root: The number of their root.
            batch: Of each the experiment, the key, and what is kept of it.
        """
        rows, old = [], []
        for experiment, key, entry in batch:
            place = (root, kept_name(experiment), kept_name(key))
            found = self._connection.execute(
                "SELECT id FROM runs WHERE root = ? AND experiment = ? AND key = ?", place
            ).fetchone()
            old += [found] if found else []
            rows.append(((found[0] if found else next(self._numbers), *place), entry))
        for statement in _OF_A_RUN:
            self._connection.executemany(statement, old)
        self._insert(rows)

    def _insert_read(self, entries: list[tuple[int, Seen, str, Entry]]) -> None:
        rows, looks = [], []
        for number, seen, stamp, entry in entries:
            root, folder = self._place(seen.folder)
            key = kept_name(seen.key)
            rows.append(((number, root, kept_name(seen.folder.name), key), entry))
            looks.append((number, folder, key, entry.is_open, stamp))
        self._insert(rows)
        self._put_rows("looks", looks)

    def _insert(self, rows: list[tuple[tuple[Any, ...], Entry]]) -> None:
        params, metrics = [], []
        for (number, *_), entry in rows:
            for name, values in entry.param_rows.items():
                params.append((self._name("param", name), number, *values))
            for name, values in entry.metric_rows.items():
                metrics.append((self._name("metric", name), number, *values))
        self._put_rows("runs", [(*place, *entry.facts) for place, entry in rows])
        self._put_rows("bodies", [(place[0], one.params, one.metrics) for place, one in rows])
        self._put_rows("params", sorted(params, key=_place_in_table))
        self._put_rows("metrics", sorted(metrics, key=_place_in_table))

    def _put_rows(self, table: str, rows: list[tuple[Any, ...]]) -> None:
        if rows:
            marks = ", ".join("?" * len(rows[0]))
            self._connection.executemany(f"INSERT OR REPLACE INTO {table} VALUES ({marks})", rows)

    def _name(self, kind: str, name: str) -> int:
        number = self._names.get((kind, name))
        if number is None:
            cursor = self._connection.execute(
                "INSERT INTO names (kind, name) VALUES (?, ?)", (kind, name)
            )
            number = self._names[kind, name] = cursor.lastrowid or 0
        return number

    def _place(self, folder: Folder) -> tuple[int, int]:
        if folder.path not in self._folders:
            self._folders[folder.path] = (self._root(folder.root), folder.id)
        return self._folders[folder.path]

    def _root(self, path: str) -> int:
        kept = kept_name(path)
        self._connection.execute("INSERT OR IGNORE INTO roots (path) VALUES (?)", (kept,))
        found = self._connection.execute(
            "SELECT id FROM roots WHERE path = ? AND host = ''", (kept,)
        )
        return int(found.fetchone()[0])


def _place_in_table(row: tuple[int, ...]) -> tuple[int, ...]:
    return row[:2]


def _read(seen: Seen) -> tuple[str, Entry]:
    stamp = stamp_of(f"{seen.folder.path}/{seen.key}", is_open=True)  # before: a change is seen
    run = read_run(seen.paths)
    try:
        entry = entry_of(run)
    except Exception as error:  # noqa: BLE001 - whatever a manifest holds: it hides no other run
        fault = f"run.json cannot be used: {type(error).__name__}: {error}"
        entry = entry_of(Run(seen.paths, {}, fault))
    return (stamp if entry.is_open else stamp.rpartition(" ")[0]), entry
