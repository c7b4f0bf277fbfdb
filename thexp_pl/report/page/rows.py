"""Runs in short, and what differs between several, as a page shows them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from typing import Any

from thexp_pl.compare.comparison import compare_runs
from thexp_pl.compare.values import MISSING
from thexp_pl.record.paths import RunPaths
from thexp_pl.report.page.plain import plain
from thexp_pl.runs.flat import flat
from thexp_pl.runs.row import RunRow

__all__ = ["row_data", "run_id", "runs_data"]

_ID_LETTERS = 16


def run_id(paths: RunPaths) -> str:
    """Name a run within pages and their addresses.

    Args:
        paths: The run's files.

    Returns:
        16 hexadecimal letters of the SHA-256 of its folder's path.
    """
    return hashlib.sha256(os.fsencode(paths.folder)).hexdigest()[:_ID_LETTERS]


def row_data(row: RunRow) -> dict[str, Any]:
    """Give a run in short.

    Args:
        row: The run, as the index tells of it.

    Returns:
        ``id`` and the fields of `RunRow`, as JSON values: ``params`` by dotted name, ``started`` in
        seconds since 1970.
    """
    data: dict[str, Any] = plain(
        {
            "id": run_id(row.place),
            "key": row.key,
            "experiment": row.experiment,
            "root": row.root,
            "status": row.status,
            "started": row.started,
            "seconds": row.seconds,
            "params": flat(row.params),
            "metrics": row.metrics,
            "tags": row.tags,
            "notes": row.notes,
            "command": row.command,
            "commit": row.commit,
            "code": row.code,
            "packages": row.packages,
            "python": row.python,
            "host": row.host,
            "parent": row.parent,
            "damage": row.damage,
        }
    )
    return data


def runs_data(rows: Sequence[RunRow]) -> dict[str, Any]:
    """Give several runs, and what differs between them.

    Args:
        rows: The runs.

    Returns:
        ``rows``, see `row_data`; ``differs``: ``columns`` (of each ``title``, ``kind``: fact, param
        or metric, and ``best``, the places of the runs that are best in it) and ``values`` (of each
        run a list a column, which holds its value; None where it has none).
    """
    found = compare_runs(rows)
    columns = [
        {
            "title": column.title,
            "kind": column.kind,
            "best": sorted(found.best.get(column, ())),
        }
        for column in found.columns
    ]
    values = [[None if one is MISSING else [plain(one)] for one in own] for own in found.values]
    return {
        "rows": [row_data(row) for row in rows],
        "differs": {"columns": plain(columns), "values": values},
    }
