"""`Catalog`: the runs that the pages show, by the ids that stand in their addresses.

An id is a hash of the run's folder and leads to a run through the index alone: nothing of an
address is ever a part of a path.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Sequence
from typing import Any

from thexp_pl.record.paths import RunPaths
from thexp_pl.report.page import run_id
from thexp_pl.runs import ExperimentViewer, RunRow
from thexp_pl.runs.index import Index
from thexp_pl.runs.index.texts import kept_name

__all__ = ["Catalog"]

_PAUSE = 1.0  # seconds from one look at the files to the next, however many pages ask
_SHARE = 4  # times as long as the look took: what is slow is done less often
_BATCH = 500  # values that SQLite takes at once


class Catalog:
    """The runs, as fresh as a second ago; for any number of threads.

    Args:
        viewer: The runs.
    """

    def __init__(self, viewer: ExperimentViewer) -> None:
        self._viewer = viewer
        self._lock = threading.Lock()
        self._index: Index | None = None
        self._due = 0.0
        self._places: dict[str, RunPaths] = {}

    def index(self) -> Index:
        """Give the index, brought up to date where that was not done a moment ago.

        Raises:
            RecordError: The roots cannot be read.
        """
        with self._lock:
            begin = time.monotonic()
            if self._index is None or begin >= self._due:
                self._index = self._viewer.index()
                end = time.monotonic()
                self._due = end + max(_PAUSE, _SHARE * (end - begin))
            return self._index

    def changed(self) -> None:
        """Have the next question look at the files: something was written."""
        with self._lock:
            self._due = 0.0

    def select(self, where: str, values: Sequence[Any], order: str, **bounds: Any) -> list[RunRow]:
        """Give runs, which from then on are known by their ids.

        Args:
            where: As the others, see `thexp_pl.runs.index.Index.select`.
            values: What is bound.
            order: Their order.
            **bounds: ``limit`` and ``skip``.
        """
        rows = self.index().select(where, values, order, **bounds)
        self._places.update((run_id(row.place), row.place) for row in rows)
        return rows

    def rows(self, ids: Iterable[str]) -> list[RunRow]:
        """Find the runs of some ids.

        Args:
            ids: The ids.

        Returns:
            The runs in this order, each once; without those that are not there.
        """
        wanted = list(dict.fromkeys(ids))
        index = self.index()
        if any(each not in self._places for each in wanted):
            self._places = {run_id(paths): paths for paths in index.paths()}
        places = [self._places[each] for each in wanted if each in self._places]
        found: dict[str, RunRow] = {}
        for start in range(0, len(places), _BATCH):
            keys = [kept_name(place.key) for place in places[start : start + _BATCH]]
            rows = index.select(f"key IN ({', '.join('?' * len(keys))})", keys)
            found |= {run_id(row.place): row for row in rows}
        return [found[each] for each in wanted if each in found]
