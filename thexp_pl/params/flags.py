"""Parameters from command line flags: reading the words, typing the values, listing what there is.

A flag is ``--name=value`` or ``--name value``, dotted for a value in a group. The same typing
serves YAML files and the command line of the package.
"""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from thexp_pl.errors import ParamsError, near_miss
from thexp_pl.params.bounds import Bound, Choice
from thexp_pl.params.plain import canonical
from thexp_pl.params.values import ParamsMapping, Unread

__all__ = ["Flag", "apply", "apply_script_flags", "apply_values", "coerce", "flags_of", "literal"]

_TRUE = frozenset({"true", "yes", "on", "1"})
_FALSE = frozenset({"false", "no", "off", "0"})


@dataclass(frozen=True)
class Flag:
    """One parameter as the command line shows it.

    Args:
        name: The dotted name.
        default: The value as stored; `Unread` for one not found out yet.
        bound: What may be assigned, or None.
        help: The text of the class docstrings' ``Args:``, or an empty string.
    """

    name: str
    default: Any
    bound: Bound | None
    help: str


def flags_of(params: ParamsMapping) -> list[Flag]:
    """List the flags of Params: every value that is no progress, groups opened.

    >>> from thexp_pl import Params
    >>> [flag.name for flag in flags_of(Params())]
    ['epoch', 'device']
    """
    is_progress = getattr(params, "is_progress", lambda name: False)
    helps = _help_texts(type(params))
    return [
        Flag(name, value, params.bound(name), helps.get(name, ""))
        for name, value in params.flat().items()
        if not is_progress(name)
    ]


def _help_texts(cls: type) -> dict[str, str]:
    """Collect the texts under ``Args:`` and ``Attributes:``, a subclass's own first."""
    import docstring_parser

    texts: dict[str, str] = {}
    for base in cls.__mro__:
        for entry in docstring_parser.parse(base.__doc__ or "").params:
            texts.setdefault(entry.arg_name, " ".join((entry.description or "").split()))
    return texts


def apply_script_flags(params: ParamsMapping) -> None:
    """Apply ``sys.argv[1:]`` as a script does: ``--help`` lists, a mistake ends it with code 2."""
    argv = sys.argv[1:]
    if any(word in ("-h", "--help") for word in argv):
        print(_help_page(params))  # noqa: T201 - the answer to --help
        raise SystemExit(0)
    try:
        apply(params, argv)
    except ParamsError as error:
        sys.stderr.write(f"error: {error}\n")
        raise SystemExit(2) from None


def apply(params: ParamsMapping, argv: list[str]) -> None:
    """Set the values of the flags in `argv`; nothing is set if any of them is wrong.

    Args:
        params: Where to.
        argv: The words of the command line.

    Raises:
        ParamsError: For a word that is no flag, a value that cannot be read or is out of bounds,
            a progress name, or a new name where the Params are locked.
    """
    apply_values(params, _split(params, argv), "--")


def apply_values(params: ParamsMapping, pairs: Iterable[tuple[str, Any]], mark: str = "") -> None:
    """Set values read from flags or a file: all or none, new names reported where one is near.

    Args:
        params: Where to.
        pairs: (Dotted) names with text or YAML values; a later one wins.
        mark: What stands before a name in messages.

    Raises:
        ParamsError: If a name or a value is refused.
    """
    trial = params.copy()
    is_progress = getattr(params, "is_progress", lambda name: False)
    for name, value in pairs:
        if is_progress(name):
            raise ParamsError(f"{mark}{name} is progress, which the trainer writes; it is not set")
        trial._merge({name: coerce(trial, name, value)})
    known = params.flat()
    for name in trial.flat():
        hint = "" if name in known else near_miss(name, known)
        if hint:
            sys.stderr.write(f"warning: {mark}{name} sets a new parameter{hint}\n")
    params._take(trial)


def _split(params: ParamsMapping, argv: list[str]) -> Iterator[tuple[str, str]]:
    """Give name and text of each flag; one without a text is a switch and reads as true."""
    words = list(argv)
    while words:
        word = words.pop(0)
        if not word.startswith("--") or len(word) == 2:
            raise ParamsError(f"{word!r} is no flag; flags look like --name=value")
        name, equals, text = word[2:].partition("=")
        if equals:
            yield name, text
        elif not words or words[0].startswith("--") or _is_switch(params, name, words[0]):
            if name in params and not isinstance(params[name], (bool, type(None))):
                raise ParamsError(f"--{name} needs a value: --{name}=VALUE")
            yield name, "True"
        else:
            yield name, words.pop(0)


def _is_switch(params: ParamsMapping, name: str, following: str) -> bool:
    """Say whether a flag stands alone although a word follows: a bool before no truth value."""
    return isinstance(params.get(name), bool) and following.lower() not in _TRUE | _FALSE


def literal(text: str) -> Any:
    """Read a Python literal; what is none stays text.

    >>> literal("1e-3"), literal("(1, 2)"), literal("None"), literal("adam")
    (0.001, (1, 2), None, 'adam')
    """
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return text


def coerce(params: ParamsMapping, name: str, value: Any) -> Any:
    """Bring a value read from text or YAML to the type that the parameter has.

    Args:
        params: The Params that the value is for.
        name: The (dotted) parameter; a new one, or one that is None, takes a literal.
        value: Text from a flag, or what a YAML file holds.

    Returns:
        The value to assign.

    Raises:
        ParamsError: If it is not of that type.
    """
    if name not in params:
        return literal(value) if isinstance(value, str) else value
    bound = params.bound(name)
    if isinstance(bound, Choice):
        return _chosen(name, value, bound)
    current = params.flat().get(name, params.get(name))  # unread stays unread
    if isinstance(current, ParamsMapping):
        return _group(params, name, value)
    return _typed(name, value, "" if isinstance(current, Unread) else current)


def _chosen(name: str, value: Any, bound: Choice) -> Any:
    for choice in bound.choices:
        if str(choice) == value or canonical(choice) == canonical(value):
            return choice
    bound.check(name, value)
    return value


def _group(params: ParamsMapping, name: str, value: Any) -> dict[str, Any]:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            value = literal(value)
    if not isinstance(value, Mapping):
        known = ", ".join(f"{name}.{key}" for key in params[name])
        raise ParamsError(f"{name}: {value!r} is no group of values; set {known}, or give a dict")
    return {key: coerce(params, f"{name}.{key}", item) for key, item in value.items()}


def _typed(name: str, value: Any, current: Any) -> Any:
    """Convert to the type of the current value; None and unknown types take what is there."""
    if isinstance(current, str):
        return value if value is None else str(value)
    if isinstance(current, bool):
        return _truth(name, value)
    if isinstance(current, (int, float)):
        return _number(name, value, type(current))
    if isinstance(current, (tuple, list)):
        return type(current)(_items(name, value, current))
    if isinstance(current, PurePath) and isinstance(value, str):
        return type(current)(value)
    return literal(value) if isinstance(value, str) else value


def _truth(name: str, value: Any) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    word = str(value).lower()
    if word not in _TRUE | _FALSE:
        raise ParamsError(f"{name}: {value!r} is neither true nor false")
    return word in _TRUE


def _number(name: str, value: Any, kind: type) -> Any:
    kind = float if issubclass(kind, float) else int
    if value is None or type(value) is kind:
        return value
    try:
        if isinstance(value, bool) or (kind is int and isinstance(value, float)):
            raise ValueError(value)
        return kind(value)
    except (TypeError, ValueError, OverflowError):
        words = "an int" if kind is int else "a float"
        raise ParamsError(f"{name}: {value!r} is not {words}") from None


def _items(name: str, value: Any, current: Sequence[Any]) -> list[Any]:
    """Read the items of a tuple or a list: ``(1, 2)``, ``[1, 2]`` or ``1,2``."""
    if isinstance(value, str):
        read = literal(value)
        if isinstance(read, (tuple, list)):
            value = read
        else:
            value = [literal(part.strip()) for part in value.split(",") if part.strip()]
    if not isinstance(value, (tuple, list)):
        raise ParamsError(f"{name}: {value!r} is no list of values, such as 1,2,3")
    kinds = {type(item) for item in current}
    if kinds == {float}:  # an int among floats is one of them
        return [_number(name, item, float) for item in value]
    return list(value)


def _help_page(params: ParamsMapping) -> str:
    lines = ["Flags, as --name=value:", ""]
    for flag in flags_of(params):
        notes = [flag.help, str(flag.bound) if flag.bound else "", f"default: {flag.default!r}"]
        lines.append(f"  --{flag.name}  ({'; '.join(note for note in notes if note)})")
    return "\n".join(lines)
