"""`Updates`: what is newer than a page of one run, or of several, has."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any, NamedTuple

from thexp_pl.report.page import curves_data, row_data, run_data, run_id
from thexp_pl.report.page.curves import told_of
from thexp_pl.runs import RunRow, read_run
from thexp_pl.runs.index.looking import stamp_of
from thexp_pl.ui.catalog import Catalog

__all__ = ["Had", "Updates"]

_KEPT = 10_000
_STAYING = ("code", "code_left", "diff")


class Had(NamedTuple):
    """What a page has of a run's curves.

    Args:
        id: The run's.
        rows: How many rows of its history.
        went_back: The byte behind which it last went on from a checkpoint, see `curves_data`.
    """

    id: str
    rows: int
    went_back: int


class Updates:
    """What is newer; for any number of threads, and without reading what has not changed.

    Args:
        catalog: The runs.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[str, Had]] = {}

    def of(self, had: Sequence[Had], detail: bool = False) -> dict[str, Any]:
        """Give what a page of some runs does not have yet.

        Args:
            had: What it has.
            detail: Give all of a single run too, but for what stays: its code and the difference
                to its parent.

        Returns:
            ``rows`` of the runs that are there; ``curves``, by id, with the points that are new:
            all of them where the run went back to a checkpoint; ``gone``, the ids of the others;
            ``detail``, or None.
        """
        rows = {run_id(row.place): row for row in self._catalog.rows(each.id for each in had)}
        curves = {}
        for each in had:
            if each.id in rows and not rows[each.id].away:
                newer = self._newer(rows[each.id], each)
                if newer is not None:
                    curves[each.id] = newer
        return {
            "rows": [row_data(row) for row in rows.values()],
            "curves": curves,
            "gone": [each.id for each in had if each.id not in rows],
            "detail": _detail(next(iter(rows.values()))) if detail and len(rows) == 1 else None,
        }

    def _newer(self, row: RunRow, had: Had) -> dict[str, Any] | None:
        stamp = stamp_of(str(row.paths.folder), is_open=True)  # before: a change is seen
        with self._lock:
            if self._kept.get(had.id) == (stamp, had):
                return None
        data = curves_data(row.paths, after=had.rows, told=told_of(row))
        if data["went_back"] != had.went_back or data["rows"] < had.rows:
            data = curves_data(row.paths, told=told_of(row))
        has = Had(had.id, data["rows"], data["went_back"])
        with self._lock:
            if len(self._kept) >= _KEPT:
                self._kept.clear()
            self._kept[had.id] = (stamp, has)
        return data if has != had else None


def _detail(row: RunRow) -> dict[str, Any]:
    found = run_data(read_run(row.paths), code=False)
    return {name: value for name, value in found.items() if name not in _STAYING}
