"""Curves as a script has them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from thexp_pl.errors import UsageError
from thexp_pl.record.names import shown
from thexp_pl.report.board.values import Curve

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["Given", "in_order"]

Given: TypeAlias = "Curve | tuple[ArrayLike, ArrayLike]"


def in_order(name: str, given: Given) -> Curve:
    """Put a curve in the order of its steps.

    Args:
        name: What it is called, for messages.
        given: Steps and values, or steps, times and values: lists, arrays or tensors.

    Returns:
        The curve; its times are NaN where none are given.

    Raises:
        UsageError: They are no numbers, or do not fit together.
    """
    try:
        steps, *times, values = (np.atleast_1d(np.asarray(_plain(column))) for column in given)
    except (TypeError, ValueError):  # one row of numbers, or rows within a row
        raise UsageError(f"the curve {shown(name)} is no pair: give (steps, values)") from None
    if steps.ndim != 1 or steps.shape != values.shape:
        raise UsageError(
            f"the curve {shown(name)} has steps of the shape {steps.shape} and values of"
            f" {values.shape}: give two rows of numbers that are of the same length"
        )
    try:
        if np.iscomplexobj(values):
            raise TypeError
        values = values.astype(np.float64)
        is_finite = bool(np.isfinite(steps).all())
    except (TypeError, ValueError):
        raise UsageError(f"the curve {shown(name)} holds something that is no number") from None
    if not is_finite:
        raise UsageError(f"the curve {shown(name)} has a step that is not finite")
    order = np.argsort(steps, kind="stable")
    ordered = times[0] if times else np.full(len(steps), np.nan)
    return Curve(steps[order], ordered[order], values[order])


def _plain(column: Any) -> Any:
    """Take a tensor, or each of a list, whatever its device and dtype and whoever derives it."""
    if hasattr(column, "detach"):
        return column.tolist()
    if isinstance(column, list | tuple):
        return [_plain(one) for one in column] if any(map(_is_tensor, column)) else column
    return column


def _is_tensor(value: Any) -> bool:
    return hasattr(value, "detach")
