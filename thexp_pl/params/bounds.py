"""What may be assigned to a parameter: `Arange` an interval, `Choice` a list of values."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from thexp_pl.errors import BoundCheckError, ParamsError, near_miss

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
        if not self.left <= self.right:
            raise ParamsError(f"arange from {self.left!r} to {self.right!r} holds no number")

    def check(self, name: str, value: Any) -> None:
        """Raise `BoundCheckError` unless ``left <= value <= right``."""
        if isinstance(value, (bool, str)) or not hasattr(value, "__float__"):
            raise BoundCheckError(f"{name}: {value!r} is no number; it must be {self}")
        if not self.left <= float(value) <= self.right:  # NaN fails both comparisons
            raise BoundCheckError(f"{name}: {value!r} is out of bounds; it must be {self}")

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
        """Raise `BoundCheckError` unless the value is one of the choices (True is not 1)."""
        if not any(type(value) is type(one) and value == one for one in self.choices):
            hint = near_miss(str(value), map(str, self.choices))
            raise BoundCheckError(f"{name}: {value!r} is not allowed; it must be {self}{hint}")

    def __str__(self) -> str:
        return "one of " + ", ".join(map(repr, self.choices))


Bound = Arange | Choice
