"""`Kept`: an index that is open, brought up to date, and in memory where it cannot be a file."""

from __future__ import annotations

import contextlib
import sqlite3
import weakref
from collections.abc import Callable, Iterator, Sequence

from thexp_pl.runs.index.looking import look
from thexp_pl.runs.index.store import Store
from thexp_pl.runs.index.turn import Turn
from thexp_pl.runs.index.writing import Progress, write

__all__ = ["Kept", "is_damage", "written"]


class Kept:
    """An index: a connection to it, and how it comes to be as the files are.

    Args:
        store: Where it is.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._connection: sqlite3.Connection | None = None
        self._let_go: Callable[[], object] = lambda: None
        self.in_memory = False

    @property
    def is_open(self) -> bool:
        """Whether there is a connection."""
        return self._connection is not None

    @property
    def connection(self) -> sqlite3.Connection:
        """The connection.

        Raises:
            sqlite3.OperationalError: The index was removed.
        """
        if self._connection is None:
            raise sqlite3.OperationalError("the index was removed")
        return self._connection

    def refresh(self, roots: Sequence[str], progress: Progress | None = None) -> None:
        """Bring it up to date with the files.

        Args:
            roots: The real paths of the experiment roots.
            progress: As of `thexp_pl.runs.index.writing.write`.
        """
        if self.in_memory:
            _update(self.connection, roots, Turn(), progress)
            return
        try:
            self._refresh_file(roots, progress)
        except (OSError, sqlite3.Error):
            self.use_memory(roots, progress)

    def rebuild(self, roots: Sequence[str], progress: Progress | None = None) -> None:
        """Make it anew from all files.

        Args:
            roots: As for `refresh`.
            progress: As for `refresh`.
        """
        try:
            with self._store.write_lock():
                self._replace(roots, Turn(), progress)
        except (OSError, sqlite3.Error):
            self.use_memory(roots, progress)

    def drop(self) -> None:
        """Remove it.

        Raises:
            OSError: It cannot be removed.
        """
        self.close()
        with self._store.write_lock():
            self._store.dropped()

    def use_memory(self, roots: Sequence[str], progress: Progress | None = None) -> None:
        """Go on in memory.

        Args:
            roots: As for `refresh`.
            progress: As for `refresh`.
        """
        self._keep(self._store.copied_to_memory())
        self.in_memory = True
        _update(self.connection, roots, Turn(), progress)

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Write into it, in one transaction.

        Yields:
            The connection.

        Raises:
            OSError: As of `Store.write_lock`.
            sqlite3.Error: It cannot be written.
        """
        lock = contextlib.nullcontext() if self.in_memory else self._store.write_lock()
        with lock, written(self.connection):
            yield self.connection

    def close(self) -> None:
        """Let go of it; the next reading opens it again."""
        self._let_go()
        self._connection, self.in_memory = None, False

    def _refresh_file(self, roots: Sequence[str], progress: Progress | None) -> None:
        turn = Turn()
        with contextlib.suppress(sqlite3.DatabaseError):
            if self._open() and not look(self.connection, roots, turn):
                turn.end()
                return
        with self._store.write_lock():
            try:
                if self._open():
                    _update(self.connection, roots, turn, progress)
                    return
            except sqlite3.DatabaseError as error:
                if not is_damage(error):
                    raise
            self._replace(roots, turn, progress)

    def _replace(self, roots: Sequence[str], turn: Turn, progress: Progress | None) -> None:
        self.close()
        self._store.replaced(lambda new: _update(new, roots, turn, progress))
        self._open()

    def _open(self) -> bool:
        self._keep(self._store.opened())
        return self.is_open

    def _keep(self, connection: sqlite3.Connection | None) -> None:
        self.close()
        self._connection = connection
        if connection is not None:  # Python 3.13 warns of one that nobody has closed
            self._let_go = weakref.finalize(self, connection.close)


def is_damage(error: Exception) -> bool:
    """Tell a damaged file from one that is locked, read-only or on a full disk.

    Args:
        error: What was raised.
    """
    return not isinstance(error, sqlite3.OperationalError) or str(error).startswith("no such")


@contextlib.contextmanager
def written(connection: sqlite3.Connection) -> Iterator[None]:
    """Write all or nothing of what is written within.

    Args:
        connection: To the index, under its lock.

    Yields:
        Nothing.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _update(
    connection: sqlite3.Connection, roots: Sequence[str], turn: Turn, progress: Progress | None
) -> None:
    with written(connection):
        write(connection, look(connection, roots, turn), progress)
    turn.end()
