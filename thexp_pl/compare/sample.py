"""The values of one metric in several runs, in short."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

__all__ = ["Sample"]


@dataclass(frozen=True, slots=True)
class Sample:
    """What there is to say of some finite values; their order has no part in it.

    Args:
        n: How many there are.
        mean: Their mean; None where there are none.
        std: Their standard deviation as that of a sample (n - 1); None for fewer than two.
        min: The least of them.
        max: The greatest of them.
    """

    n: int
    mean: float | None = None
    std: float | None = None
    min: float | None = None
    max: float | None = None

    @classmethod
    def of(cls, values: Iterable[float]) -> Sample:
        """Describe values.

        Args:
            values: Finite numbers.

        Returns:
            The sample. The mean is rounded once, at its end: equal values have no deviation.

        >>> Sample.of([0.1, 0.1, 0.4])
        Sample(n=3, mean=0.2, std=0.17320508075688773, min=0.1, max=0.4)
        """
        import statistics  # only where something is summarised

        found = sorted(values)
        if not found:
            return cls(0)
        mean = statistics.mean(found)
        try:
            std = statistics.stdev(found) if len(found) > 1 else None
        except OverflowError:  # the square is larger than any float
            std = math.inf
        return cls(len(found), mean, std, found[0], found[-1])

    def to_dict(self) -> dict[str, Any]:
        """Give the fields by name."""
        return {"n": self.n, "mean": self.mean, "std": self.std, "min": self.min, "max": self.max}
