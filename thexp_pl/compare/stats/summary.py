"""The statistics of repeated runs: what they are made of, and what they say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from thexp_pl.compare.sample import Sample
from thexp_pl.compare.stats.students import Interval, MeanTest
from thexp_pl.compare.values import MISSING

__all__ = ["Group", "Measured", "Summary"]


@dataclass(frozen=True)
class Measured:
    """One metric in one group.

    Args:
        sample: The values; of runs that are the same again their mean, as one value.
        interval: The confidence interval of the mean; None where it cannot be told.
        diverged: Keys of the runs whose value is NaN or infinite: they are not in the sample.
        missing: Keys of the runs that have no such metric.
    """

    sample: Sample
    interval: Interval | None
    diverged: tuple[str, ...]
    missing: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Give the fields by name, the interval as ``low`` and ``high``."""
        low, high = self.interval or (None, None)
        names = {"diverged": list(self.diverged), "missing": list(self.missing)}
        return {**self.sample.to_dict(), "low": low, "high": high, **names}


@dataclass(frozen=True)
class Group:
    """Repeated runs.

    Args:
        number: Its number, from 1.
        values: What tells it from the other groups, by name; `MISSING` where its runs have none.
        keys: The keys of its runs.
        seeds: Their seeds, each once, sorted.
        metrics: By the metric's title what became of it.
    """

    number: int
    values: Mapping[str, Any]
    keys: tuple[str, ...]
    seeds: tuple[Any, ...]
    metrics: Mapping[str, Measured]

    def to_dict(self) -> dict[str, Any]:
        """Give the fields by name; what is missing is left out."""
        return {
            "group": self.number,
            "by": {name: value for name, value in self.values.items() if value is not MISSING},
            "keys": list(self.keys),
            "seeds": list(self.seeds),
            "metrics": {name: measured.to_dict() for name, measured in self.metrics.items()},
        }


@dataclass(frozen=True)
class Summary:
    """The statistics of repeated runs.

    Args:
        seed: The parameter that is the seed; empty where there is none.
        confidence: Of all intervals.
        metrics: The metrics' titles.
        groups: The groups.
        tests: The tests between every two groups.
        warnings: What makes the numbers doubtful, in sentences.
        notes: What was done with the runs, in sentences.
    """

    seed: str
    confidence: float
    metrics: tuple[str, ...]
    groups: tuple[Group, ...]
    tests: tuple[MeanTest, ...]
    warnings: tuple[str, ...]
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Give all as plain values, numbers in full precision."""
        return {
            "seed": self.seed,
            "confidence": self.confidence,
            "groups": [group.to_dict() for group in self.groups],
            "tests": [asdict(test) for test in self.tests],
            "warnings": list(self.warnings),
            "notes": list(self.notes),
        }
