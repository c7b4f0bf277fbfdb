"""What a text or a list holds: ``in``, ``startswith``, ``endswith`` and ``matches`` as SQL."""

from __future__ import annotations

from thexp_pl.errors import QueryError
from thexp_pl.record.names import shown
from thexp_pl.runs.query.comparing import among, kind_test
from thexp_pl.runs.query.condition import Condition, joined
from thexp_pl.runs.query.functions import compiled
from thexp_pl.runs.query.names import Name
from thexp_pl.runs.query.operands import Literal
from thexp_pl.runs.query.placing import alias_of, placed
from thexp_pl.runs.query.values import bound, described, kind_of

__all__ = ["contained", "ends", "matched", "starts"]

_TYPES = {"number": "'integer', 'real'", "bool": "'true', 'false'", "text": "'text'"}


def contained(left: Name | Literal, right: Name | Literal, *, negated: bool) -> Condition:
    """Test ``left in right``.

    Args:
        left: A name or a value.
        right: A name or a list of values.
        negated: It is ``not in``.

    Returns:
        The condition.

    Raises:
        QueryError: The two cannot be used so.
    """
    if isinstance(right, list) and isinstance(left, Name):
        return among(left, right, negated=negated)
    if not isinstance(right, Name) or isinstance(left, Name):
        raise QueryError("`in` stands as in status in ['failed', 'killed'] or 'x' in tags")
    tests = []
    if isinstance(left, str):
        if "text" in right.kinds:
            tests.append(_text_test(right, "instr({}, CAST(? AS BLOB)) > 0", left))
        if right.text == "notes":
            tests.append(_text_test(right, "instr({}, CAST(? AS BLOB)) > 0", left))
    if "json" in right.kinds or right.text == "tags":
        tests.append(_member(right, left))
    if not tests:
        raise QueryError(f"{described(right)}, and {described(left)}: nothing can be in it")
    return placed(right, joined("OR", tests), negated=negated)


def starts(name: Name, text: str) -> Condition:
    """Test that a text begins with another.

    Args:
        name: The name of the text.
        text: The other.

    Returns:
        The condition.

    Raises:
        QueryError: The name stands for no text.
    """
    return _of_text(name, f"substr({{}}, 1, {len(text.encode())})", text)


def ends(name: Name, text: str) -> Condition:
    """Test that a text ends with another; see `starts`."""
    return _of_text(name, f"substr({{}}, -{len(text.encode())})", text)


def matched(name: Name, pattern: str) -> Condition:
    """Test that a regular expression is found in a text, or in one of several.

    Args:
        name: The name of the text or texts.
        pattern: The expression, as `re.search` takes it.

    Returns:
        The condition.

    Raises:
        QueryError: The name stands for no text, or the pattern for no expression.
    """
    try:
        compiled(pattern)
    except (ValueError, OverflowError, RecursionError) as error:
        raise QueryError(f"the pattern {shown(pattern)} cannot be used: {error}") from None
    if name.kinds != ("list",):
        _check_text(name)
    test = _text_test(name, "thexp_matches(?, {})", pattern, as_bytes=False)
    return placed(name, test)


def _of_text(name: Name, part: str, text: str) -> Condition:
    _check_text(name)
    # `substr` of an empty text is NULL, and every text begins and ends with an empty one
    form = f"coalesce({part} = CAST(? AS BLOB), 0)" if text else "? = ''"
    return placed(name, _text_test(name, form, text))


def _check_text(name: Name) -> None:
    if "text" not in name.kinds:
        raise QueryError(f"{described(name)}, and only a text begins, ends or matches")


def _text_test(name: Name, form: str, text: str, *, as_bytes: bool = True) -> Condition:
    """Test a text, or any of several; as bytes, for SQLite's functions on texts end at a NUL."""
    alias = alias_of(name)
    if name.kinds == ("list",):
        column = name.of(alias, "list")
        test = form.format("CAST(value AS BLOB)" if as_bytes else "value")
        sql = f"({column} <> '[]' AND EXISTS (SELECT 1 FROM json_each({column}) WHERE {test}))"
        return Condition(sql, (text,))
    column = name.of(alias, "text")
    test = form.format(f"CAST({column} AS BLOB)" if as_bytes else column)
    return Condition(f"({kind_test(name, alias, 'text')}{test})", (text,))


def _member(name: Name, value: Literal) -> Condition:
    if value is None or isinstance(value, list):
        raise QueryError("`in` looks for a number, a text, True or False in a list")
    alias = alias_of(name)
    if name.kinds == ("list",):
        if not isinstance(value, str):
            raise QueryError(f"{described(value)}, and {name.text} are texts: write it in quotes")
        column = name.of(alias, "list")
        array, kind = column, f"{column} <> '[]'"
    else:
        column = name.of(alias, "json")
        kind = f"{alias}.kind = 'json'"
        # SQLite may look into a text before it asks for the kind, and [Infinity] is no JSON to it
        array = f"CASE WHEN {kind} AND json_valid({column}) THEN {column} ELSE '[]' END"
    return Condition(
        f"({kind} AND EXISTS (SELECT 1 FROM json_each({array}) AS one"
        f" WHERE one.type IN ({_TYPES[kind_of(value)]}) AND one.value = ?))",
        (bound(value),),
    )
