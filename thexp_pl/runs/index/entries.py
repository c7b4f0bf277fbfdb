"""What the index keeps of a run."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from typing import Any

from thexp_pl.record.notes import read_notes
from thexp_pl.record.status import ENDED
from thexp_pl.runs.flat import flat
from thexp_pl.runs.index.texts import kept_text
from thexp_pl.runs.run import Run

__all__ = ["AGGREGATES", "Entry", "entry_of"]

AGGREGATES = ("last", "min", "max", "mean", "count", "nonfinite")
_NONFINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_COMPACT = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_Values = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """A run, as the tables take it.

    Args:
        is_open: Whether it may change by itself: it has no end that was written.
        facts: The columns of ``runs`` from ``status`` on.
        params: All parameters as JSON.
        metrics: The summary of all metrics as JSON, with NaN and Infinity as `json` writes them.
        param_rows: By dotted name: kind, number, text.
        metric_rows: By name: the values of `AGGREGATES`.
    """

    is_open: bool
    facts: _Values
    params: str
    metrics: str
    param_rows: dict[str, _Values]
    metric_rows: dict[str, _Values]


def entry_of(run: Run) -> Entry:
    """Make the entry of a run.

    Args:
        run: The run.

    Returns:
        Its entry.
    """
    notes = read_notes(run.paths)
    metrics = {name: _summary(cell) for name, cell in run.metrics.items()}
    return Entry(
        is_open=run.status not in ENDED,
        facts=(
            run.status,
            run.started,
            _number(run.manifest.get("seconds")),
            _json(notes["tags"]),
            _json([note["text"] for note in notes["notes"]]),
            *_origin(run.manifest),
            kept_text(run.damage),
        ),
        params=_json(run.params),
        metrics=_json(metrics),
        param_rows={kept_text(name): _param(value) for name, value in flat(run.params).items()},
        metric_rows={
            kept_text(name): tuple(cell.get(aggregate) for aggregate in AGGREGATES)
            for name, cell in metrics.items()
        },
    )


def _origin(manifest: dict[str, Any]) -> _Values:
    return (
        _text(manifest.get("command")),
        _text((manifest.get("code") or {}).get("tree")),
        _text((manifest.get("git") or {}).get("commit")),
        _digest(manifest.get("packages")),
        _text(manifest.get("python")),
        _text((manifest.get("process") or {}).get("host")),
        _text((manifest.get("parent") or {}).get("key")),
    )


def _summary(cell: dict[str, Any]) -> dict[str, Any]:
    return {
        aggregate: number
        for aggregate in AGGREGATES
        if (number := _measured(cell.get(aggregate))) is not None
    }


def _measured(value: Any) -> float | int | None:
    if type(value) is float or (type(value) is int and -(1 << 63) < value < 1 << 63):
        return value
    return _NONFINITE.get(value) if isinstance(value, str) else _number(value)


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _param(value: Any) -> _Values:
    if value is None:
        return "null", None, None
    if isinstance(value, bool):
        return "bool", float(value), None
    if isinstance(value, str):
        return "text", None, kept_text(value)
    number = _number(value)
    return ("json", None, _json(value)) if number is None else ("number", number, None)


def _digest(packages: Any) -> str:
    if not packages:
        return ""
    return hashlib.sha256(json.dumps(packages, sort_keys=True).encode()).hexdigest()


def _text(value: Any) -> str:
    return kept_text(value) if isinstance(value, str) else ""


def _json(value: Any) -> str:
    return kept_text(_COMPACT.encode(value)) if value != [] else "[]"
