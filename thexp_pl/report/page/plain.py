"""Values as a page can hold them: what JavaScript reads from JSON without changing it."""

from __future__ import annotations

import math
from typing import Any

from thexp_pl.jsonable import to_jsonable

__all__ = ["number", "plain"]

_EXACT = 2**53  # beyond it JavaScript's numbers leave integers out


def plain(value: Any) -> Any:
    """Convert a value to what a page's data holds.

    Args:
        value: Anything; see `thexp_pl.jsonable`.

    Returns:
        JSON values; an integer that JavaScript would round is a text.

    >>> plain({"seed": 2**60, "lr": float("inf")})
    {'seed': '1152921504606846976', 'lr': 'Infinity'}
    """
    return _exact(to_jsonable(value))


def number(value: float) -> float | str:
    """Give a number as JSON has it: NaN and the infinities as texts.

    Args:
        value: The number.
    """
    return value if math.isfinite(value) else str(to_jsonable(value))


def _exact(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _exact(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_exact(each) for each in value]
    if isinstance(value, int) and not -_EXACT <= value <= _EXACT:
        return _digits(value)
    return value


def _digits(value: int) -> str:
    try:
        return str(value)
    except ValueError:  # Python prints no more than some thousand digits
        return hex(value)
