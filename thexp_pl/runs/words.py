"""What a run has in few letters: values, its start, how long it took."""

from __future__ import annotations

import math
import time
from datetime import datetime, timedelta, timezone
from typing import Any

from thexp_pl.jsonable import to_jsonable

__all__ = ["duration_text", "iso_text", "short", "start_text"]


def short(value: Any) -> str:
    """Give a value in few letters: five digits of a float, the texts of several."""
    if isinstance(value, float):
        return f"{value:.5g}" if math.isfinite(value) else str(to_jsonable(value))
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def start_text(started: float) -> str:
    """Give the local time of a start; ``?`` where no calendar holds it."""
    try:
        return f"{datetime.fromtimestamp(started):%Y-%m-%d %H:%M:%S}"
    except (ValueError, OSError, OverflowError):
        return "?"


def iso_text(started: float) -> str | None:
    """Give a start as ISO 8601 in UTC; None where no calendar holds it."""
    try:
        return datetime.fromtimestamp(started, timezone.utc).isoformat(timespec="milliseconds")
    except (ValueError, OSError, OverflowError):
        return None


def duration_text(seconds: float | None, status: str, started: float) -> str:
    """Give how long a run took, or has taken so far; ``-`` where that is not known.

    Args:
        seconds: How long it took; None without an end.
        status: What became of it.
        started: When it started, seconds since 1970.
    """
    if seconds is None and status == "running":
        seconds = time.time() - started
    if seconds is None:
        return "-"
    try:
        return str(timedelta(seconds=round(seconds)))
    except (ValueError, OverflowError):
        return "?"
