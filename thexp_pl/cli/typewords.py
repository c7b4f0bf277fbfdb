"""Types in words, for messages."""

from __future__ import annotations

import inspect
import types
from collections.abc import Iterator
from typing import Any, Literal, Union, get_args, get_origin

__all__ = ["classes", "in_words", "literals"]

_WORDS = {
    int: "an int",
    float: "a float",
    bool: "true or false",
    str: "a text",
    type(None): "null",
    dict: "a mapping",
}


def in_words(hint: Any) -> str:
    """Say what a type hint allows.

    >>> from typing import Optional
    >>> in_words(Optional[int]), in_words(Literal["a", "b"]), in_words(list[float])
    ('an int or null', "'a' or 'b'", 'a list of float')
    """
    options = list(dict.fromkeys(_options(hint)))
    return (
        " or ".join(options) if len(options) < 3 else f"{', '.join(options[:-1])} or {options[-1]}"
    )


def _options(hint: Any) -> Iterator[str]:
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        for part in get_args(hint):
            yield from _options(part)
    elif origin is Literal:
        yield from map(repr, get_args(hint))
    elif hint in _WORDS:
        yield _WORDS[hint]
    elif origin in (list, set, tuple) or str(origin).startswith("<class 'collections.abc"):
        inner = ", ".join(_name(part) for part in get_args(hint))
        yield f"a list of {inner}" if inner else "a list"
    elif origin is dict:
        yield "a mapping"
    else:
        yield f"a {_name(hint)} class" if inspect.isclass(hint) else _name(hint)


def _name(hint: Any) -> str:
    return getattr(hint, "__name__", None) or str(hint)


def literals(hint: Any) -> set[str]:
    """Give the values that a type hint names."""
    if get_origin(hint) is Literal:
        return set(map(str, get_args(hint)))
    if hint is bool:
        return {"true", "false"}
    return {value for part in get_args(hint) for value in literals(part)}


def classes(hint: Any) -> dict[str, type]:
    """Give the classes that a type hint allows, by name: those it names, and all below them."""
    if inspect.isclass(hint) and hint not in _WORDS and get_origin(hint) is None:
        return {one.__name__: one for one in _below(hint)}
    parts = () if get_origin(hint) is Literal else get_args(hint)
    return {name: one for part in parts for name, one in classes(part).items()}


def _below(cls: type) -> Iterator[type]:
    yield cls
    subclasses: list[type] = type.__subclasses__(cls)
    for one in subclasses:
        yield from _below(one)
