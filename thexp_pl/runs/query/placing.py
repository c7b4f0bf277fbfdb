"""Tests of one or two names as conditions on the rows of ``runs``.

A parameter or metric is looked for among all values of its name, which lie together in the index,
and the runs that pass are a set: so a condition is never NULL, and NOT, AND and OR mean what they
say.
"""

from __future__ import annotations

from thexp_pl.runs.query.condition import Condition
from thexp_pl.runs.query.names import Name

__all__ = ["absent", "alias_of", "placed", "placed_two"]

_NAME = "(SELECT id FROM names WHERE kind = ? AND name = ?)"
_SINGULAR = {"params": "param", "metrics": "metric"}
_NULLABLE = ("seconds", "point")  # columns of `runs`


def alias_of(name: Name) -> str:
    """Give what the table of a name is called in the test of it alone."""
    return "runs" if name.table == "runs" else "a"


def placed(name: Name, test: Condition, *, negated: bool = False) -> Condition:
    """Make a condition of a test of one name.

    Args:
        name: The name.
        test: The test, on the table that is called `alias_of` it; NULL counts as failed.
        negated: Runs that have the name and fail are asked for.

    Returns:
        The condition; it is 0 for runs that do not have the name.
    """
    sql = f"NOT coalesce({test.sql}, 0)" if negated else test.sql
    sql = " AND ".join(part for part in (_present(name, alias_of(name)), sql) if part)
    if name.table == "runs":
        return Condition(f"({sql})", test.values)
    return Condition(
        f"runs.id IN (SELECT a.run FROM {name.table} AS a WHERE a.name = {_NAME} AND {sql})",
        (*_key(name), *test.values),
        (_key(name),),
    )


def placed_two(left: Name, right: Name, test: str, *, negated: bool = False) -> Condition:
    """Make a condition of a test of two names.

    Args:
        left: One, on a table that is called ``a``.
        right: The other, on one called ``b``.
        test: The test; NULL counts as failed.
        negated: Runs that have both names and fail are asked for.

    Returns:
        The condition; it is 0 for runs that lack one of the names.
    """
    tables, keys, tests = [], [], []
    for alias, name in (("a", left), ("b", right)):
        tables.append(f"{name.table} AS {alias}")
        if name.table != "runs":
            keys.append(_key(name))
            tests.append(f"{alias}.name = {_NAME}")
        tests.append(_present(name, alias))
    runs = ["id" if name.table == "runs" else "run" for name in (left, right)]
    tests += [f"b.{runs[1]} = a.{runs[0]}", f"NOT coalesce({test}, 0)" if negated else f"({test})"]
    return Condition(
        f"runs.id IN (SELECT a.{runs[0]} FROM {', '.join(tables)}"
        f" WHERE {' AND '.join(part for part in tests if part)})",
        tuple(word for key in keys for word in key),
        tuple(keys),
    )


def absent(name: Name, *, negated: bool = False) -> Condition:
    """Make the condition that a run does not have a name.

    Args:
        name: The name; an empty text or list of a run is none.
        negated: The runs that have it are asked for.

    Returns:
        The condition.
    """
    if name.table != "runs":
        found = placed(name, Condition("1"))
    elif name.kinds == ("number",):
        found = Condition(f"({_present(name, 'runs') or '1'})")
    else:
        empty = "[]" if name.kinds == ("list",) else ""
        found = Condition(f"({name.of('runs', name.kinds[0])} <> ?)", (empty,))
    return found if negated else Condition(f"(NOT {found.sql})", found.values, found.names)


def _present(name: Name, alias: str) -> str:
    """Test that a row of a name's table has a value; empty where each has."""
    if name.table == "params":
        return f"{alias}.kind <> 'null'"
    return f"{alias}.{name.column} IS NOT NULL" if name.column in _NULLABLE else ""


def _key(name: Name) -> tuple[str, str]:
    return _SINGULAR[name.table], name.name
