"""Queries as conditions on the index: the walk over the tree."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from thexp_pl.errors import QueryError, near_miss
from thexp_pl.runs.query.comparing import compared
from thexp_pl.runs.query.condition import Condition, joined
from thexp_pl.runs.query.containing import contained, ends, matched, starts
from thexp_pl.runs.query.names import Name
from thexp_pl.runs.query.operands import Literal, operand
from thexp_pl.runs.query.parsing import located, parse
from thexp_pl.runs.query.placing import absent, alias_of, placed

__all__ = ["compile_query"]

_WORDS: dict[type[ast.cmpop], str] = {
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=",
    ast.Is: "is", ast.IsNot: "is not",
}  # fmt: skip
_SWEEP = re.compile("sweep-[0-9a-z-]*")  # which Python would take for a difference
_MAX_LEVELS = 12  # SQLite takes 17 before the longest of our tests
_METHODS = {"startswith": starts, "endswith": ends}
_CALLS = "matches(name, 'pattern'), name.startswith('text') and name.endswith('text')"


def compile_query(text: str) -> Condition:
    """Make a condition of a query.

    Args:
        text: The query, see `thexp_pl.runs.query`; or a sweep's key, or the beginning of
            several, all of whose runs are meant.

    Returns:
        The condition; its values are bound, never written into the SQL.

    Raises:
        QueryError: It cannot be carried out as written.

    >>> compile_query("status == 'finished'")
    Condition(sql='((runs."status" = ?))', values=('finished',), names=())
    """
    if isinstance(text, str) and _SWEEP.fullmatch(text):
        text = f"sweep.startswith('{text}')"
    return _condition(*_inside_nots(parse(text)), text)


def _condition(node: ast.expr, negated: bool, text: str, level: int = 0) -> Condition:
    """Make a condition of an expression that is no `not`, or of its contrary."""
    if isinstance(node, ast.BoolOp):
        if level == _MAX_LEVELS:
            with located(text, node):
                raise QueryError(
                    f"the query has `and` in `or` in `and` more than {_MAX_LEVELS} levels deep;"
                    " write it flatter"
                )
        parts = [_condition(*part, text, level + 1) for part in _joined_by(node, negated)]
        return joined(_word(node, negated), parts)
    found = _test(node, text)
    return Condition(f"(NOT {found.sql})", found.values, found.names) if negated else found


def _joined_by(node: ast.BoolOp, negated: bool) -> Iterator[tuple[ast.expr, bool]]:
    """Give what one word joins, brackets of the same word taken away, and whether it is negated.

    So the SQL is no deeper than it must be: SQLite keeps only so many open brackets in mind.
    """
    for part in node.values:
        inner, contrary = _inside_nots(part, negated)
        if isinstance(inner, ast.BoolOp) and _word(inner, contrary) == _word(node, negated):
            yield from _joined_by(inner, contrary)
        else:
            yield inner, contrary


def _inside_nots(node: ast.expr, negated: bool = False) -> tuple[ast.expr, bool]:
    while isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        node, negated = node.operand, not negated
    return node, negated


def _word(node: ast.BoolOp, negated: bool) -> str:
    # A condition is 0 or 1, never NULL: not (a and b) is not a or not b.
    return "AND" if isinstance(node.op, ast.And) != negated else "OR"


def _test(node: ast.expr, text: str) -> Condition:
    with located(text, node):
        if isinstance(node, ast.Compare):
            return _compare(node, text)
        if isinstance(node, ast.Call):
            return _call(node, text)
        name = operand(node)
        if isinstance(name, Name):
            return _truth(name)
        raise QueryError("a value alone says nothing of a run; compare it with a name")


def _compare(node: ast.Compare, text: str) -> Condition:
    sides = [_side(side, text) for side in (node.left, *node.comparators)]
    parts = []
    for left, operator, right in zip(sides, node.ops, sides[1:], strict=False):
        if isinstance(operator, ast.In | ast.NotIn):
            parts.append(contained(left, right, negated=isinstance(operator, ast.NotIn)))
        else:
            parts.append(compared(left, _WORDS[type(operator)], right))
    return joined("AND", parts)


def _side(node: ast.expr, text: str) -> Name | Literal:
    with located(text, node):
        return operand(node)


def _call(node: ast.Call, text: str) -> Condition:
    called = node.func
    if node.keywords or any(isinstance(argument, ast.Starred) for argument in node.args):
        raise QueryError(f"a call takes its arguments in order; queries know {_CALLS}")
    arguments = [_side(argument, text) for argument in node.args]
    if isinstance(called, ast.Name) and called.id == "matches":
        if len(arguments) == 2 and isinstance(arguments[0], Name) and isinstance(arguments[1], str):
            return matched(arguments[0], arguments[1])
        raise QueryError("matches takes a name and a text, as in matches(experiment, '^mnist')")
    if isinstance(called, ast.Attribute) and called.attr in _METHODS:
        name = _side(called.value, text)
        if len(arguments) == 1 and isinstance(name, Name) and isinstance(arguments[0], str):
            return _METHODS[called.attr](name, arguments[0])
        raise QueryError(f"{called.attr} takes one text, as in key.{called.attr}('26')")
    word = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
    if word == "contains":
        raise QueryError("there is no call of contains; write 'text' in name")
    hint = near_miss(word[:80], ("matches", *_METHODS))
    raise QueryError(f"queries call nothing but {_CALLS}{hint}")


def _truth(name: Name) -> Condition:
    if name.table == "runs":
        if name.kinds != ("number",):
            return absent(name, negated=True)
        return placed(name, Condition(f"{name.of('runs', 'number')} <> 0"))
    if name.table == "metrics":
        column = name.of(alias_of(name), "number")
        return placed(name, Condition(f"({column} IS NULL OR {column} <> 0)"))  # NaN is true
    tests = "(a.number <> 0 OR (a.kind = 'text' AND a.text <> '') OR (a.kind = 'json' AND a.text"
    return placed(name, Condition(f"{tests} NOT IN ('[]', '{{}}')))"))
