"""Reading what the ranks other than 0 of a run left, see `thexp_pl.record.ranks`."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from thexp_pl.atomic import read_json
from thexp_pl.record.death import death_of
from thexp_pl.record.folders import rank_places
from thexp_pl.record.inside import check_inside
from thexp_pl.record.paths import RankPaths, RunPaths
from thexp_pl.record.status import compute_status

__all__ = ["read_ranks"]

_MAX_BYTES = 1 << 20


def read_ranks(paths: RunPaths) -> list[dict[str, Any]]:
    """Read what the ranks other than 0 left.

    Args:
        paths: The run.

    Returns:
        By rank: what `RankRecord` wrote, with ``status`` as it is judged now and ``cause`` as far
        as it is known; a rank whose file cannot be read has only ``rank`` and ``status``
        ``damaged``.
    """
    return [_read_rank(place) for place in rank_places(paths)]


def _read_rank(place: RankPaths) -> dict[str, Any]:
    record = _object(place.manifest, place.run)
    if not isinstance(record.get("process"), dict) or not isinstance(record.get("status"), str):
        return {"rank": place.rank, "status": "damaged"}
    status = compute_status(record, place.heartbeat)
    cause = record.get("cause")
    if not cause and status in ("killed", "failed"):
        told = _object(place.exit, place.run).get("cause")
        cause = told if isinstance(told, dict) else None
    if not cause and status == "killed":
        cause = death_of(record, place)
    return {**record, "rank": place.rank, "status": status, "cause": cause}


def _object(path: Path, run: RunPaths) -> dict[str, Any]:
    with contextlib.suppress(OSError, ValueError):
        check_inside(path, run.folder)
        found = read_json(path, limit=_MAX_BYTES)
        return found if isinstance(found, dict) else {}
    return {}
