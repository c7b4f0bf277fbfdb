"""What stands on either side of a comparison: a name, or a value that is written out."""

from __future__ import annotations

import ast
import math
from typing import TypeAlias

from thexp_pl.errors import QueryError
from thexp_pl.runs.query.names import Name, name_of

__all__ = ["Literal", "as_double", "operand", "words_of"]

Literal: TypeAlias = "bool | int | float | str | list[Literal] | None"
_WIDEST = 2**63
_DIVIDED = 'for a name with signs in it write params["name"] or metrics["val/acc"].max'
_REFUSED: dict[type[ast.expr], str] = {
    ast.BinOp: f"queries know no arithmetic and no `&`, `|`; {_DIVIDED}",
    ast.Call: "queries know the calls matches(name, 'pattern'), name.startswith('text') and"
    " name.endswith('text') only, and these are conditions of their own",
    ast.Lambda: "queries run nothing",
    ast.IfExp: "queries know `and`, `or` and `not`, no `if`",
    ast.Dict: "a mapping is compared with nothing; compare its parts, as in params.optim.lr == 0.1",
    ast.JoinedStr: "write the text without the f",
    ast.Compare: "a comparison is true or false, and compared with nothing; join two with `and`",
    ast.BoolOp: "`and` and `or` join whole comparisons: write status == 'a' or status == 'b'",
}


def operand(node: ast.expr) -> Name | Literal:
    """Read one side of a comparison.

    Args:
        node: It.

    Returns:
        What the name stands for, or the value.

    Raises:
        QueryError: It is neither.
    """
    words = words_of(node)
    if words is not None:
        base, parts, aggregate = words
        if not parts and base in ("inf", "nan"):
            return _infinity(base)
        return name_of(base, parts, aggregate)
    return _literal(node)


def words_of(node: ast.expr) -> tuple[str, list[str], str | None] | None:
    """Take a name apart.

    Args:
        node: Perhaps a name, such as ``metrics["val/acc"].max``.

    Returns:
        Its first word, those after it, and the last where it is written with a dot; None where it
        is no name.
    """
    parts: list[str] = []
    last = node.attr if isinstance(node, ast.Attribute) else None
    while not isinstance(node, ast.Name):
        if isinstance(node, ast.Attribute):
            parts.append(node.attr)
        elif (
            isinstance(node, ast.Subscript)
            and isinstance(node.slice, ast.Constant)
            and isinstance(node.slice.value, str)
        ):
            parts.append(_checked(node.slice.value))
        else:
            return None
        node = node.value
    return node.id, parts[::-1], last


def _infinity(word: str) -> float:
    if word == "nan":
        raise QueryError("NaN equals nothing; ask for metrics.NAME.nonfinite > 0")
    return math.inf


def _literal(node: ast.expr) -> Literal:
    if isinstance(node, ast.Constant):
        return _constant(node.value)
    if isinstance(node, ast.List | ast.Tuple | ast.Set):
        return [_literal(one) for one in node.elts]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        value = operand(node.operand)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return -value if isinstance(node.op, ast.USub) else value
        raise QueryError("a sign stands before a number only")
    if isinstance(node, ast.Name):
        value = operand(node)  # `inf` in a list
        if isinstance(value, float):
            return value
        raise QueryError(f"{node.id!r} is no value; a text is written {node.id!r}, in quotes")
    raise QueryError(_REFUSED.get(type(node), "this is neither a name nor a value"))


def _constant(value: object) -> Literal:
    if isinstance(value, str):
        return _checked(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= _WIDEST:
        return as_double(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    raise QueryError(f"{str(value)[:80]} is no value that a run has: write a number or a text")


def as_double(value: int | float) -> float:
    """Give a number as the index keeps it; one that no double holds is infinite.

    >>> as_double(-(10**400))
    -inf
    """
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _checked(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise QueryError("a text holds half a character (a lone surrogate); take it out") from None
    return text
