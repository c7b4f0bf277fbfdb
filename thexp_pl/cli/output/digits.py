"""How many digits of a mean are shown: as many as its deviation warrants."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from thexp_pl.compare.sample import Sample

__all__ = ["fixed_text", "interval_text", "mean_text"]

_MOST = 8  # digits behind the point


def mean_text(sample: Sample) -> str:
    """Write a mean with its deviation, of which two digits are shown.

    Args:
        sample: The values.

    Returns:
        ``mean ± deviation``; the mean alone where there is no deviation, and ``-`` for no values.

    >>> from thexp_pl.compare.sample import Sample
    >>> mean_text(Sample(3, 0.912345, 0.0123))
    '0.912 ± 0.012'
    >>> mean_text(Sample(3, 91234.5, 123.4)), mean_text(Sample(1, 0.912346)), mean_text(Sample(0))
    ('91234 ± 123', '0.91235', '-')
    """
    if sample.mean is None:
        return "-"
    if sample.std is None:
        return f"{sample.mean:.5g}"
    return f"{fixed_text(sample.mean, sample.std)} ± {fixed_text(sample.std, sample.std)}"


def interval_text(interval: tuple[float, float] | None, std: float | None) -> str:
    """Write an interval with the digits of the deviation.

    Args:
        interval: Where it begins and ends; None where it cannot be told.
        std: The deviation of the values.

    Returns:
        ``[low, high]``, or ``-``.
    """
    if interval is None:
        return "-"
    low, high = interval
    return f"[{fixed_text(low, std)}, {fixed_text(high, std)}]"


def fixed_text(value: float, std: float | None) -> str:
    """Write a number down to the second digit of a deviation.

    Args:
        value: The number.
        std: The deviation; without one, five digits are written.

    Returns:
        The text.

    >>> fixed_text(0.912345, 0.0123), fixed_text(3.21e-12, 4.5e-13)
    ('0.912', '3.21e-12')
    """
    if not std or not math.isfinite(std):
        return f"{value:.5g}"
    digits = 1 - math.floor(math.log10(std))
    if digits > _MOST or abs(value) >= 1e15:
        # as many digits of the value as reach down to the second one of the deviation
        above = math.floor(math.log10(abs(value))) if value else 0
        return f"{value:.{min(max(above + digits, 1), 15)}e}"
    return f"{value:.{max(digits, 0)}f}"
