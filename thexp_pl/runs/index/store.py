"""The index's file: opened by everyone, made and written under a lock of our own.

SQLite's journal lies beside the database by name. Were a database deleted and another made in its
place while a process writes to the first, the journal of the first could be played into the second.
So the file is only made, and only written, by who holds the lock; no other opening creates it; and
a journal that lies there when the file is made is removed before.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

from thexp_pl.globvars import thexp_home
from thexp_pl.runs.index.schema import is_ours, make_tables

__all__ = ["VARIABLE", "Store"]

VARIABLE = "THEXP_INDEX"  # the address of a team's index, see `thexp_pl.runs.index.team`
_LOCK_SECONDS = 120  # as long as a large index takes to be made anew
_BUSY_SECONDS = 30
_CACHE = "PRAGMA cache_size = -65536"  # KiB: a change of many runs is not written in pieces


class Store:
    """The file of an index, in the user's home.

    Args:
        name: The file's name, without a suffix.
        tables: SQL that makes what belongs in it beside the tables of every index.
    """

    def __init__(self, name: str = "index", tables: Sequence[str] = ()) -> None:
        self._file = thexp_home() / f"{name}.sqlite"
        self._tables = tables

    def opened(self) -> sqlite3.Connection | None:
        """Open the index.

        Returns:
            A connection without transactions of its own; None where there is none of this version.

        Raises:
            sqlite3.DatabaseError: It is damaged.
        """
        if not self._file.is_file():
            return None
        connection = _connected(self._file, "rw")
        try:
            if is_ours(connection):
                connection.execute(_CACHE)
                return connection
        except BaseException:
            connection.close()
            raise
        connection.close()
        return None

    @contextlib.contextmanager
    def write_lock(self) -> Iterator[None]:
        """Keep other processes from making or writing the index.

        Yields:
            Nothing.

        Raises:
            OSError: The user's home cannot be written, or another process keeps the lock for
                minutes.
        """
        import filelock  # 30 ms, and most readings write nothing

        self._file.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(self._file.with_suffix(".lock"), timeout=_LOCK_SECONDS):
            yield

    def replaced(self, fill: Callable[[sqlite3.Connection], None]) -> None:
        """Make the index anew, and put it in the place of the present one; under `write_lock` only.

        Readers of the present one read on in it.

        Args:
            fill: Writes what belongs in it.

        Raises:
            OSError: It cannot be put there.
            sqlite3.Error: It cannot be written.
        """
        new = self._file.with_suffix(".new")
        for leftover in (new, _journal(new)):  # of a process that was killed here
            leftover.unlink(missing_ok=True)
        connection = _connected(new, "rwc")
        try:
            connection.execute(_CACHE)
            self._make_tables(connection)
            fill(connection)
        finally:
            connection.close()
        _journal(self._file).unlink(missing_ok=True)
        new.replace(self._file)

    def dropped(self) -> None:
        """Remove the index; under `write_lock` only.

        Raises:
            OSError: It cannot be removed.
        """
        self._file.unlink(missing_ok=True)
        _journal(self._file).unlink(missing_ok=True)

    def copied_to_memory(self) -> sqlite3.Connection:
        """Make an index in memory, from the one in the user's home as far as that can be read.

        Returns:
            A connection to it.
        """
        memory = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        with contextlib.suppress(sqlite3.Error):
            connection = self.opened()
            if connection is not None:
                with contextlib.closing(connection):
                    connection.backup(memory)
                return memory
        memory.close()
        memory = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self._make_tables(memory)
        return memory

    def _make_tables(self, connection: sqlite3.Connection) -> None:
        make_tables(connection)
        for statement in self._tables:
            connection.execute(statement)


def _connected(path: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(
        f"file:{quote(str(path))}?mode={mode}",
        uri=True,
        timeout=_BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,  # `Index` has a lock
    )


def _journal(path: Path) -> Path:
    return path.with_name(f"{path.name}-journal")
