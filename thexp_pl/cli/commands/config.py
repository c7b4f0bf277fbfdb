"""``thexp-pl init | config``: projects, and the variables of `globs`."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from typing import Any

from thexp_pl.cli.commands.common import add_command, put, put_json
from thexp_pl.errors import GlobsError, UsageError, near_miss
from thexp_pl.globvars import globs
from thexp_pl.record.names import escaped, shown

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
    init.add_argument(
        "--template",
        action="store_true",
        help="write a small working project too, for `thexp-pl fit` to train",
    )
    _add_config(subparsers)


def _add_config(subparsers: Any) -> None:
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
    config.add_argument(
        "-e", "--edit", action="store_true", help="open them in $VISUAL, $EDITOR or vi"
    )
    config.add_argument("--json", action="store_true", help="print JSON for machines")
    config.add_argument("name", metavar="NAME", nargs="?", help="alone: print its value")
    config.add_argument("value", metavar="VALUE", nargs="?", help="JSON where it parses, else text")


def run_init(arguments: argparse.Namespace) -> int:
    """Make a folder a project.

    Args:
        arguments: ``folder`` and ``template``.

    Returns:
        0.

    Raises:
        GlobsError: It cannot be one.
        UsageError: Files of the template are there already, or cannot be written.
    """
    if arguments.template:
        return _init_with_template(arguments.folder)
    path = globs.init(arguments.folder)
    put(
        f"The variables of this project are in {escaped(str(path))}; set one with"
        " `thexp-pl config --local`."
    )
    return 0


def _init_with_template(folder: str) -> int:
    from thexp_pl.cli.template import write_template

    try:
        names = write_template(folder)
    except OSError as error:
        raise UsageError(
            f"cannot write the template to {shown(folder)}: {error.strerror or error}; choose"
            " another folder"
        ) from None
    change = "" if folder == "." else f"cd {shlex.quote(escaped(folder))}; "
    put(f"Made {', '.join(names)}. Train with: {change}thexp-pl fit")
    return 0


def run_config(arguments: argparse.Namespace) -> int:
    """List, print, set, remove or edit variables.

    Without a level, reading sees the project's over the user's, and writing means the project.

    Args:
        arguments: ``level`` (``global``, ``local`` or None), ``list``, ``unset``, ``edit``,
            ``json``, ``name`` and ``value``.

    Returns:
        0.

    Raises:
        GlobsError: There is no such variable, or no project, or a file cannot be used.
        UsageError: The command asks for nothing, or for two things.
    """
    deeds = (arguments.list, arguments.unset is not None, arguments.edit)
    asked = sum((*deeds, arguments.name is not None))
    if asked != 1:
        raise UsageError(
            f"config does one thing at a time, and {asked or 'none'} were asked for: give -l, -e,"
            " -u NAME, NAME, or NAME VALUE; `thexp-pl config --help` shows them"
        )
    is_reading = arguments.list or (arguments.name is not None and arguments.value is None)
    if arguments.json and not is_reading:
        raise UsageError("--json goes with -l and with NAME alone, which print something")
    if is_reading:
        _read(arguments)
    else:
        _change(arguments, arguments.level or "local")
    return 0


def _read(arguments: argparse.Namespace) -> None:
    value = None if arguments.list else _lookup(arguments.level, arguments.name)
    if arguments.json:
        put_json(_levels(arguments.level) if arguments.list else value)
    elif arguments.list:
        for variables in _levels(arguments.level).values():
            for name, one in variables.items():
                put(escaped(f"{name}={_value_text(one)}"))
    else:
        text = _value_text(value)
        put(escaped(text) if sys.stdout.isatty() else text)  # a script gets it as it is


def _change(arguments: argparse.Namespace, level: str) -> None:
    if arguments.edit:
        from thexp_pl.cli.editing import edit_variables

        path = globs.file(level)
        done = "are changed" if edit_variables(path) else "stay as they are"
        put(f"The variables in {escaped(str(path))} {done}.")
    elif arguments.unset is not None:
        globs.unset(level, arguments.unset)
    else:
        globs.update(level, arguments.name, _typed(arguments.value))


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
