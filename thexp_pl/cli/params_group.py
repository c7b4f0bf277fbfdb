"""The flags of one Params class, as a group of a LightningCLI parser."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from thexp_pl.cli.params_given import GivenParams
from thexp_pl.errors import ParamsError
from thexp_pl.params import BaseParams
from thexp_pl.params.bounds import Choice
from thexp_pl.params.flags import Flag, apply_values, flags_of
from thexp_pl.params.plain import canonical, to_plain
from thexp_pl.params.values import Unread

__all__ = ["Reader", "add_params", "read_params"]


class Reader:
    """What the parser calls for the value of one flag.

    Where something was given for the flag, the Params have read it already, and it is theirs;
    elsewhere, as in a link to another flag, the value stays as it is.

    Args:
        flag: The flag.
        given: The Params as what was given makes them.
    """

    def __init__(self, flag: Flag, given: GivenParams) -> None:
        self.flag = flag
        self._is_given = flag.name in given.names
        self._value = plain_value(given.params, flag.name) if self._is_given else None

    def __call__(self, value: Any) -> Any:
        """Give the value that the configuration holds."""
        return self._value if self._is_given else value

    def describe(self) -> str:
        """Say what the flag is for, what it takes and what it is by default."""
        default = self.flag.default
        is_plain = isinstance(default, (str, Unread)) or default is None
        takes = str(self.flag.bound or _kind(default))
        shown = str(default) if is_plain and default != "" else repr(default)
        return f"{self.flag.help} ({takes}; default: {shown})".strip()

    def choices(self) -> list[str]:
        """Give the values that the flag takes, where they can be told."""
        if isinstance(self.flag.bound, Choice):
            return [str(choice) for choice in self.flag.bound.choices]
        return ["true", "false"] if isinstance(self.flag.default, bool) else []


def _kind(default: Any) -> str:
    if isinstance(default, Unread):
        return "str"
    return "any value" if default is None else type(default).__name__


def plain_value(params: BaseParams, name: str) -> Any:
    """Give a parameter as YAML can hold it; None for one that is found out later."""
    value = params.stored(name)
    return None if isinstance(value, Unread) else to_plain(value, name)


def _flags(params: BaseParams) -> list[Flag]:
    """List the parameters that can be flags: an object without a plain form cannot be given."""
    flags = []
    for flag in flags_of(params):
        try:
            plain_value(params, flag.name)
        except ParamsError:
            continue
        flags.append(flag)
    return flags


def add_params(
    parser: Any, params: BaseParams, given: GivenParams, reserved: frozenset[str]
) -> None:
    """Add a flag for every setting of the Params, nested ones dotted, and for the new names.

    Args:
        parser: A jsonargparse parser.
        params: Their values are the defaults.
        given: The Params as what was given makes them.
        reserved: First parts of the parser's own flags, which no parameter may bear.

    Raises:
        ParamsError: If a parameter has the name of one of the parser's own flags.
    """
    group = parser.add_argument_group(f"Parameters of {type(params).__name__}")
    for flag in _flags(params):
        head = flag.name.partition(".")[0]
        if head in reserved:
            raise ParamsError(
                f"{type(params).__name__}.{head} collides with the command line's own --{head}; "
                "rename the parameter"
            )
        reader = Reader(flag, given)
        choices = ",".join(reader.choices())
        group.add_argument(
            f"--{flag.name}",
            type=reader,
            default=plain_value(params, flag.name),
            metavar=f"{{{choices}}}" if choices else None,
            help="-",  # the formatter asks the Reader
        )
    for name in given.new:
        reader = Reader(Flag(name, None, None, "A new parameter."), given)
        group.add_argument(f"--{name}", type=reader, help="-")


def read_params(params: BaseParams, given: GivenParams, config: Mapping[str, Any]) -> None:
    """Set the Params from what was parsed, under their types and bounds.

    Args:
        params: Where to.
        given: The Params as what was given makes them.
        config: The parsed configuration of the subcommand, a namespace with dotted access.

    Raises:
        ParamsError: If a value is refused.
    """
    others = [
        (flag.name, config[flag.name])
        for flag in _flags(params)
        if flag.name not in given.names
        and canonical(config[flag.name]) != canonical(plain_value(params, flag.name))
    ]
    names = [name for name in (*params.flat(), *given.new) if name in given.names]
    params.update({name: given.params.stored(name) for name in names})
    apply_values(params, others)
