"""Repeated runs as one curve: their mean, and a band that says how far they lie apart."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from thexp_pl.report.extras import needed
from thexp_pl.report.figures.curves import Array, Curve

__all__ = ["Band", "Joined", "interpolated", "joined"]

Band = Literal["std", "ci", "minmax", "none"]
_CONFIDENCE = 0.95
_CELLS = 4_000_000  # numbers at a time


@dataclass(frozen=True)
class Joined:
    """The curves of repeated runs, as one.

    Args:
        x: All places where one of them has a point; float64, rising.
        mean: The mean there of those that have a finite value, NaN where none has.
        low: Where the band begins; NaN where fewer than two have a value.
        high: Where it ends.
    """

    x: Array
    mean: Array
    low: Array
    high: Array


def interpolated(curve: Curve, at: Array) -> Array:
    """Give the values of a curve between its points, on the straight line from one to the next.

    Args:
        curve: The curve.
        at: Where.

    Returns:
        Its own value at a point of its own; NaN outside of its range, and beside a value that is
        not finite.

    >>> curve = Curve(np.array([0.0, 2.0]), np.array([1.0, 5.0]))
    >>> interpolated(curve, np.array([-1.0, 0, 1, 2, 3]))
    array([nan,  1.,  3.,  5., nan])
    """
    after = np.searchsorted(curve.x, at)
    inside = (after > 0) & (after < len(curve.x))
    right = np.where(inside, after, 0)
    left = np.maximum(right - 1, 0)
    before, behind = curve.y[left], curve.y[right]
    with np.errstate(all="ignore"):  # what is not finite is put right below
        share = (at - curve.x[left]) / (curve.x[right] - curve.x[left])
        between = before * (1 - share) + behind * share
    # rounding may lead past both ends
    between = np.clip(between, np.fmin(before, behind), np.fmax(before, behind))
    found = np.where(inside & np.isfinite(before) & np.isfinite(behind), between, np.nan)
    place = np.minimum(after, len(curve.x) - 1)
    own = curve.x[place] == at
    found[own] = curve.y[place[own]]
    return found


def joined(curves: Sequence[Curve], units: Sequence[Hashable], band: Band) -> Joined:
    """Join the curves of repeated runs.

    Args:
        curves: One or more; steps that only some have are read between the points of the others,
            never outside of their range.
        units: Of each curve what it is a repeat of; those of the same unit count as one, with their
            mean.
        band: ``std``: one standard deviation (n - 1) to both sides; ``ci``: the 95 % confidence
            interval of the mean, by Student's t; ``minmax``: from the least to the greatest.

    Returns:
        The mean and the band.

    Raises:
        UsageError: ``ci`` needs scipy, and it is not installed.
    """
    whole = np.unique(np.concatenate([curve.x for curve in curves]))
    size = max(_CELLS // len(curves), 1)
    parts = []
    for start in range(0, len(whole), size):
        at = whole[start : start + size]
        rows = np.stack([interpolated(curve, at) for curve in curves])
        parts.append(_measured(_of_units(rows, units), band))
    return Joined(whole, *(np.concatenate(own) for own in zip(*parts, strict=True)))


def _of_units(rows: Array, units: Sequence[Hashable]) -> Array:
    places: dict[Hashable, list[int]] = {}
    for place, unit in enumerate(units):
        places.setdefault(unit, []).append(place)
    if len(places) == len(rows):
        return rows
    return np.stack([_measured(rows[own], "none")[0] for own in places.values()])


def _measured(rows: Array, band: Band) -> tuple[Array, Array, Array]:
    finite = np.isfinite(rows)
    n = finite.sum(axis=0)
    least = np.where(finite, rows, np.inf).min(axis=0)
    most = np.where(finite, rows, -np.inf).max(axis=0)
    with np.errstate(all="ignore"):  # where there is no value there is no mean
        # from the least on: values that are the same have no deviation
        above = np.where(finite, rows - least, 0.0)
        lift = above.sum(axis=0) / n
        mean = least + lift
        std = np.sqrt((np.where(finite, above - lift, 0.0) ** 2).sum(axis=0) / (n - 1))
        if band == "minmax":
            low, high = least, most
        else:
            half = std * _quantile(n) / np.sqrt(n) if band == "ci" else std
            low, high = mean - half, mean + half
    few = n < 2
    low, high = np.where(few, np.nan, low), np.where(few, np.nan, high)
    return np.where(n, mean, np.nan), low, high


def _quantile(n: Array) -> Array:
    """Give Student's t for a confidence interval of means of n values."""
    special = needed("scipy.special", "a band of confidence intervals", "stats")
    quantile: Array = special.stdtrit(np.maximum(n - 1, 1), (1 + _CONFIDENCE) / 2)
    return quantile
