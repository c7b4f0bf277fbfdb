"""The numbers that a run is given: steps, epochs and the values of metrics."""

from __future__ import annotations

from typing import Any

from thexp_pl.errors import UsageError
from thexp_pl.record.names import shown

__all__ = ["as_count", "as_number"]

_BITS = 63  # what other readers of the file take for an integer


def as_number(name: object, value: Any) -> float:
    """Make a float of the value of a metric.

    Args:
        name: The metric.
        value: A number, or a tensor of one element on any device.

    Returns:
        The value, NaN and the infinities included.

    Raises:
        UsageError: It is no number that a float can hold.
    """
    try:
        return float(value)
    except Exception:  # noqa: BLE001 - a tensor raises what it likes
        raise UsageError(
            f"the metric {shown(str(name))} is {_described(value)}, a {type(value).__name__}:"
            " give a number that a float can hold, or a tensor of one real element"
        ) from None


def as_count(name: str, value: Any) -> int | None:
    """Make an int of a step or an epoch.

    Args:
        name: ``"step"`` or ``"epoch"``.
        value: A whole number, or None.

    Returns:
        The number.

    Raises:
        UsageError: It is no number, or one of more than 63 bits.
    """
    if value is None:
        return None
    try:
        count = int(value)
    except Exception:  # noqa: BLE001 - a tensor raises what it likes
        count = None
    if count is None or count.bit_length() > _BITS:
        raise UsageError(
            f"the {name} is {_described(value)}, a {type(value).__name__}: give a whole number of"
            f" at most {_BITS} bits, or None"
        )
    return count


def _described(value: Any) -> str:
    try:
        return shown(str(value))
    except Exception:  # noqa: BLE001 - an int that Python refuses to print, or anyone's class
        return "not printable"
