"""`ExperimentViewer`: which runs there were, and what is left of them."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from thexp_pl.errors import RecordError, UsageError
from thexp_pl.record.folders import as_root
from thexp_pl.record.keycode import read_sources
from thexp_pl.record.roots import known_roots
from thexp_pl.runs.index import Index
from thexp_pl.runs.keys import find_row
from thexp_pl.runs.row import RunRow
from thexp_pl.runs.run import Run, read_run, read_runs

__all__ = ["ExperimentViewer"]


class ExperimentViewer:
    """Reads the runs of some experiment roots; every call sees them as they are then.

    What is asked of many runs comes from an index, which is brought up to date before; what is
    asked of one comes from its files.

    Args:
        roots: The roots to look in, or one; by default all that the user's home knows.

    Raises:
        RecordError: A root is not there.
    """

    def __init__(
        self, roots: Iterable[str | os.PathLike[str]] | str | os.PathLike[str] | None = None
    ) -> None:
        if isinstance(roots, str | os.PathLike):  # a text is an iterable of texts too
            roots = [roots]
        self._given = None if roots is None else [as_root(root) for root in roots]
        for root in self._given or ():
            if not root.is_dir():
                raise RecordError(
                    f"no experiment root {str(root)!r}: give a folder that holds runs"
                )
        self._known: tuple[list[Path] | None, Index] = (None, Index([]))

    def runs(self) -> list[Run]:
        """Read all runs from their files.

        Returns:
            The runs, oldest first.
        """
        return read_runs(self._roots())

    def rows(
        self,
        query: str = "",
        *,
        since: float | None = None,
        sort: str = "",
        reverse: bool = False,
        limit: int | None = None,
    ) -> list[RunRow]:
        """Read runs in short.

        Args:
            query: Which ones, such as ``"metrics.acc.max > 0.9"``, see `thexp_pl.runs.query`, or
                the key of a sweep or the beginning of just one; all by default.
            since: Those that started then or later, seconds since 1970.
            sort: A name such as ``"metrics.acc.max"``, by which they are ordered; by default their
                start.
            reverse: The greatest, or newest, first.
            limit: The most that are given.

        Returns:
            The runs.

        Raises:
            QueryError: The query or the name cannot be carried out as written.
            RecordError: The beginning of a key means several sweeps, or the sweep is damaged.
            UsageError: The limit is no number of runs.
        """
        from thexp_pl.runs.meaning import meant
        from thexp_pl.runs.query import Condition, compile_sort

        if limit is not None and (type(limit) is not int or limit < 0):
            raise UsageError(f"limit={limit!r} is no number of runs: give one from 0, or None")
        index = self.index()
        where = meant(index, query, since)
        by_start = Condition("started DESC, key DESC" if reverse else "started, key")
        order = compile_sort(sort, reverse=reverse) if sort else by_start
        _check(index, where.names + order.names)
        return index.select(where.sql, where.values + order.values, order.sql, limit)

    def query(self, text: str, *, since: float | None = None) -> list[str]:
        """Find runs by a query.

        Args:
            text: Such as ``"params.optim.lr < 0.1 and status == 'finished'"``, as for `rows`.
            since: As for `rows`.

        Returns:
            Their keys, oldest first.

        Raises:
            QueryError: It cannot be carried out as written.
            RecordError: As for `rows`.
        """
        from thexp_pl.runs.meaning import meant

        index = self.index()
        where = meant(index, text, since)
        _check(index, where.names)
        return index.keys(where.sql, where.values)

    def to_pandas(self, query: str = "") -> Any:
        """Give runs as a table of pandas.

        Args:
            query: Which ones, as for `rows`.

        Returns:
            A ``pandas.DataFrame`` with one row a run, see `thexp_pl.runs.frame.to_frame`.

        Raises:
            QueryError: The query cannot be carried out as written.
            UsageError: There is no pandas.
        """
        from thexp_pl.runs.frame import to_frame, uncollected

        with uncollected():
            return to_frame(self.rows(query))

    def run(self, key: str) -> Run:
        """Read one run from its files.

        Args:
            key: A word that means it, see `thexp_pl.runs.keys.find_row`.

        Returns:
            The run.

        Raises:
            RecordError: There is none, or more than one.
        """
        return read_run(self.row(key).paths)

    def row(self, key: str) -> RunRow:
        """Read one run in short.

        Args:
            key: As for `run`.

        Returns:
            The run.

        Raises:
            RecordError: There is none, or more than one.
        """
        return find_row(self.index(), key)

    def recent(self, timedeltaobj: timedelta | None = None, day: float | None = None) -> list[str]:
        """List the runs that started not long ago.

        Args:
            timedeltaobj: How long ago at most.
            day: The same in days; one of the two is given.

        Returns:
            Their keys, oldest first.

        Raises:
            UsageError: Neither or both were given, or one that is no span of time.
        """
        if (timedeltaobj is None) == (day is None):
            raise UsageError("recent() wants one of timedeltaobj=timedelta(hours=1) and day=1")
        try:
            span = timedeltaobj if timedeltaobj is not None else timedelta(days=day or 0)
            begin = time.time() - span.total_seconds()
        except (AttributeError, TypeError, ValueError, OverflowError):
            given = f"day={day!r}" if timedeltaobj is None else f"timedeltaobj={timedeltaobj!r}"
            raise UsageError(
                f"recent({given}) is no span of time: give timedelta(hours=1), or day=1"
            ) from None
        return self.index().keys("started >= ?", (begin,))

    def backtracking(self, what: str | os.PathLike[str]) -> dict[str, dict[str, dict[str, Any]]]:
        """Find out which runs made, changed, deleted or otherwise noted a file.

        Args:
            what: A part of the file's path within the run, such as ``"ckpt"``; the path of a file,
                with a separator in it, such as ``"./best.ckpt"``: one that lies in no run is known
                by its content; or a SHA-256 in hexadecimal.

        Returns:
            By key, the files by path: what the journal says of each, later events over earlier
            ones (``event``, ``time``, ``size``, ``modified``, ``sha256``), whether it ``exists``
            now, and whether it was ``replaced`` since: is there, but not as the run left it; None
            where that cannot be known.

        Raises:
            OSError: The file cannot be read.
        """
        from thexp_pl.runs.backtracking import backtrack

        return backtrack(self.index().paths(), what)

    def exp_code(self, key: str) -> dict[str, str]:
        """Read the sources that a run kept as key code.

        Args:
            key: A word that means it, see `thexp_pl.runs.keys.find_row`.

        Returns:
            The sources by name, such as ``__main__.train``.

        Raises:
            RecordError: There is no such run.
        """
        return read_sources(self.run(key).paths.keycode)

    def exp_info(self, key: str) -> dict[str, Any]:
        """Read what is known of a run.

        Args:
            key: A word that means it, see `thexp_pl.runs.keys.find_row`.

        Returns:
            The manifest and what became of the run, see `thexp_pl.runs.run.Run.to_dict`.

        Raises:
            RecordError: There is no such run.
        """
        return self.run(key).to_dict()

    def list(self) -> list[str]:
        """List all runs.

        Returns:
            Their keys, oldest first.
        """
        return self.index().keys()

    def reload(self) -> None:
        """Read all runs of these roots anew, whatever the index says of them."""
        self.index().rebuild()

    def drop(self) -> None:
        """Remove the index, which is made anew when it is needed; no run is touched.

        Raises:
            OSError: It cannot be removed.
        """
        self._index().drop()

    @property
    def remark(self) -> str:
        """What the last call could not do, see `thexp_pl.runs.index.Index.remark`."""
        return self._known[1].remark

    def index(self) -> Index:
        """Give the index of these roots, up to date.

        Returns:
            The index.
        """
        index = self._index()
        index.refresh()
        return index

    def _index(self) -> Index:
        roots = [*self._roots()]
        if roots != self._known[0]:
            index = Index.of_user(roots) if self._given is None else Index(roots)
            self._known = (roots, index)
        return self._known[1]

    def _repr_html_(self) -> str:
        from thexp_pl.runs.html import SHOWN, runs_html

        newest = self.rows(reverse=True, limit=SHOWN)
        return runs_html(newest[::-1], total=len(self.list()))

    def _roots(self) -> Iterable[Path]:
        return known_roots() if self._given is None else self._given


def _check(index: Index, names: Sequence[tuple[str, str]]) -> None:
    """Refuse parameters and metrics that no run has."""
    if names:
        from thexp_pl.runs.query import check_names

        check_names(names, index.names())
