"""A piece of SQL with the values that are bound to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Condition", "joined"]


@dataclass(frozen=True)
class Condition:
    """A condition on, or an order of, the rows of the index's table ``runs``.

    Args:
        sql: The SQL, with a ``?`` for each value; a condition is 0 or 1, never NULL.
        values: The values, in the order of the marks.
        names: The parameters and metrics that it speaks of: kind (``param`` or ``metric``), name.
    """

    sql: str
    values: tuple[Any, ...] = ()
    names: tuple[tuple[str, str], ...] = ()


def joined(word: str, parts: Sequence[Condition]) -> Condition:
    """Join conditions with AND or OR.

    Args:
        word: ``AND`` or ``OR``.
        parts: The conditions, at least one.

    Returns:
        The one that they make.

    >>> joined("OR", [Condition("a = ?", (1,)), Condition("b = ?", (2,))])
    Condition(sql='(a = ? OR b = ?)', values=(1, 2), names=())
    """
    if len(parts) == 1:
        return parts[0]
    return Condition(
        f"({f' {word} '.join(part.sql for part in parts)})",
        tuple(value for part in parts for value in part.values),
        tuple(name for part in parts for name in part.names),
    )
