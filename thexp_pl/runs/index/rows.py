"""Runs as the index gives them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from thexp_pl.runs.index.texts import read_name
from thexp_pl.runs.row import RunRow

__all__ = ["rows_of"]

_BATCH = 500
_SELECT = (
    "SELECT id, root, experiment, key, status, started, seconds, params, metrics, tags, notes,"
    ' command, code, "commit", packages, python, host, parent, sweep, point, damage'
    " FROM runs JOIN bodies ON run = id WHERE id IN"
)


def rows_of(connection: sqlite3.Connection, numbers: Sequence[int]) -> list[RunRow]:
    """Read runs from the index.

    Args:
        connection: To the index.
        numbers: Their numbers in it.

    Returns:
        The runs, in the order of the numbers.

    Raises:
        sqlite3.Error: The index cannot be read.
        ValueError: It is damaged.
    """
    roots = {
        number: (Path(read_name(path)), host)
        for number, path, host in connection.execute("SELECT id, path, host FROM roots")
    }
    rows = []
    for start in range(0, len(numbers), _BATCH):
        batch = numbers[start : start + _BATCH]
        marks = ", ".join("?" * len(batch))
        found = {row[0]: row for row in connection.execute(f"{_SELECT} ({marks})", batch)}
        rows += [_row(found[number], roots) for number in batch if number in found]
    return rows


def _row(values: tuple[Any, ...], roots: dict[int, tuple[Path, str]]) -> RunRow:
    _, root, experiment, key, status, started, seconds, params, metrics, tags, notes, *texts = (
        values
    )
    path, away = roots[root]
    row = RunRow(
        read_name(key),
        read_name(experiment),
        path,
        status,
        started,
        seconds,
        json.loads(params),
        json.loads(metrics),
        _texts(tags),
        _texts(notes),
        *texts,
    )
    return replace(row, away=away) if away else row


def _texts(kept: str) -> tuple[str, ...]:
    return () if kept == "[]" else tuple(json.loads(kept))  # as most runs have it
