"""Values from flags and files, brought to the type that their parameter has."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Collection, Mapping
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from thexp_pl.errors import ParamsError
from thexp_pl.params.bounds import Choice
from thexp_pl.params.plain import canonical, shown
from thexp_pl.params.reading import StoredParams, Unread

if TYPE_CHECKING:
    from thexp_pl.params.values import ParamsMapping

__all__ = ["FALSE", "TRUE", "coerce", "literal"]

TRUE = frozenset({"true", "yes", "on", "1"})
FALSE = frozenset({"false", "no", "off", "0"})


def literal(text: str) -> Any:
    """Read a Python literal; what is none stays text.

    >>> literal("1e-3"), literal("(1, 2)"), literal("None"), literal("adam")
    (0.001, (1, 2), None, 'adam')
    """
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return text


def coerce(params: ParamsMapping, name: str, value: Any, *, is_flag: bool) -> Any:
    """Bring a value read from a flag or a file to the type that the parameter has.

    Args:
        params: The Params that the value is for.
        name: The (dotted) parameter; a new one, or one that is None, takes the value as it is.
        value: Text from a flag, or what a YAML file holds.
        is_flag: A text is a word of the command line, where numbers and lists are text too.

    Returns:
        The value to assign.

    Raises:
        ParamsError: If it is not of that type.
    """
    read = literal(value) if is_flag and isinstance(value, str) else value
    if name not in params:
        return read
    bound = params.bound(name)
    if isinstance(bound, Choice):
        return _chosen(name, value, read, bound)
    current = params.stored(name)
    if isinstance(current, StoredParams):
        return _group(params, name, value)
    if current is None:
        return read
    if isinstance(current, Unread):  # a text until it is found out
        return value
    if callable(getattr(current, "tolist", None)):  # an array or a numpy scalar
        current = current.tolist()
    return _typed(name, value, current, read)


def _chosen(name: str, value: Any, read: Any, bound: Choice) -> Any:
    for choice in bound.choices:
        if str(choice) == value or canonical(choice) in (canonical(value), canonical(read)):
            return choice
        if isinstance(choice, bool) and str(value).lower() in (TRUE if choice else FALSE):
            return choice
    bound.check(name, value)
    return value


def _group(params: ParamsMapping, name: str, value: Any) -> dict[str, Any]:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            value = literal(value)
    if not isinstance(value, Mapping):
        known = ", ".join(f"{name}.{key}" for key in params[name]) or f"{name}.NAME"
        raise ParamsError(
            f"{name}: {shown(value)} is no group of values; set {known}, or give a dict"
        )
    return {
        key: coerce(params, f"{name}.{key}", item, is_flag=False) for key, item in value.items()
    }


def _typed(name: str, value: Any, current: Any, read: Any) -> Any:
    """Convert to the type of the current value; a file may say None to any."""
    if value is None:
        return None
    for kind, convert in _CONVERTERS:
        if isinstance(current, kind):
            return convert(name, value, current)
    return read


def _as_text(name: str, value: Any, current: str) -> str:
    if isinstance(value, (list, tuple, Mapping)):
        raise ParamsError(f"{name}: {shown(value)} is no text as {shown(current)} is")
    return str(value)


def _as_truth(name: str, value: Any, current: bool) -> bool:
    word = str(value).lower()
    if word not in TRUE | FALSE:
        raise ParamsError(f"{name}: {shown(value)} is neither true nor false")
    return word in TRUE


def _as_int(name: str, value: Any, current: int) -> int:
    is_whole = isinstance(value, float) and value.is_integer()
    try:
        if isinstance(value, bool) or (isinstance(value, float) and not is_whole):
            raise ValueError(value)
        return int(value)
    except (TypeError, ValueError):
        is_float = isinstance(literal(str(value)), float)
        way_out = f"; a default of {current}.0 would allow fractions" if is_float else ""
        raise ParamsError(
            f"{name}: {shown(value)} is not an int as {current} is{way_out}"
        ) from None


def _as_float(name: str, value: Any, current: float) -> float:
    try:
        if isinstance(value, bool):
            raise ValueError(value)
        return float(value)
    except (TypeError, ValueError, OverflowError):
        raise ParamsError(f"{name}: {shown(value)} is not a float as {current!r} is") from None


def _as_path(name: str, value: Any, current: PurePath) -> PurePath:
    return type(current)(str(value))


def _as_dict(name: str, value: Any, current: Mapping[Any, Any]) -> Any:
    read = literal(value) if isinstance(value, str) else value
    if not isinstance(read, Mapping):
        raise ParamsError(f"{name}: {shown(value)} is no dict")
    return read


def _as_items(name: str, value: Any, current: Collection[Any]) -> Any:
    """Read ``(1, 2)``, ``[1, 2]`` or ``1,2``; items are of one type where all of them were."""
    first = next(iter(current), None)
    items = value
    if isinstance(value, str):
        items = _split(value, str if isinstance(first, str) else literal)
    if not isinstance(items, (tuple, list, set, frozenset)):
        raise ParamsError(f"{name}: {shown(value)} is no list of values, such as 1,2,3")
    if first is not None and {type(item) for item in current} == {type(first)}:
        items = [_typed(f"{name}[{i}]", item, first, item) for i, item in enumerate(items)]
    make: Any = getattr(type(current), "_make", type(current))  # namedtuples take no list
    try:
        return make(items)
    except TypeError as error:  # too few for a namedtuple, or unhashable in a set
        raise ParamsError(f"{name}: {shown(value)}: {error}") from None


def _split(text: str, convert: Callable[[str], Any]) -> Any:
    read = literal(text)
    if isinstance(read, (tuple, list, set)):
        return read
    inner = text.strip()
    if inner[:1] + inner[-1:] in ("()", "[]"):  # words without quotes: [adam, sgd]
        inner = inner[1:-1]
    return [convert(part.strip()) for part in inner.split(",") if part.strip()]


_CONVERTERS: tuple[tuple[Any, Callable[[str, Any, Any], Any]], ...] = (
    (str, _as_text),
    (bool, _as_truth),  # before int, which it is too
    (int, _as_int),
    (float, _as_float),
    ((tuple, list, set, frozenset), _as_items),
    (PurePath, _as_path),
    (Mapping, _as_dict),
)
