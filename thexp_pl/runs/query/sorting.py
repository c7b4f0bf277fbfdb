"""The name by which runs are sorted."""

from __future__ import annotations

from thexp_pl.errors import QueryError
from thexp_pl.record.names import shown
from thexp_pl.runs.query.condition import Condition
from thexp_pl.runs.query.names import Name, plain_name
from thexp_pl.runs.query.operands import operand
from thexp_pl.runs.query.parsing import located, parse

__all__ = ["compile_sort", "read_name"]

_KINDS = {"params": "param", "metrics": "metric"}


def read_name(text: str) -> Name:
    """Read one name of a query.

    Args:
        text: The name; one of a parameter or metric may hold signs as it is: ``metrics.val/acc``.

    Returns:
        What it stands for.

    Raises:
        QueryError: There is no such name.
    """
    name = plain_name(text)
    if name is None:
        node = parse(text)
        with located(text, node):
            found = operand(node)
            if not isinstance(found, Name):
                raise QueryError(f"{shown(text)} is no name, such as started or metrics.acc.max")
            name = found
    return name


def compile_sort(text: str, *, reverse: bool = False) -> Condition:
    """Make an order of a name.

    Args:
        text: The name.
        reverse: The greatest first.

    Returns:
        The order: numbers before texts, runs without a value last either way, runs that are equal
        by their start and key. Its values are bound after those of a condition.

    Raises:
        QueryError: There is no such name.

    >>> compile_sort("seconds").sql
    'coalesce(runs."seconds", x\\'\\') ASC, runs.started ASC, runs.key ASC'
    """
    name = read_name(text)
    values: tuple[str, ...] = ()
    if name.table == "runs":
        value = name.in_order("runs", name.kinds[0])
        if name.kinds == ("text",):
            value = f"nullif({value}, '')"
    else:
        column = 'coalesce("number", "text")' if name.table == "params" else f'"{name.column}"'
        value = (
            f"(SELECT {column} FROM {name.table}"
            " WHERE name = (SELECT id FROM names WHERE kind = ? AND name = ?) AND run = runs.id)"
        )
        values = (_KINDS[name.table], name.name)
    names = ((values[0], values[1]),) if values else ()
    descending = reverse != (name.reads == "age")
    way = "DESC" if reverse else "ASC"
    ties = f"runs.started {way}, runs.key {way}"
    if name.text == "started":
        return Condition(ties)  # as it stands, for there is an index of these two
    # NULL comes before all else and a blob after it: a run without a value is last either way.
    first = f"{value} DESC" if descending else f"coalesce({value}, x'') ASC"
    return Condition(f"{first}, {ties}", values, names)
