"""Tests between the groups of repeated runs."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from itertools import combinations
from typing import Literal

from thexp_pl.compare.metric import Metric
from thexp_pl.compare.sample import Sample
from thexp_pl.compare.stats.repeats import Repeats
from thexp_pl.compare.stats.students import MeanTest, corrected, paired, welch
from thexp_pl.compare.stats.summary import Group
from thexp_pl.compare.values import MISSING, identity

__all__ = ["mean_tests", "values_by"]


def mean_tests(
    metric: Metric, found: Sequence[Repeats], groups: Sequence[Group], confidence: float
) -> list[MeanTest]:
    """Test every two groups: by pairs where they share seeds, and by all their values.

    Args:
        metric: The metric.
        found: The groups' runs.
        groups: The groups, in the same order.
        confidence: Of the intervals of the differences.

    Returns:
        The tests that can be made, paired ones first; those of each kind are corrected together.
    """
    units = [[*values_by("unit", metric, repeats).values()] for repeats in found]
    seeds = [values_by("seed", metric, repeats) for repeats in found]
    pairs: list[MeanTest] = []
    alls: list[MeanTest] = []
    for a, b in combinations(range(len(found)), 2):
        numbers = (groups[a].number, groups[b].number)
        for made, tests in (
            (paired(metric.title, numbers, seeds[a], seeds[b], confidence), pairs),
            (welch(metric.title, numbers, units[a], units[b], confidence), alls),
        ):
            if made is not None:
                tests.append(made)
    return [*corrected(pairs), *corrected(alls)]


def values_by(
    what: Literal["unit", "seed"], metric: Metric, repeats: Repeats
) -> dict[Hashable, float]:
    """Give the finite values of a metric in a group.

    Args:
        what: By what they are told apart: of one seed, or of runs that are the same again, there is
            one value, the mean.
        metric: The metric.
        repeats: The group's runs.

    Returns:
        The values by unit, or by seed; runs without a seed have no part in the latter.
    """
    found: dict[Hashable, list[float]] = {}
    for one in repeats.repeats:
        value = metric.value(one.run.metrics)
        if value is None or not math.isfinite(value) or (what == "seed" and one.seed is MISSING):
            continue
        found.setdefault(one.unit if what == "unit" else identity(one.seed), []).append(value)
    return {key: _mean(values) for key, values in found.items()}


def _mean(values: list[float]) -> float:
    return values[0] if len(values) == 1 else Sample.of(values).mean or 0.0
