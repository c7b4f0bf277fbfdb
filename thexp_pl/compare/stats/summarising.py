"""From recorded runs to the statistics of their repeats."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from thexp_pl.compare.metric import Metric, choose_metrics
from thexp_pl.compare.sample import Sample
from thexp_pl.compare.stats.between import mean_tests, values_by
from thexp_pl.compare.stats.doubts import doubts_of, notes_of
from thexp_pl.compare.stats.repeats import Repeats, find_repeats, find_seed
from thexp_pl.compare.stats.students import MeanTest, interval_of
from thexp_pl.compare.stats.summary import Group, Measured, Summary
from thexp_pl.compare.values import MISSING, as_names, identity, rank
from thexp_pl.errors import UsageError
from thexp_pl.record.names import shown
from thexp_pl.runs.row import RunRow

__all__ = ["ALL_BUT_SEED", "summarise"]

ALL_BUT_SEED = "all-but-seed"
_MOST_TESTED = 20  # groups; 190 pairs
_NO_TEST = (
    "no groups of two or more values that vary, as far as floats can hold and tell them, so no"
    " test, of"
)
_WITHOUT_SCIPY = (
    "scipy is not installed, so there are means and deviations only: `pip install"
    " 'thexp-pl[stats]'` brings confidence intervals and tests"
)


def summarise(
    rows: Iterable[RunRow],
    *,
    by: str | Sequence[str] | None = None,
    metrics: str | Sequence[str] = (),
    seed: str = "",
    confidence: float = 0.95,
    mix: bool = False,
    unfinished: bool = False,
    lineage: Iterable[RunRow] = (),
) -> Summary:
    """Summarise repeated runs: means, deviations, intervals, and tests between groups.

    Args:
        rows: The runs, as the index tells of them; their order has no part in the result.
        by: Names of parameters, metrics or facts: runs that have the same of these are repeats.
            None, or `ALL_BUT_SEED` alone, for all parameters but the seed, and the experiment.
        metrics: Names of metrics, with ``.min``, ``.max`` or ``.mean`` where not the last value is
            meant; none means the last values of all.
        seed: The parameter that is the seed; by default ``seed``, or the one that ends with
            ``.seed``.
        confidence: Of the intervals, between 0 and 1.
        mix: Leave runs together whose code, packages or Python differ.
        unfinished: Take in runs that have not finished; damaged ones never count.
        lineage: Other runs, which do not count: a copy of one of them that is itself a copy of one
            that counts is known as such by them.

    Returns:
        The summary. Without scipy it has neither intervals nor tests, and says so.

    Raises:
        UsageError: A name is not there, or `confidence` is no probability.
    """
    if not (confidence > 0 and (1 + confidence) / 2 < 1):  # what the quantile is taken of
        raise UsageError(
            f"the confidence {confidence!r} is not between 0 and 1, as far as floats can tell: give"
            " 0.95"
        )
    given = sorted(rows, key=lambda run: (run.started, run.key, str(run.root), run.experiment))
    known = {name for run in given for name in run.metrics}
    counted = [run for run in given if _counts(run, unfinished)]
    chosen = choose_metrics(as_names(metrics), sorted(known))
    seed = find_seed(seed, given)
    parents = {run.key: run.parent for run in (*lineage, *given)}
    found = find_repeats(counted, _grouping(by), seed, mix=mix, parents=parents)
    usable = _has_scipy()
    groups = [
        _group(number, repeats, chosen, confidence if usable else None)
        for number, repeats in enumerate(found, 1)
    ]
    tests, untested = _tests(chosen, found, groups, confidence) if usable else ([], _WITHOUT_SCIPY)
    return Summary(
        seed=seed,
        confidence=confidence,
        metrics=tuple(metric.title for metric in chosen),
        groups=tuple(groups),
        tests=tuple(tests),
        warnings=tuple(doubts_of(found, groups, mix=mix)),
        notes=(*notes_of(given, counted, found, seed), *filter(None, [untested])),
    )


def _grouping(by: str | Sequence[str] | None) -> list[str] | None:
    names = None if by is None else as_names(by)
    if names is None or names == [ALL_BUT_SEED]:
        return None
    if ALL_BUT_SEED in names:
        raise UsageError(f"{ALL_BUT_SEED} stands for all that makes groups: give it alone")
    return names


def _counts(run: RunRow, unfinished: bool) -> bool:
    return run.status == "finished" or (unfinished and run.status != "damaged")


def _has_scipy() -> bool:
    try:
        import scipy.stats  # type: ignore[import-untyped]  # noqa: F401 - is it there, and whole?
    except ImportError:
        return False
    return True


def _tests(
    metrics: Sequence[Metric], found: Sequence[Repeats], groups: Sequence[Group], confidence: float
) -> tuple[list[MeanTest], str]:
    if len(groups) > _MOST_TESTED:
        return [], f"{len(groups)} groups are too many to test; choose at most {_MOST_TESTED}"
    tests: list[MeanTest] = []
    without = []
    for metric in metrics:
        own = mean_tests(metric, found, groups, confidence)
        tests += own
        if not own and len(groups) > 1:
            without.append(metric.title)
    return tests, f"{_NO_TEST} {', '.join(map(shown, without))}" if without else ""


def _group(
    number: int, repeats: Repeats, metrics: Sequence[Metric], confidence: float | None
) -> Group:
    seeds = {identity(one.seed): one.seed for one in repeats.repeats if one.seed is not MISSING}
    return Group(
        number,
        repeats.values,
        tuple(one.run.key for one in repeats.repeats),
        tuple(sorted(seeds.values(), key=rank)),
        {metric.title: _measured(metric, repeats, confidence) for metric in metrics},
    )


def _measured(metric: Metric, repeats: Repeats, confidence: float | None) -> Measured:
    values = [(one.run.key, metric.value(one.run.metrics)) for one in repeats.repeats]
    sample = Sample.of(values_by("unit", metric, repeats).values())
    return Measured(
        sample,
        None if confidence is None else interval_of(sample, confidence),
        tuple(key for key, value in values if value is not None and not math.isfinite(value)),
        tuple(key for key, value in values if value is None),
    )
