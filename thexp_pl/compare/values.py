"""Values of parameters and metrics: which are the same, which comes first, and where is none."""

from __future__ import annotations

import json
import math
from collections.abc import Hashable, Iterable
from enum import Enum
from typing import Any

from thexp_pl.jsonable import to_jsonable

__all__ = ["MISSING", "Missing", "as_names", "differ", "identity", "number", "or_missing", "rank"]


class Missing(Enum):
    """What a run has in the place of a value that it does not have."""

    MISSING = "missing"


MISSING = Missing.MISSING
_KINDS = {"number": 0, "bool": 1, "text": 2, "null": 3, "json": 4, "missing": 5}


def identity(value: Any) -> tuple[str, Hashable]:
    """Give what is equal for the same values, and for them only.

    Args:
        value: A value as JSON has it, or `MISSING`.

    Returns:
        Its kind, and what tells it apart within that. 1 and 1.0 are the same number; True is none.

    >>> identity(1) == identity(1.0), identity(1) == identity(True), identity(1) == identity("1")
    (True, False, False)
    """
    if isinstance(value, str):
        return "text", value
    if isinstance(value, bool):
        return "bool", value
    if isinstance(value, int | float):
        return ("number", value) if value == value else ("text", "NaN")
    if value is None:
        return "null", None
    if value is MISSING:
        return "missing", None
    return "json", json.dumps(to_jsonable(value), sort_keys=True)


def as_names(given: str | Iterable[str]) -> list[str]:
    """Give names as a list; one that was given alone is a list of one."""
    return [given] if isinstance(given, str) else list(given)


def differ(values: Iterable[Any]) -> bool:
    """Say whether values are not all the same."""
    found = iter(values)
    first = identity(next(found, MISSING))
    return any(identity(value) != first for value in found)


def rank(value: Any) -> tuple[int, Any]:
    """Give a key to sort values of any kind by: numbers first, then texts, what is missing last.

    Args:
        value: A value as JSON has it, or `MISSING`; NaN counts as text.

    Returns:
        Something that can be compared with the rank of every other value.
    """
    kind, what = identity(value)
    return _KINDS[kind], 0 if what is None else what


def number(value: Any) -> float | None:
    """Read the value of a metric.

    Args:
        value: What the index gives: a float, None for what it could not keep, or the text of one.

    Returns:
        The float, NaN and the infinities included; None where there is no number.
    """
    if type(value) is float:
        return value
    if isinstance(value, bool) or value is None:
        return None
    try:
        return float(value)
    except (TypeError, ValueError):
        return None
    except OverflowError:  # an int that is larger than any float
        return math.inf if value > 0 else -math.inf


def or_missing(value: float | None) -> Any:
    """Give a number that may not be there; `MISSING` where it is not."""
    return MISSING if value is None else value
