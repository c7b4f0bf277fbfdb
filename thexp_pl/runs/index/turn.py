"""Which runs are looked at next though nothing says that they have changed."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterator

from thexp_pl.globvars import thexp_home
from thexp_pl.runs.index.texts import read_name

__all__ = ["Turn"]

_RUNS = 5_000
_FEWEST = 500
_SECONDS = 0.1  # a file server may take a millisecond for a look


class Turn:
    """Some runs, those after the ones whose turn it was before.

    Where it ended is in a small file of its own, without a lock: a wrong number there only changes
    whose turn it is.
    """

    def __init__(self) -> None:
        self._path = thexp_home() / "index.turn"
        self._start = self._stop = 0
        with contextlib.suppress(OSError, ValueError), self._path.open("rb") as file:
            self._start = self._stop = int(file.read(18))

    def runs(
        self, connection: sqlite3.Connection
    ) -> Iterator[tuple[tuple[int, str, bool, str], int]]:
        """Give the runs; those given are fewer where looking at them takes long.

        Args:
            connection: To the index.

        Yields:
            Number, key, whether it is open and stamp of a run, and the number of its folder.
        """
        columns = "SELECT run, key, open, stamp, folder FROM looks WHERE run"
        rows = connection.execute(
            f"{columns} > ? ORDER BY run LIMIT ?", (self._start, _RUNS)
        ).fetchall()
        if len(rows) < _RUNS:
            rows += connection.execute(
                f"{columns} <= ? ORDER BY run LIMIT ?", (self._start, _RUNS - len(rows))
            ).fetchall()
        deadline = time.monotonic() + _SECONDS
        for count, (number, key, is_open, stamp, folder) in enumerate(rows):
            if count >= _FEWEST and count % 100 == 0 and time.monotonic() > deadline:
                break
            self._stop = number
            yield (number, read_name(key), bool(is_open), stamp), folder

    def end(self) -> None:
        """Let the next one begin where this one ended."""
        if self._stop != self._start:
            with contextlib.suppress(OSError), self._path.open("wb") as file:
                file.write(b"%d" % self._stop)
