"""`Index`: what is known of the runs of some roots, asked of one file in place of theirs."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import weakref
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from thexp_pl.record.paths import RunPaths
from thexp_pl.runs.index import selection, store
from thexp_pl.runs.index.looking import look
from thexp_pl.runs.index.rows import rows_of
from thexp_pl.runs.index.selection import Selection
from thexp_pl.runs.index.turn import Turn
from thexp_pl.runs.index.writing import Progress, write
from thexp_pl.runs.row import RunRow

__all__ = ["Index"]

_Found = TypeVar("_Found")


class Index:
    """The index of the runs of some roots; what it gives is as it was at the last `refresh`.

    Where the user's home cannot be written, it is kept in memory: right, but read from all files.

    Args:
        roots: The experiment roots; one that is named twice counts once.
    """

    def __init__(self, roots: Iterable[Path]) -> None:
        self._roots = sorted({os.path.realpath(root) for root in roots})
        self._connection: sqlite3.Connection | None = None
        self._let_go: Callable[[], object] = lambda: None
        self._in_memory = False
        self._lock = threading.RLock()

    @property
    def in_memory(self) -> bool:
        """Whether it is, since the one in the user's home could not be written."""
        return self._in_memory

    def refresh(self, progress: Progress | None = None) -> None:
        """Bring it up to date with the files.

        Args:
            progress: Told how many runs are read, and how many are to be.
        """
        with self._lock:
            if self._in_memory:
                _update(self._current, self._roots, Turn(), progress)
                return
            try:
                self._refresh_file(progress)
            except (OSError, sqlite3.Error):
                self._use_memory(progress)

    def rebuild(self, progress: Progress | None = None) -> None:
        """Read all runs anew, whatever the index says of them; of other roots nothing is left.

        Args:
            progress: As for `refresh`.
        """
        with self._lock:
            try:
                with store.write_lock():
                    self._replace(Turn(), progress)
            except (OSError, sqlite3.Error):
                self._use_memory(progress)

    def drop(self) -> None:
        """Remove the index; the runs stay, and the next reading makes it anew.

        Raises:
            OSError: It cannot be removed.
        """
        with self._lock:
            self.close()
            with store.write_lock():
                store.dropped()

    def select(
        self,
        where: str = "",
        values: Sequence[Any] = (),
        order: str = "started, key",
        limit: int | None = None,
        skip: int = 0,
    ) -> list[RunRow]:
        """Give runs.

        Args:
            where: As the other arguments, see `thexp_pl.runs.index.selection.Selection`.
            values: What is bound.
            order: Their order.
            limit: The most.
            skip: How many are passed over.

        Returns:
            The runs.

        Raises:
            sqlite3.Error: The SQL is wrong.
        """
        chosen = Selection(self._roots, where, values, order, limit, skip)
        return self._asked(
            lambda connection: rows_of(connection, selection.numbers(connection, chosen))
        )

    def keys(self, where: str = "", values: Sequence[Any] = ()) -> list[str]:
        """Give the keys of runs, oldest first.

        Args:
            where: As for `select`.
            values: As for `select`.

        Returns:
            The keys.

        Raises:
            sqlite3.Error: The SQL is wrong.
        """
        chosen = Selection(self._roots, where, values)
        return self._asked(lambda connection: selection.keys(connection, chosen))

    def paths(self) -> list[RunPaths]:
        """Give where all runs are, oldest first.

        Returns:
            Their files.
        """
        chosen = Selection(self._roots)
        return self._asked(lambda connection: selection.places(connection, chosen))

    def experiments(self) -> list[str]:
        """Give the names of the experiments that have runs.

        Returns:
            The names, sorted.
        """
        chosen = Selection(self._roots, order="experiment")
        return self._asked(lambda connection: selection.experiments(connection, chosen))

    def names(self) -> dict[str, set[str]]:
        """Give the names of parameters and metrics.

        Returns:
            Those of all runs that the index holds, by ``param`` and ``metric``.
        """
        return self._asked(selection.names)

    def close(self) -> None:
        """Let go of the file; the next reading opens it again."""
        with self._lock:
            self._let_go()
            self._connection, self._in_memory = None, False

    def _asked(self, question: Callable[[sqlite3.Connection], _Found]) -> _Found:
        with self._lock:
            if self._connection is None:
                self.refresh()
            try:
                return question(self._current)
            except (sqlite3.DatabaseError, LookupError, TypeError, ValueError) as error:
                if self._in_memory or not _is_damage(error):
                    raise
            self.rebuild()
            return question(self._current)

    @property
    def _current(self) -> sqlite3.Connection:
        if self._connection is None:
            raise sqlite3.OperationalError("the index was removed")
        return self._connection

    def _refresh_file(self, progress: Progress | None) -> None:
        turn = Turn()
        with contextlib.suppress(sqlite3.DatabaseError):
            if self._open() and not look(self._current, self._roots, turn):
                turn.end()
                return
        with store.write_lock():
            try:
                if self._open():
                    _update(self._current, self._roots, turn, progress)
                    return
            except sqlite3.DatabaseError as error:
                if not _is_damage(error):
                    raise
            self._replace(turn, progress)

    def _replace(self, turn: Turn, progress: Progress | None) -> None:
        self.close()
        store.replaced(lambda new: _update(new, self._roots, turn, progress))
        self._open()

    def _use_memory(self, progress: Progress | None) -> None:
        self._keep(store.copied_to_memory())
        self._in_memory = True
        _update(self._current, self._roots, Turn(), progress)

    def _open(self) -> bool:
        self._keep(store.opened())
        return self._connection is not None

    def _keep(self, connection: sqlite3.Connection | None) -> None:
        self.close()
        self._connection = connection
        if connection is not None:  # Python 3.13 warns of one that nobody has closed
            self._let_go = weakref.finalize(self, connection.close)


def _update(
    connection: sqlite3.Connection, roots: list[str], turn: Turn, progress: Progress | None
) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        write(connection, look(connection, roots, turn), progress)
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
    turn.end()


def _is_damage(error: Exception) -> bool:
    """Tell a damaged file from one that is locked, read-only or on a full disk."""
    return not isinstance(error, sqlite3.OperationalError) or str(error).startswith("no such")
