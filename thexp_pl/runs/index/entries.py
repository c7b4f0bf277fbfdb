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

__all__ = ["AGGREGATES", "Entry", "entry_of", "entry_told"]

AGGREGATES = ("last", "min", "max", "mean", "count", "nonfinite")
_NONFINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_COMPACT = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_Values = tuple[Any, ...]
_STATUSES = (*ENDED, "running", "killed", "lost", "damaged")
_TEXT, _NONE = (str,), type(None)
# status, started, seconds, tags and notes, what `_origin` gives, damage
_FACTS = (_TEXT, (int, float), (int, float, _NONE), *(_TEXT,) * 10, (int, _NONE), _TEXT, _TEXT)


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
    facts = (
        run.status,
        run.started,
        _number(run.manifest.get("seconds")),
        _json(notes["tags"]),
        _json([note["text"] for note in notes["notes"]]),
        *_origin(run.manifest),
        kept_text(run.damage),
    )
    return _entry(run.status not in ENDED, facts, run.params, run.metrics)


def entry_told(facts: Any, params: Any, metrics: Any) -> Entry:
    """Make the entry of a run that another machine tells of.

    Args:
        facts: As of `Entry`, in a list.
        params: Its parameters.
        metrics: The summary of its metrics.

    Returns:
        Its entry.

    Raises:
        ValueError: They are none.
    """
    if not all(type(fact) in kinds for fact, kinds in zip(facts, _FACTS, strict=True)):
        raise ValueError("these are no facts of a run")
    if facts[0] not in _STATUSES or not math.isfinite(facts[1]):
        raise ValueError("no run has such a status, or such a start")
    if not isinstance(params, dict) or not all(isinstance(one, dict) for one in metrics.values()):
        raise ValueError("these are no parameters and metrics of a run")
    for texts in map(json.loads, facts[3:5]):
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise ValueError("these are no tags and notes")
    plain = (kept_text(fact) if isinstance(fact, str) else _measured(fact) for fact in facts)
    return _entry(facts[0] not in ENDED, tuple(plain), params, metrics)


def _entry(
    is_open: bool, facts: _Values, params: dict[str, Any], cells: dict[str, dict[str, Any]]
) -> Entry:
    metrics = {name: _summary(cell) for name, cell in cells.items()}
    return Entry(
        is_open=is_open,
        facts=facts,
        params=_json(params),
        metrics=_json(metrics),
        param_rows={kept_text(name): _param(value) for name, value in flat(params).items()},
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
        *_place(manifest.get("sweep") or {}),
    )


def _place(sweep: dict[str, Any]) -> _Values:
    point = sweep.get("point")
    is_number = type(point) is int and 0 <= point < 1 << 63
    return _text(sweep.get("key")), point if is_number else None, _text(sweep.get("digest"))


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
