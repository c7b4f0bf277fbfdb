"""``thexp-pl init | config``: projects, and the variables of `globs`."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from thexp_pl.cli.commands.common import add_command, put
from thexp_pl.errors import GlobsError, UsageError, near_miss
from thexp_pl.globvars import globs
from thexp_pl.record.names import escaped

__all__ = ["add_parsers", "run_config", "run_init"]


def add_parsers(subparsers: Any) -> None:
    """Add the commands.

    Args:
        subparsers: What ``ArgumentParser.add_subparsers`` gave.
    """
    init = add_command(
        subparsers, "init", run_init, "make a folder a project, with variables of its own"
    )
    init.add_argument("folder", metavar="DIR", nargs="?", default=".", help="default: this folder")
    config = add_command(subparsers, "config", run_config, "read and set the variables of `globs`")
    level = config.add_mutually_exclusive_group()
    for name, owner in (("global", "user"), ("local", "project")):
        level.add_argument(
            f"--{name}",
            dest="level",
            action="store_const",
            const=name,
            help=f"those of the {owner} only",
        )
    config.add_argument("-l", "--list", action="store_true", help="list the variables")
    config.add_argument("-u", "--unset", metavar="NAME", help="remove a variable")
    config.add_argument("name", metavar="NAME", nargs="?", help="alone: print its value")
    config.add_argument("value", metavar="VALUE", nargs="?", help="JSON where it parses, else text")


def run_init(arguments: argparse.Namespace) -> int:
    """Make a folder a project.

    Args:
        arguments: ``folder``.

    Returns:
        0.

    Raises:
        GlobsError: It cannot be one.
    """
    path = globs.init(arguments.folder)
    put(f"The variables of this project are in {path}; set one with `thexp-pl config --local`.")
    return 0


def run_config(arguments: argparse.Namespace) -> int:
    """List, print, set or remove variables.

    Without a level, reading sees the project's over the user's, and writing means the project.

    Args:
        arguments: ``level`` (``global``, ``local`` or None), ``list``, ``unset``, ``name`` and
            ``value``.

    Returns:
        0.

    Raises:
        GlobsError: There is no such variable, or no project, or a file cannot be used.
        UsageError: The command asks for nothing, or for two things.
    """
    asked = sum((arguments.list, arguments.unset is not None, arguments.name is not None))
    if asked != 1:
        raise UsageError(
            f"config does one thing at a time, and {asked or 'none'} were asked for: give -l,"
            " -u NAME, NAME, or NAME VALUE; `thexp-pl config --help` shows them"
        )
    if arguments.list:
        for variables in _levels(arguments.level).values():
            for name, value in variables.items():
                put(escaped(f"{name}={_value_text(value)}"))
    elif arguments.unset is not None:
        globs.unset(arguments.level or "local", arguments.unset)
    elif arguments.value is not None:
        globs.update(arguments.level or "local", arguments.name, _typed(arguments.value))
    else:
        text = _value_text(_lookup(arguments.level, arguments.name))
        put(escaped(text) if sys.stdout.isatty() else text)  # a script gets it as it is
    return 0


def _levels(level: str | None) -> dict[str, dict[str, Any]]:
    if level == "local":
        globs.file(level)  # refuses outside a project
    return globs.list_config(globa=level != "local", local=level != "global")


def _lookup(level: str | None, name: str) -> Any:
    if level is None:
        return globs[name]
    variables = _levels(level)[level]
    if name not in variables:
        raise GlobsError(f"no variable {name!r} at the {level} level{near_miss(name, variables)}")
    return variables[name]


def _typed(text: str) -> Any:
    from thexp_pl.jsonable import loads

    try:
        return loads(text)
    except ValueError:
        return text


def _value_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
