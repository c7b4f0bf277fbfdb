"""The flags of one Params class, as a group of a LightningCLI parser."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from thexp_pl.errors import ParamsError
from thexp_pl.params import BaseParams
from thexp_pl.params.bounds import Choice
from thexp_pl.params.flags import Flag, apply_values, flags_of
from thexp_pl.params.values import Unread

__all__ = ["add_params", "expand_switches", "new_names", "read_params"]

_LITERALS = (str, int, bool, type(None))


def add_params(
    parser: Any, params: BaseParams, new: Iterable[str] = (), reserved: Iterable[str] = ()
) -> None:
    """Add a flag for every setting of the Params, nested ones dotted.

    Args:
        parser: A jsonargparse parser.
        params: Their values are the defaults.
        new: Names that the Params do not have and that are to be accepted.
        reserved: First parts of the parser's own flags, which no parameter may bear.

    Raises:
        ParamsError: If a parameter has the name of one of the parser's own flags.
    """
    for name in {flag.name.partition(".")[0] for flag in flags_of(params)}:
        if name in set(reserved):
            raise ParamsError(
                f"{type(params).__name__}.{name} collides with the command line's own --{name}; "
                "rename the parameter"
            )
    tree: dict[str, Any] = {}
    for flag in flags_of(params):
        _place(tree, flag.name, flag)
    for name in new:
        _place(tree, name, Flag(name, None, None, "a new parameter"))
    parser.add_class_arguments(_dataclass(type(params).__name__, tree), None)


def _place(tree: dict[str, Any], name: str, flag: Flag) -> None:
    *groups, leaf = name.split(".")
    for group in groups:
        tree = tree.setdefault(group, {})
        if not isinstance(tree, dict):
            raise ParamsError(f"--{name}: {group!r} is a value and has no parts")
    tree[leaf] = flag


def _dataclass(title: str, tree: Mapping[str, Any]) -> type:
    """Make a dataclass of the flags: jsonargparse takes types, defaults and help from it."""
    fields, helps = [], []
    for name, item in tree.items():
        if isinstance(item, Flag):
            fields.append((name, _type(item), _default(item)))
            bound = "" if item.bound is None or isinstance(item.bound, Choice) else str(item.bound)
            unread = repr(item.default) if isinstance(item.default, Unread) else ""
            text = "; ".join(part for part in (item.help.rstrip("."), bound, unread) if part)
            helps.append(f"    {name}: {text or '-'}")
        else:
            group = _dataclass(f"{title}_{name}", item)
            fields.append((name, group, dataclasses.field(default_factory=group)))
    made = dataclasses.make_dataclass(title, fields)
    made.__doc__ = f"Parameters of {title}.\n\nArgs:\n" + "\n".join(helps)
    return made


def _type(flag: Flag) -> Any:
    if isinstance(flag.bound, Choice):
        choices = flag.bound.choices
        is_literal = all(type(choice) in _LITERALS for choice in choices)
        return Literal[choices] if is_literal else Any
    if isinstance(flag.default, Unread):
        return str | None
    if type(flag.default) in (bool, int, float, str):
        return type(flag.default)
    return Any  # None, a tuple, a list, a path: `read_params` brings it to its type


def _default(flag: Flag) -> Any:
    if isinstance(flag.default, Unread):
        return None
    if isinstance(flag.default, tuple):
        return dataclasses.field(default_factory=lambda: list(flag.default))
    if isinstance(flag.default, (list, dict, set)):
        return dataclasses.field(default_factory=lambda: flag.default)
    return flag.default


def read_params(params: BaseParams, config: Mapping[str, Any], new: Iterable[str] = ()) -> None:
    """Set the Params from what was parsed, under their types and bounds.

    Args:
        params: Where to.
        config: The parsed configuration of the subcommand, a namespace with dotted access.
        new: The names that were accepted besides.

    Raises:
        ParamsError: If a value is refused.
    """
    unread = {name for name, value in params.flat().items() if isinstance(value, Unread)}
    pairs = [(flag.name, config[flag.name]) for flag in flags_of(params)]
    pairs = [(name, value) for name, value in pairs if not (name in unread and value is None)]
    pairs += [(name, config[name]) for name in new]
    apply_values(params, pairs, "--")


def new_names(words: list[str], params: BaseParams, reserved: Iterable[str]) -> list[str]:
    """List the flags among the words that neither the Params nor the parser know."""
    known = {*params.flat(), *params.keys()}
    heads = set(reserved)
    names = []
    for word in words:
        name = word[2:].partition("=")[0]
        if word.startswith("--") and name not in known and name.partition(".")[0] not in heads:
            names.append(name)
    return names


def expand_switches(words: list[str], params: BaseParams) -> list[str]:
    """Write the value of a switch that stands alone: ``--verbose`` is ``--verbose=true``."""
    truths = {f"--{flag.name}" for flag in flags_of(params) if isinstance(flag.default, bool)}
    expanded = []
    for word, following in zip(words, [*words[1:], "--"], strict=True):
        alone = word in truths and following.startswith("-")
        expanded.append(f"{word}=true" if alone else word)
    return expanded
