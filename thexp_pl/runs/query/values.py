"""The values of a query: of which kind they are, and how a message speaks of them."""

from __future__ import annotations

import json

from thexp_pl.jsonable import to_jsonable
from thexp_pl.record.names import shown
from thexp_pl.runs.query.names import Kind, Name
from thexp_pl.runs.query.operands import Literal, as_double

__all__ = ["bound", "described", "kind_of"]

_WORDS = {"number": "a number", "bool": "a truth value", "text": "a text", "json": "a list"}


def kind_of(value: Literal) -> Kind:
    """Name the kind of a value that is not None."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "number"
    return "text" if isinstance(value, str) else "json"


def bound(value: Literal) -> float | str:
    """Give a value as the index keeps it: numbers and truth values as doubles, lists as JSON."""
    if isinstance(value, int | float):
        return as_double(value)
    return value if isinstance(value, str) else _json(value)


def described(value: Name | Literal) -> str:
    """Say of which kind a name or a value is, for a message."""
    if isinstance(value, Name):
        words = "several texts" if value.kinds == ("list",) else _WORDS[value.kinds[0]]
        return f"{shown(value.text)[1:-1]} is {words}"
    if value is None:
        return "None is no value"
    text = _json(value) if isinstance(value, list) else repr(value)
    return f"{shown(text)[1:-1]} is {_WORDS[kind_of(value)]}"


def _json(value: Literal) -> str:
    return json.dumps(to_jsonable(value), ensure_ascii=False, separators=(",", ":"))
