"""What a parser complains of, in one line: the value, the rule, the near miss."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from typing import Any

from thexp_pl.errors import ParamsError, near_miss
from thexp_pl.params import BaseParams
from thexp_pl.params.flags import apply_values

__all__ = ["one_line", "unknown_variables"]

_VALUE = re.compile(
    r'Parser key "(?:\w+\.)??(?P<key>[\w.]+)":.*Got value: (?P<value>.*)', re.DOTALL
)
_FLAGS = re.compile(r"unrecognized arguments: (?P<words>.*)", re.DOTALL | re.IGNORECASE)
_OPTION = re.compile(r"(?:does not accept option|[Kk]ey) '(?P<name>[\w.]+)'")


def one_line(message: str, params: BaseParams | None, options: Iterable[str]) -> str:
    """Rewrite a message of jsonargparse.

    Args:
        message: What it said, over several lines perhaps.
        params: The Params among the flags, which say themselves what is wrong with a value.
        options: The flags that exist, as ``--name``.
    """
    value, flags, option = (pattern.search(message) for pattern in (_VALUE, _FLAGS, _OPTION))
    if value and params is not None and value["key"] in params:
        try:
            apply_values(params.copy(), [(value["key"], value["value"].strip())], "--")
        except ParamsError as error:
            return f"--{error}"
    if flags:
        return _unknown(flags["words"].split(), options, params)
    if option:
        names = [one.removeprefix("--") for one in options]
        return f"{option['name']!r} is no option{near_miss(option['name'], names)}"
    return " ".join(message.split())


def _unknown(words: list[str], options: Iterable[str], params: BaseParams | None) -> str:
    word = words[0].partition("=")[0]
    if not word.startswith("-"):
        return f"{word!r} is no flag; flags look like --name=value"
    way_out = "" if params is None else " (--allow_new takes it as a new parameter)"
    return f"there is no flag {word}{near_miss(word, options)}{way_out}"


def unknown_variables(subcommand: str, parser: Any) -> Iterator[str]:
    """Report environment variables that look like flags of a subcommand and are none.

    Args:
        subcommand: Such as ``fit``, whose variables begin with ``PL_FIT__``.
        parser: Its parser.

    Yields:
        A line for each.
    """
    start = f"PL_{subcommand}__".upper()
    known = {start + action.dest.replace(".", "__").upper() for action in parser._actions}
    for name in sorted(os.environ):
        if name.startswith(start) and name not in known:
            yield f"environment variable {name} is no flag of {subcommand}{near_miss(name, known)}"
