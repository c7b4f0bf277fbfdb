"""What may be assigned to a parameter: `Arange` an interval, `Choice` a list of values."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from thexp_pl.errors import BoundCheckError, ParamsError, near_miss
from thexp_pl.params.plain import canonical, shown

__all__ = ["Arange", "Bound", "Choice"]


@dataclass(frozen=True)
class Arange:
    """A closed interval of numbers.

    Args:
        left: The smallest value allowed.
        right: The largest value allowed.

    Raises:
        ParamsError: If no number lies between them.
    """

    left: float = -math.inf
    right: float = math.inf

    def __post_init__(self) -> None:
        if not (_is_number(self.left) and _is_number(self.right) and self.left <= self.right):
            raise ParamsError(f"arange from {self.left!r} to {self.right!r} holds no number")

    def check(self, name: str, value: Any) -> None:
        """Raise `BoundCheckError` unless ``left <= value <= right``; a 0-d tensor is a number."""
        if not _is_number(value):
            raise BoundCheckError(f"{name}: {shown(value)} is no number; it must be {self}")
        if not self.left <= value <= self.right:  # NaN fails both comparisons
            raise BoundCheckError(f"{name}: {shown(value)} is out of bounds; it must be {self}")

    def __str__(self) -> str:
        return f"a number from {self.left!r} to {self.right!r}"


@dataclass(frozen=True)
class Choice:
    """A list of allowed values.

    Args:
        choices: The values, in the order they were given; the first is the default.

    Raises:
        ParamsError: If the list is empty.
    """

    choices: tuple[Any, ...]

    def __post_init__(self) -> None:
        if not self.choices:
            raise ParamsError("choice needs at least one value to choose from")

    def check(self, name: str, value: Any) -> None:
        """Raise `BoundCheckError` unless the value equals a choice (1.0 is 1, True is not)."""
        if not any(canonical(value) == canonical(choice) for choice in self.choices):
            hint = near_miss(str(value), map(str, self.choices))
            raise BoundCheckError(f"{name}: {shown(value)} is not allowed; it must be {self}{hint}")

    def __str__(self) -> str:
        return "one of " + ", ".join(map(repr, self.choices))


Bound = Arange | Choice


def _is_number(value: Any) -> bool:
    if isinstance(value, (bool, str)):
        return False
    try:
        return bool(value <= math.inf) or bool(value != value)  # NaN is a number of a kind
    except (TypeError, ValueError, RuntimeError):  # of other kinds, or of several elements
        return False
