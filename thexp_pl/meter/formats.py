"""How a value in a Meter is written: one line of text each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeAlias

from thexp_pl.meter.values import is_tensor, number_of

__all__ = ["Formats", "decimal", "first_line", "percentage", "text_of"]

Format: TypeAlias = Callable[[Any], str]
# by the name of a value, or by its type; the name comes first
Formats: TypeAlias = dict["str | type", Format]


def first_line(value: object) -> str:
    """Write a value as text and keep its first line, with ``...`` where there were more.

    >>> first_line("one"), first_line("one\\ntwo")
    ('one', 'one...')
    """
    try:
        text = str(value.detach() if is_tensor(value) else value)  # type: ignore[attr-defined]
    except ValueError:  # Python refuses to write ints of more than 4300 decimal digits
        text = hex(value) if isinstance(value, int) else object.__repr__(value)
    lines = text.splitlines() or [""]
    return lines[0] if len(lines) == 1 else f"{lines[0]}..."


def default_text(value: Any) -> str:
    """Write a value for which no format was declared: Python's ints bare, numbers to 4 places."""
    number = None if isinstance(value, int) else number_of(value)
    return first_line(value) if number is None else f"{number:.4f}"


def decimal(value: Any, acc: int, sign: str = "") -> str:
    """Write a number with `acc` decimal places; what is no number as if without a format."""
    number = int(value) if isinstance(value, bool) else number_of(value)
    try:
        return default_text(value) if number is None else f"{number:.{acc}{sign or 'f'}}"
    except OverflowError:  # an int too large to be a float
        return default_text(value)


percentage = partial(decimal, sign="%")


def text_of(name: str, value: Any, formats: Mapping[str | type, Format]) -> str:
    """Write a value by the format of its name, else of its type, else by default.

    Args:
        name: The name the value is stored under.
        value: The value.
        formats: The declared formats, by name and by type (base classes count).

    Returns:
        One line of text.
    """
    if formats:
        keys: tuple[str | type, ...] = (name, *type(value).__mro__)
        for key in keys:
            if key in formats:
                return formats[key](value)
    return default_text(value)
