"""The space of a search: what the texts of the options that vary mean to a sampler."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from thexp_pl.errors import UsageError
from thexp_pl.record.names import shown
from thexp_pl.sweeps.values import read_values

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

__all__ = ["Choice", "Range", "SearchSpace", "range_of", "read_space"]

_NUMBER = r"[+-]?(?:\d+\.?|\d*\.\d+)(?:[eE][+-]?\d+)?"
_RANGE = re.compile(rf"\s*((?:{_NUMBER})?)\.\.((?:{_NUMBER})?)(?:\.\.({_NUMBER}))?(:\w*)?\s*")
_WHOLE = re.compile(r"[+-]?\d+")
_MOST_CHOICES = 10_000
_MOST = 1 << 53  # beyond it a sampler's floats skip whole numbers


@dataclass(frozen=True)
class Range:
    """Numbers from one to another, both in.

    Args:
        low: The least.
        high: The greatest.
        step: What lies between two of them; None for all numbers, of whole ones 1.
        log: Whether small ones are looked at as closely as large ones.
        is_whole: Whether they are whole numbers.
    """

    low: float
    high: float
    step: float | None = None
    log: bool = False
    is_whole: bool = False

    def ends(self) -> tuple[str, ...]:
        """Give its least and its greatest value, as they are typed."""
        return self.text(self.low), self.text(self.high)

    def text(self, value: Any) -> str:
        """Spell a value so that it is read back as the very same number."""
        return str(int(value)) if self.is_whole else repr(float(value))

    def distribution(self) -> BaseDistribution:
        """Give what a sampler takes."""
        from optuna.distributions import FloatDistribution, IntDistribution

        if self.is_whole:
            step = 1 if self.step is None else int(self.step)
            return IntDistribution(int(self.low), int(self.high), log=self.log, step=step)
        return FloatDistribution(self.low, self.high, log=self.log, step=self.step)


@dataclass(frozen=True)
class Choice:
    """Some values, without an order.

    Args:
        values: As they are typed.
    """

    values: tuple[str, ...]

    def ends(self) -> tuple[str, ...]:
        """Give them all."""
        return self.values

    def text(self, value: Any) -> str:
        """Give a value as it is typed."""
        return str(value)

    def distribution(self) -> BaseDistribution:
        """Give what a sampler takes."""
        from optuna.distributions import CategoricalDistribution

        return CategoricalDistribution(self.values)


@dataclass(frozen=True)
class SearchSpace:
    """What is searched.

    Args:
        dimensions: By the dotted name of an option what it may be.

    Raises:
        UsageError: There is nothing to search.
    """

    dimensions: Mapping[str, Range | Choice]

    def __post_init__(self) -> None:
        if not self.dimensions:
            raise UsageError(
                "a search needs an option that varies: give a range such as --lr=1e-4..1e-1:log,"
                " or a list such as --optim=sgd,adam"
            )

    def extremes(self) -> Iterator[dict[str, str]]:
        """Give points that are to be checked before a search begins.

        Returns:
            Points in which each end of each range, and each value of a choice, stands once at
            least.
        """
        ends = {name: dimension.ends() for name, dimension in self.dimensions.items()}
        for place in range(max(map(len, ends.values()))):
            yield {name: values[place % len(values)] for name, values in ends.items()}

    def values(self, suggested: Mapping[str, Any]) -> dict[str, str]:
        """Spell what a sampler has suggested, as flags take it.

        Args:
            suggested: By name a value of its dimension.

        Returns:
            By name its text, in the order of the space.
        """
        return {name: each.text(suggested[name]) for name, each in self.dimensions.items()}

    def distributions(self) -> dict[str, BaseDistribution]:
        """Give what a sampler takes, by name."""
        return {name: each.distribution() for name, each in self.dimensions.items()}


def read_space(options: Mapping[str, str]) -> SearchSpace:
    """Read the options that vary in a search.

    Args:
        options: By dotted name what is typed after it: a range, or a list as
            `thexp_pl.sweeps.values` reads it. One that holds a single value is left out.

    Returns:
        The space.

    Raises:
        UsageError: A range or a list cannot be meant, a list is endless, or nothing varies.
    """
    found: dict[str, Range | Choice] = {}
    for name, text in options.items():
        numbers = range_of(name, text)
        if numbers is not None:
            found[name] = numbers
            continue
        values = read_values(name, text)
        if len(values) > _MOST_CHOICES:
            raise UsageError(
                f"--{name} has {len(values):,} values to choose from: give a range, or"
                f" {_MOST_CHOICES:,} at most"
            )
        if len(values) > 1:
            found[name] = Choice(tuple(dict.fromkeys(values)))
    return SearchSpace(found)


def range_of(name: str, text: str) -> Range | None:
    """Read a range, such as ``1..8``, ``0..100..10``, ``0.1..0.9`` or ``1e-4..1e-1:log``.

    Args:
        name: The option, for a message.
        text: What is typed after it.

    Returns:
        The range; None where the text is none.

    Raises:
        UsageError: It is one that holds no number, or cannot be meant.

    >>> range_of("lr", "1e-4..1e-1:log")
    Range(low=0.0001, high=0.1, step=None, log=True, is_whole=False)
    >>> range_of("depth", "1..8").is_whole, range_of("path", "../data")
    (True, None)
    """
    found = _RANGE.fullmatch(text)
    if found is None or not (found[1] or found[2]):
        return None
    low, high, step, scale = found.groups()
    told = f"--{name}={shown(text)[1:-1]}"
    if not low or not high:
        raise UsageError(f"{told}: a range has two ends, such as 1..8")
    if scale not in (None, ":log"):
        raise UsageError(f"{told}: a range may end in :log, not in {shown(scale)}")
    is_whole = all(each is None or _WHOLE.fullmatch(each) for each in (low, high, step))
    ends = float(low), float(high)
    return _checked(
        told, Range(*ends, None if step is None else float(step), scale is not None, is_whole)
    )


def _checked(told: str, found: Range) -> Range:
    fault = ""
    if not all(map(math.isfinite, (found.low, found.high, found.step or 0))):
        fault = "its numbers are too large"
    elif found.low > found.high:
        fault = "its first end is above its second; turn them round"
    elif found.step is not None and not found.step > 0:
        fault = "its step is not above 0"
    elif found.log and found.low <= 0:
        fault = "a range with :log lies above 0"
    elif found.log and found.step is not None:
        fault = "a range with :log has no step"
    elif found.is_whole and max(abs(found.low), abs(found.high)) > _MOST:
        fault = "whole numbers of a search lie within 2**53"
    if fault:
        raise UsageError(f"{told}: {fault}")
    if found.step is None:
        return found
    # the last that the steps reach, which a sampler would else say in a warning
    low, high, step = (Decimal(str(each)) for each in (found.low, found.high, found.step))
    return replace(found, high=float(low + (high - low) // step * step))
