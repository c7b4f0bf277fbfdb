"""Moments and spans of time as people write them."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from thexp_pl.errors import QueryError

__all__ = ["parse_moment", "parse_span"]

_SPAN = re.compile(r"\s*([0-9]{1,12}(?:\.[0-9]{1,12})?)\s*(s|m|h|d|w)\s*")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"(?:[ T][0-9]{2}:[0-9]{2}(?P<second>:[0-9]{2}(?P<part>\.[0-9]{3}(?:[0-9]{3})?)?)?"
    r"(?:Z|[+-][0-9]{2}:[0-9]{2})?)?",
    re.ASCII,
)


def parse_span(text: str) -> float:
    """Read a span of time.

    Args:
        text: A number and ``s``, ``m`` (minutes), ``h``, ``d`` or ``w``.

    Returns:
        Its seconds.

    Raises:
        QueryError: It is none.

    >>> parse_span("90m")
    5400.0
    """
    found = _SPAN.fullmatch(text)
    if found is None:
        raise QueryError(f"{text[:80]!r} is no span of time: write 90m, 2h, 3d or 1w")
    return float(found[1]) * _SECONDS[found[2]]


def parse_moment(text: str) -> tuple[float, float]:
    """Read a day, a minute, a second or a thousandth of one.

    Args:
        text: Such as ``2026-11-22``, ``2026-11-22 06:11`` or ``2026-11-22T06:11:38.120+01:00``;
            without an offset, or ``Z`` for none, of the local time zone.

    Returns:
        When it begins and when the next one of its kind begins, seconds since 1970.

    Raises:
        QueryError: It is none.
    """
    found = _MOMENT.fullmatch(text)
    if found is None:
        raise QueryError(
            f"{text[:80]!r} is no moment: write '2026-11-22', '2026-11-22 06:11' or that with an"
            " offset, such as '2026-11-22 06:11+01:00'"
        )
    try:
        begin = datetime.fromisoformat(text.replace("Z", "+00:00"))  # Python 3.10 knows no Z
        return begin.timestamp(), (begin + _length(text, found)).timestamp()
    except (ValueError, OverflowError, OSError) as error:
        raise QueryError(f"{text[:80]!r} is no moment: {error}") from None


def _length(text: str, found: re.Match[str]) -> timedelta:
    if found["part"]:
        return timedelta(milliseconds=1)
    if found["second"]:
        return timedelta(seconds=1)
    return timedelta(minutes=1) if ":" in text else timedelta(days=1)
