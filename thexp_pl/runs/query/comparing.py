"""Comparisons as SQL."""

from __future__ import annotations

import time

from thexp_pl.errors import QueryError, near_miss
from thexp_pl.runs.query.condition import Condition, joined
from thexp_pl.runs.query.names import STATUSES, Kind, Name
from thexp_pl.runs.query.operands import Literal
from thexp_pl.runs.query.placing import absent, alias_of, placed, placed_two
from thexp_pl.runs.query.times import parse_moment, parse_span
from thexp_pl.runs.query.values import bound, described, kind_of

__all__ = ["among", "compared", "kind_test"]

_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!=",
             "is": "is", "is not": "is not"}  # fmt: skip
# of a value that stands for a stretch of time: its beginning, or the beginning of the next
_MOMENTS = {"<": ("<", 0), "<=": ("<", 1), ">": (">=", 1), ">=": (">=", 0)}


def compared(left: Name | Literal, word: str, right: Name | Literal) -> Condition:
    """Compare two sides, not by ``in``.

    Args:
        left: One side.
        word: Python's word: ``==``, ``!=``, ``<``, ``<=``, ``>``, ``>=``, ``is``, ``is not``.
        right: The other side.

    Returns:
        The condition.

    Raises:
        QueryError: The two cannot be compared so.
    """
    if not isinstance(left, Name):
        if not isinstance(right, Name):
            raise QueryError("a comparison speaks of a run: neither side here is a name")
        left, word, right = right, _MIRRORED[word], left
    if word in ("is", "is not"):
        if right is not None:
            raise QueryError(f"`{word}` goes with None only; write == or !=")
        word = "==" if word == "is" else "!="
    if isinstance(right, Name):
        return _two(left, word, right)
    if word in ("==", "!="):
        return among(left, [right], negated=word == "!=")
    return _ordered(left, word, right)


def among(name: Name, values: list[Literal], *, negated: bool = False) -> Condition:
    """Test that a name's value is one of several.

    Args:
        name: The name.
        values: The values.
        negated: Runs that have the name with another value are asked for.

    Returns:
        The condition.

    Raises:
        QueryError: The name is never equal to one of them.
    """
    given: list[Literal] = [value for value in values if value is not None]
    if len(given) < len(values):
        parts = [absent(name, negated=negated)]
        if given:
            parts.append(among(name, given, negated=negated))
        return joined("AND" if negated else "OR", parts)
    if name.kinds == ("list",):
        raise QueryError(f"{name.text} are several texts: write 'x' in {name.text}")
    if name.reads == "moment" and any(isinstance(value, str) for value in given):
        return placed(name, joined("OR", [_at(name, one) for one in given]), negated=negated)
    kinds: dict[Kind, list[Literal]] = {}
    for value in given:
        plain = _plain(name, value)
        kinds.setdefault(kind_of(plain), []).append(plain)
    tests = [_is_one(name, kind, ones) for kind, ones in kinds.items()]
    return placed(name, joined("OR", tests) if tests else Condition("0"), negated=negated)


def kind_test(name: Name, alias: str, kind: Kind) -> str:
    """Give the SQL that tests the kind of a name's value, with its AND; empty where it is known."""
    return f"{alias}.kind = '{kind}' AND " if name.table == "params" else ""


def _is_one(name: Name, kind: Kind, values: list[Literal]) -> Condition:
    alias = alias_of(name)
    column = name.of(alias, kind)
    marks = f"IN ({', '.join('?' * len(values))})" if len(values) > 1 else "= ?"
    return Condition(
        f"({kind_test(name, alias, kind)}{column} {marks})", tuple(bound(one) for one in values)
    )


def _ordered(name: Name, word: str, value: Literal) -> Condition:
    if name.reads == "moment" and isinstance(value, str):
        word, end = _MOMENTS[word]
        value = parse_moment(value)[end]
    if value is None or isinstance(value, bool | list) or name.kinds == ("list",):
        fault = described(name if name.kinds == ("list",) else value)
        raise QueryError(f"{fault}: `{word}` compares numbers with numbers and texts with texts")
    value = _plain(name, value)
    word = _MIRRORED[word] if name.reads == "age" else word
    kind, alias = kind_of(value), alias_of(name)
    sql = f"({kind_test(name, alias, kind)}{name.in_order(alias, kind)} {word} ?)"
    return placed(name, Condition(sql, (bound(value),)))


def _at(name: Name, value: Literal) -> Condition:
    column = name.of(alias_of(name), "number")
    if isinstance(value, str):
        return Condition(f"({column} >= ? AND {column} < ?)", parse_moment(value))
    return Condition(f"{column} = ?", (bound(_plain(name, value)),))


def _plain(name: Name, value: Literal) -> Literal:
    """Give a value as it is compared with a name; refuse one that the name never has."""
    if name.reads in ("age", "span") and isinstance(value, str):
        value = parse_span(value)
    if kind_of(value) not in name.kinds:
        raise QueryError(f"{described(name)}, and {described(value)}: these are never equal")
    if name.text == "status" and value not in STATUSES:
        raise QueryError(
            f"there is no status {str(value)[:80]!r}{near_miss(str(value)[:80], STATUSES)}"
            f" ({', '.join(STATUSES)})"
        )
    if name.reads == "age":
        return time.time() - float(bound(value))
    return value


def _two(left: Name, word: str, right: Name) -> Condition:
    order = word not in ("==", "!=")
    both: list[Kind] = [kind for kind in left.kinds if kind in right.kinds and kind != "list"]
    if order:
        both = [kind for kind in both if kind in ("number", "text")]
    if "age" in (left.reads, right.reads) and left != right:
        raise QueryError("age is compared with a span of time, such as age < '2d'")
    if not both:
        raise QueryError(f"{described(left)}, and {described(right)}: these are not compared")
    sql = {"==": "=", "!=": "="}.get(word, word)
    one, other = (side.in_order if order else side.of for side in (left, right))
    tests = [
        f"({kind_test(left, 'a', kind)}{kind_test(right, 'b', kind)}"
        f"{one('a', kind)} {sql} {other('b', kind)})"
        for kind in both
    ]
    return placed_two(left, right, " OR ".join(tests), negated=word == "!=")
