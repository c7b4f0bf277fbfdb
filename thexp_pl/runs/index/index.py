"""`Index`: what is known of the runs of some roots, asked of one file in place of theirs."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from thexp_pl.errors import RecordError
from thexp_pl.record.paths import RunPaths
from thexp_pl.runs.index import selection
from thexp_pl.runs.index.keeping import Kept, is_damage
from thexp_pl.runs.index.rows import rows_of
from thexp_pl.runs.index.selection import Selection, SweptRun
from thexp_pl.runs.index.store import VARIABLE, Store
from thexp_pl.runs.index.writing import Progress
from thexp_pl.runs.row import RunRow

if TYPE_CHECKING:
    from thexp_pl.runs.index.team import Team

__all__ = ["Index"]

_Found = TypeVar("_Found")


class Index:
    """The index of the runs of some roots; what it gives is as it was at the last `refresh`.

    Where the user's home cannot be written, it is kept in memory: right, but read from all files.

    Args:
        roots: The experiment roots; one that is named twice counts once.
        team: The index on a server that these runs are told to, and others' are taken from.
    """

    def __init__(self, roots: Iterable[Path], team: Team | None = None) -> None:
        self._own = self._roots = sorted({os.path.realpath(root) for root in roots})
        self._team = team
        self._kept = Kept(Store() if team is None else team.store)
        self._lock = threading.RLock()

    @classmethod
    def of_user(cls, roots: Iterable[Path]) -> Index:
        """Give the index of the roots that a user knows.

        Args:
            roots: The roots.

        Returns:
            The index; where ``THEXP_INDEX`` names a team's, with all runs of that team.

        Raises:
            UsageError: ``THEXP_INDEX`` cannot be meant.
        """
        url = os.environ.get(VARIABLE)
        if not url:
            return cls(roots)
        from thexp_pl.runs.index.team import Team

        return cls(roots, Team(url))

    @property
    def roots(self) -> list[Path]:
        """The real paths of the experiment roots that it was made for."""
        return [*map(Path, self._own)]

    @property
    def remark(self) -> str:
        """What the last `refresh` could not do, a sentence; empty where all was done."""
        return "" if self._team is None else self._team.remark

    @property
    def in_memory(self) -> bool:
        """Whether it is, since the one in the user's home could not be written."""
        return self._kept.in_memory

    def refresh(self, progress: Progress | None = None) -> None:
        """Bring it up to date with the files.

        Args:
            progress: Told how many runs are read, and how many are to be.
        """
        with self._lock, self._with_team(is_new=False):
            self._kept.refresh(self._roots, progress)

    def rebuild(self, progress: Progress | None = None) -> None:
        """Read all runs anew, whatever the index says of them; of other roots nothing is left.

        Args:
            progress: As for `refresh`.
        """
        with self._lock, self._with_team(is_new=True):
            self._kept.rebuild(self._roots, progress)

    def drop(self) -> None:
        """Remove the index; the runs stay, and the next reading makes it anew.

        Of a team's index what was told of these roots is removed.

        Raises:
            OSError: It cannot be removed.
        """
        with self._lock:
            if self._team is not None:
                self._team.forget(self._own)
            self._kept.drop()

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

    def count(self, where: str = "", values: Sequence[Any] = ()) -> int:
        """Count runs.

        Args:
            where: As for `select`.
            values: As for `select`.

        Returns:
            Their number.

        Raises:
            sqlite3.Error: The SQL is wrong.
        """
        chosen = Selection(self._roots, where, values, order="1")
        return self._asked(lambda connection: selection.count(connection, chosen))

    def paths(self) -> list[RunPaths]:
        """Give where all runs are, oldest first.

        Returns:
            Their files.
        """
        chosen = Selection(self._roots)
        return self._asked(lambda connection: selection.places(connection, chosen))

    def sweeps(self, where: str, values: Sequence[Any]) -> list[str]:
        """Give the keys of the sweeps that runs belong to.

        Args:
            where: As for `select`.
            values: As for `select`.

        Returns:
            The keys, sorted; an empty one of runs of none.
        """
        chosen = Selection(self._roots, where, values, order="sweep")
        return self._asked(lambda connection: selection.sweeps(connection, chosen))

    def swept(self, where: str, values: Sequence[Any]) -> list[SweptRun]:
        """Give runs of sweeps, oldest first.

        Args:
            where: As for `select`.
            values: As for `select`.

        Returns:
            What a sweep has to know of them.
        """
        chosen = Selection(self._roots, where, values)
        return self._asked(lambda connection: selection.swept(connection, chosen))

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
            self._kept.close()

    def _asked(self, question: Callable[[sqlite3.Connection], _Found]) -> _Found:
        with self._lock:
            if not self._kept.is_open:
                self.refresh()
            try:
                return question(self._kept.connection)
            except (sqlite3.DatabaseError, LookupError, TypeError, ValueError) as error:
                if self.in_memory or not is_damage(error):
                    raise
            self.rebuild()
            return question(self._kept.connection)

    @contextlib.contextmanager
    def _with_team(self, *, is_new: bool) -> Iterator[None]:
        """Have the index brought up to date within; then tell the team, and learn from it."""
        if self._team is None:
            yield
            return
        with self._team.meeting(self._own, is_new=is_new) as meeting:
            self._roots = meeting.roots
            yield
            try:
                meeting.exchange(self._kept)
            except RecordError:
                raise
            except (OSError, sqlite3.Error):
                if self.in_memory:
                    raise
                self._kept.use_memory(self._roots)
                meeting.exchange(self._kept)
