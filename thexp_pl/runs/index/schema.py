"""What is in the index: its tables, and the numbers by which its file is known."""

from __future__ import annotations

import sqlite3

__all__ = ["ENDED_SQL", "VERSION", "is_ours", "make_tables"]

_APPLICATION = 0x74687870  # "thxp", in the file's header
VERSION = 2  # an index of another version is made anew, and a team's lies beside it
ENDED_SQL = "('finished', 'failed', 'interrupted')"  # spelt as in the index over those that did not

# `runs` is narrow, so that a condition on any column reads little; what is large is in `bodies`.
# A root with a host is on another machine, and only a team's index has some; without one,
# `identity` is empty. `version` says up to where it was told or learned, see `team`.
# `experiments` and `looks` hold what the files were like when they were read, see `looking`.
_TABLES = f"""
CREATE TABLE roots (
    id INTEGER PRIMARY KEY, path TEXT NOT NULL, identity TEXT NOT NULL DEFAULT '',
    host TEXT NOT NULL DEFAULT '', version INTEGER NOT NULL DEFAULT 0,
    lost INTEGER NOT NULL DEFAULT 0, UNIQUE (path, identity)
);
CREATE TABLE runs (
    id INTEGER PRIMARY KEY, root INTEGER NOT NULL, experiment TEXT NOT NULL, key TEXT NOT NULL,
    status TEXT NOT NULL, started REAL NOT NULL, seconds REAL, tags TEXT NOT NULL,
    notes TEXT NOT NULL, command TEXT NOT NULL, code TEXT NOT NULL, "commit" TEXT NOT NULL,
    packages TEXT NOT NULL, python TEXT NOT NULL, host TEXT NOT NULL, parent TEXT NOT NULL,
    sweep TEXT NOT NULL, point INTEGER, digest TEXT NOT NULL, damage TEXT NOT NULL,
    UNIQUE (root, experiment, key)
);
CREATE INDEX runs_by_start ON runs (started, key);
CREATE INDEX runs_by_key ON runs (key);
CREATE INDEX runs_by_experiment ON runs (experiment, started);
CREATE INDEX runs_by_sweep ON runs (sweep, started) WHERE sweep != '';
CREATE INDEX runs_without_end ON runs (started) WHERE status NOT IN {ENDED_SQL};
CREATE TABLE bodies (run INTEGER PRIMARY KEY, params TEXT NOT NULL, metrics TEXT NOT NULL);
CREATE TABLE names (
    id INTEGER PRIMARY KEY, kind TEXT NOT NULL, name TEXT NOT NULL, UNIQUE (kind, name)
);
CREATE TABLE params (
    name INTEGER, run INTEGER, kind TEXT, number REAL, text TEXT, PRIMARY KEY (name, run)
) WITHOUT ROWID;
CREATE TABLE metrics (
    name INTEGER, run INTEGER, last REAL, min REAL, max REAL, mean REAL, count INTEGER,
    nonfinite INTEGER, PRIMARY KEY (name, run)
) WITHOUT ROWID;
CREATE TABLE experiments (
    id INTEGER PRIMARY KEY, root INTEGER NOT NULL, name TEXT NOT NULL, mtime INTEGER NOT NULL,
    since REAL NOT NULL, settled INTEGER NOT NULL, UNIQUE (root, name)
);
CREATE TABLE looks (
    run INTEGER PRIMARY KEY, folder INTEGER NOT NULL, key TEXT NOT NULL, open INTEGER NOT NULL,
    stamp TEXT NOT NULL, UNIQUE (folder, key)
);
"""


def make_tables(connection: sqlite3.Connection) -> None:
    """Make the tables of an index.

    Args:
        connection: To an empty database.

    Raises:
        sqlite3.Error: They cannot be made.
    """
    connection.execute("BEGIN")
    for statement in _TABLES.split(";\n"):
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {_APPLICATION}")
    connection.execute(f"PRAGMA user_version = {VERSION}")
    connection.execute("COMMIT")


def is_ours(connection: sqlite3.Connection) -> bool:
    """Say whether a database is an index of this version.

    Args:
        connection: To the database.

    Returns:
        Whether it is.

    Raises:
        sqlite3.Error: It is no database, or cannot be read.
    """
    numbers = (
        connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("application_id", "user_version")
    )
    return tuple(numbers) == (_APPLICATION, VERSION)
