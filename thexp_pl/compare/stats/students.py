"""Student's t: intervals of means and tests between two groups, as scipy computes them."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal

from thexp_pl.compare.sample import Sample

__all__ = ["Interval", "MeanTest", "corrected", "hedges_g", "interval_of", "paired", "welch"]

Interval = tuple[float, float]

_ROUNDING = 1e-12  # what vary by less than this part of themselves are the same but for rounding


@dataclass(frozen=True, slots=True)
class MeanTest:
    """A test of whether the means of two groups are the same.

    Args:
        metric: The metric.
        groups: The numbers of the two groups.
        kind: ``paired`` by the seeds that both have, or ``welch``, which supposes neither pairs nor
            equal variances.
        n: How many values of the first and of the second group it is about.
        difference: The mean of the first less that of the second.
        low: Where the confidence interval of the difference begins.
        high: Where it ends.
        t: The statistic.
        df: Its degrees of freedom.
        p: The probability of such a difference, or a larger one, where the means are the same; two
            sides.
        p_holm: The same, corrected by Holm for all tests of this kind of this metric.
        hedges_g: The difference of these values in pooled standard deviations, with Hedges'
            correction; None where they have none.
    """

    metric: str
    groups: tuple[int, int]
    kind: Literal["paired", "welch"]
    n: tuple[int, int]
    difference: float
    low: float
    high: float
    t: float
    df: float
    p: float
    p_holm: float
    hedges_g: float | None


def interval_of(sample: Sample, confidence: float) -> Interval | None:
    """Compute the confidence interval of a mean, from Student's t.

    Args:
        sample: The values.
        confidence: How often such intervals hold the true mean, between 0 and 1.

    Returns:
        Where it begins and ends; None where the values do not vary but for rounding, are fewer than
        two, or make it wider than floats can hold.

    Raises:
        ImportError: There is no scipy.
    """
    from scipy import stats  # type: ignore[import-untyped]  # it takes half a second

    if sample.mean is None or not _deviates(sample):
        return None
    quantile = float(stats.t.ppf((1 + confidence) / 2, sample.n - 1))
    half = quantile * ((sample.std or 0.0) / math.sqrt(sample.n))
    return (sample.mean - half, sample.mean + half) if math.isfinite(half) else None


def paired(
    metric: str,
    groups: tuple[int, int],
    first: Mapping[Any, float],
    second: Mapping[Any, float],
    confidence: float,
) -> MeanTest | None:
    """Test two groups by the pairs of values that have the same seed.

    Args:
        metric: The metric.
        groups: The groups' numbers.
        first: The first group's values by seed.
        second: The second's.
        confidence: Of the interval of the difference.

    Returns:
        The test; None for fewer than two pairs, and where all differences are the same but for
        rounding.
    """
    from scipy import stats

    # in an order that has nothing to do with that of the runs: the sums are the same to the bit
    pairs = sorted((first[seed], second[seed]) for seed in first.keys() & second.keys())
    sizes = [abs(value) for pair in pairs for value in pair]
    if not _vary([a - b for a, b in pairs], sizes):
        return None
    with _unwarned():
        one, two = [a for a, _ in pairs], [b for _, b in pairs]
        found = stats.ttest_rel(one, two)
        bounds = found.confidence_interval(confidence)
    difference = Sample.of(a - b for a, b in pairs).mean
    size = hedges_g(Sample.of(one), Sample.of(two))
    return _made(metric, groups, "paired", (len(one), len(two)), difference, found, bounds, size)


def welch(
    metric: str,
    groups: tuple[int, int],
    first: Sequence[float],
    second: Sequence[float],
    confidence: float,
) -> MeanTest | None:
    """Test two groups by all their values (Welch's test).

    Args:
        metric: The metric.
        groups: The groups' numbers.
        first: The first group's values.
        second: The second's.
        confidence: Of the interval of the difference.

    Returns:
        The test; None where a group has fewer than two values, or neither varies but for rounding.
    """
    from scipy import stats

    one, two = sorted(first), sorted(second)
    if min(len(one), len(two)) < 2 or not (_vary(one, one) or _vary(two, two)):
        return None
    with _unwarned():
        found = stats.ttest_ind(one, two, equal_var=False)
        bounds = found.confidence_interval(confidence)
    first_one, second_one = Sample.of(one), Sample.of(two)
    difference = (first_one.mean or 0.0) - (second_one.mean or 0.0)
    size = hedges_g(first_one, second_one)
    return _made(metric, groups, "welch", (len(one), len(two)), difference, found, bounds, size)


def hedges_g(first: Sample, second: Sample) -> float | None:
    """Compute the size of a difference in standard deviations (Hedges 1981, the usual correction).

    Args:
        first: The first group's values.
        second: The second's.

    Returns:
        Hedges' g, of the pooled deviation; None where a group has fewer than two values or neither
        varies but for rounding.
    """
    if first.std is None or second.std is None or first.mean is None or second.mean is None:
        return None
    if not (_deviates(first) or _deviates(second)):
        return None
    df = first.n + second.n - 2
    pooled = math.hypot(
        first.std * math.sqrt((first.n - 1) / df), second.std * math.sqrt((second.n - 1) / df)
    )
    if not pooled or not math.isfinite(pooled):
        return None
    return (first.mean - second.mean) / pooled * (1 - 3 / (4 * df - 1))


def corrected(tests: Sequence[MeanTest]) -> list[MeanTest]:
    """Correct the p values of tests that were made together (Holm 1979).

    Args:
        tests: The tests.

    Returns:
        The same, with `p_holm` set: the chance of even one false finding among all of them stays
        below what `p_holm` says.
    """
    order = sorted(range(len(tests)), key=lambda place: tests[place].p)
    result, above = list(tests), 0.0
    for rank, place in enumerate(order):
        above = max(above, min(1.0, tests[place].p * (len(tests) - rank)))
        result[place] = replace(tests[place], p_holm=above)
    return result


def _made(
    metric: str,
    groups: tuple[int, int],
    kind: Literal["paired", "welch"],
    n: tuple[int, int],
    difference: float | None,
    found: Any,
    bounds: Any,
    size: float | None,
) -> MeanTest | None:
    numbers = [float(value) for value in (found.statistic, found.df, found.pvalue, *bounds)]
    if difference is None or not all(map(math.isfinite, numbers)):  # beyond what floats can hold
        return None
    t, df, p, low, high = numbers
    return MeanTest(metric, groups, kind, n, difference, low, high, t, df, p, p, size)


def _deviates(sample: Sample) -> bool:
    if sample.min is None or sample.max is None or not math.isfinite(sample.std or 0.0):
        return False
    return _vary((sample.min, sample.max), (sample.min, sample.max))


def _vary(values: Sequence[float], sizes: Sequence[float]) -> bool:
    """Say whether values vary by more than numbers of some sizes are rounded to."""
    if len(values) < 2 or not all(map(math.isfinite, values)):
        return False
    # halves: a difference of two floats may be larger than any
    spread = max(values) / 2 - min(values) / 2
    return spread > _ROUNDING / 2 * max(map(abs, sizes))


@contextmanager
def _unwarned() -> Iterator[None]:
    """Keep back what scipy warns of values that hardly vary: such as do not are not tested."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        yield
