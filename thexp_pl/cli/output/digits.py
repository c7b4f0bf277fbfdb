"""How many digits of a mean are shown: as many as its deviation warrants."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from thexp_pl.compare.sample import Sample

__all__ = ["fixed_text", "interval_text", "mean_text", "single_text"]

_MOST = 8  # digits behind the point
_EXACT = 15  # digits of a float that are its own


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


def single_text(value: float | None, std: float | None) -> str:
    """Write one of some values: in five digits, or in as many as their mean has where that is more.

    Args:
        value: The value; None for none.
        std: The deviation of all of them.

    Returns:
        The text; empty for no value.

    >>> single_text(0.99811, 0.13), single_text(123456.9471, 0.41), single_text(None, None)
    ('0.99811', '123456.95', '')
    """
    if value is None:
        return ""
    if not value or not std or not math.isfinite(std):
        return f"{value:.5g}"
    below = math.floor(math.log10(abs(value))) - math.floor(math.log10(std))
    return fixed_text(value, std) if below > 3 else f"{value:.5g}"  # with the deviation's second


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
    # how many digits of the value reach down to the second one of the deviation
    above = math.floor(math.log10(abs(value))) if value else 0
    if above + digits >= _EXACT:
        return f"{value:.{_EXACT}g}"
    if digits > _MOST or abs(value) >= 1e15:
        return f"{value:.{max(above + digits, 1)}e}"
    return f"{value:.{max(digits, 0)}f}"
