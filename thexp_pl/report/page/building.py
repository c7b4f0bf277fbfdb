"""The data of a whole page: of one run with all that is known of it, or of several."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from thexp_pl import __version__
from thexp_pl.errors import UsageError
from thexp_pl.record.roots import known_roots
from thexp_pl.report.page.curves import curves_data, told_of
from thexp_pl.report.page.detail import run_data
from thexp_pl.report.page.plain import plain
from thexp_pl.report.page.rows import run_id, runs_data
from thexp_pl.runs.index.texts import kept_name
from thexp_pl.runs.row import RunRow
from thexp_pl.runs.run import Run, read_run
from thexp_pl.runs.viewer import ExperimentViewer

__all__ = ["page_data", "parent_of"]

_POINTS = 100_000  # of all curves of a page
_MOST, _LEAST = 1000, 20  # of one
_CURVES = 10_000


def page_data(
    rows: Sequence[RunRow],
    *,
    code: bool = True,
    title: str = "",
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Any]:
    """Gather what a page shows.

    Args:
        rows: The runs: one makes the page of a run, several make that of runs.
        code: Show the sources and patches of a single run.
        title: The page's title; by default what it shows.
        progress: Called with how many runs were read, and how many there are.

    Returns:
        ``page`` (``run`` or ``runs``), ``made``, ``version``, ``title``, ``rows``, ``differs``,
        ``curves`` by the ids of the runs, ``curves_left`` (how many runs have none: the page would
        be too large), ``curves_away`` (how many have theirs on another machine), ``detail`` (of a
        single run) and ``live``, which is None.

    Raises:
        UsageError: There is no run, or a package of the extra is absent.
    """
    if not rows:
        raise UsageError("there is no run to show: name one; `thexp-pl list` shows the keys")
    is_one = len(rows) == 1
    found, curves = runs_data(rows), _curves(rows, progress)
    away = sum(bool(row.away) for row in rows)
    return {
        "page": "run" if is_one else "runs",
        "made": datetime.now().astimezone().isoformat(timespec="seconds"),
        "version": __version__,
        "title": plain(title or _title(rows)),
        "rows": found["rows"],
        "differs": None if is_one else found["differs"],
        "curves": curves,
        "curves_left": len(rows) - away - len(curves),
        "curves_away": away,
        "detail": _detail(rows[0], code) if is_one else None,
        "live": None,
    }


def parent_of(run: Run) -> Run | None:
    """Find the run that one came from.

    Args:
        run: The run.

    Returns:
        That run, of the same root or else of another that this user knows; None where it began
        anew, and where that one is not there.
    """
    key = (run.manifest.get("parent") or {}).get("key")
    if not isinstance(key, str):
        return None
    for viewer in (ExperimentViewer([run.paths.root]), ExperimentViewer(known_roots())):
        found = viewer.index().select("key = ?", (kept_name(key),), limit=1)
        if found:
            return read_run(found[0].paths)
    return None


def _detail(row: RunRow, code: bool) -> dict[str, Any]:
    run = read_run(row.paths)
    return run_data(run, parent_of(run), code)


def _curves(rows: Sequence[RunRow], progress: Callable[[int, int], None]) -> dict[str, Any]:
    curves: dict[str, Any] = {}
    chosen, points = _budget([row for row in rows if not row.away])
    for place, row in enumerate(chosen):
        progress(place, len(chosen))
        curves[run_id(row.paths)] = curves_data(row.paths, points, told=told_of(row))
    return curves


def _budget(rows: Sequence[RunRow]) -> tuple[Sequence[RunRow], int]:
    """Say which runs have curves in a page, and how many points a curve has."""
    count = 0
    for place, row in enumerate(rows):
        count += len(row.metrics)
        if count > _CURVES and place:
            return rows[:place], _LEAST
    return rows, min(max(_POINTS // max(count, 1), _LEAST), _MOST)


def _title(rows: Sequence[RunRow]) -> str:
    if len(rows) == 1:
        return f"{rows[0].experiment} {rows[0].key}"
    names = sorted({row.experiment for row in rows})
    return f"{len(rows)} runs of {names[0] if len(names) == 1 else f'{len(names)} experiments'}"
