"""The commands that read records and variables: list, show, init, config.

None of them imports torch or Lightning.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from typing import Any

from thexp_pl.errors import GlobsError, RecordError, UsageError, near_miss
from thexp_pl.globvars import globs
from thexp_pl.record.names import escaped
from thexp_pl.record.runs import Run
from thexp_pl.record.viewer import ExperimentViewer

__all__ = ["add_parsers", "run_config", "run_init", "run_list", "run_show"]

_NO_RUNS = (
    "No runs are recorded yet. `thexp-pl fit` records one, as does any script with"
    " `thexp_pl.Experiment`; `--exps_dir DIR` looks into one experiment root."
)


def add_parsers(subparsers: Any) -> None:
    """Add the commands to a command line.

    Args:
        subparsers: What ``ArgumentParser.add_subparsers`` gave. The chosen command's function is
            left in ``run``; it takes the parsed arguments and returns the exit code.
    """
    listing = _add(subparsers, "list", run_list, "list the recorded runs, oldest first")
    _add_source(listing)
    show = _add(subparsers, "show", run_show, "show all that is known of a run")
    show.add_argument("key", metavar="KEY", help="a run's key, the start of one, or @last")
    _add_source(show)
    init = _add(subparsers, "init", run_init, "make a folder a project, with variables of its own")
    init.add_argument("folder", metavar="DIR", nargs="?", default=".", help="default: this folder")
    config = _add(subparsers, "config", run_config, "read and set the variables of `globs`")
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


def run_list(arguments: argparse.Namespace) -> int:
    """Print a table, or with ``--json`` an array, of the runs.

    Args:
        arguments: ``exps_dir`` and ``json``.

    Returns:
        0.
    """
    runs = _viewer(arguments).runs()
    if arguments.json:
        _print_json([_for_machines(run) for run in runs])
    elif runs:
        from thexp_pl.cli.tables import print_runs

        print_runs(runs)
    else:
        _print(_NO_RUNS)
    return 0


def run_show(arguments: argparse.Namespace) -> int:
    """Print all that is known of one run.

    Args:
        arguments: ``key``, ``exps_dir`` and ``json``.

    Returns:
        0.

    Raises:
        RecordError: The key means no run, or several.
    """
    run = _viewer(arguments).run(arguments.key)
    if arguments.json:
        _print_json(_for_machines(run))
    else:
        from thexp_pl.cli.tables import print_run

        print_run(run)
    return 0


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
    _print(f"The variables of this project are in {path}; set one with `thexp-pl config --local`.")
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
                _print(escaped(f"{name}={_value_text(value)}"))
    elif arguments.unset is not None:
        globs.unset(arguments.level or "local", arguments.unset)
    elif arguments.value is not None:
        globs.update(arguments.level or "local", arguments.name, _typed(arguments.value))
    else:
        text = _value_text(_lookup(arguments.level, arguments.name))
        _print(escaped(text) if sys.stdout.isatty() else text)  # a script gets it as it is
    return 0


def _add(
    subparsers: Any, name: str, function: Callable[[argparse.Namespace], int], text: str
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = subparsers.add_parser(
        name, help=text, description=text[0].upper() + text[1:] + ".", allow_abbrev=False
    )
    parser.set_defaults(run=lambda arguments: _printing(function, arguments))
    return parser


def _add_source(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--exps_dir", metavar="DIR", help="look into this experiment root only, not all known ones"
    )
    parser.add_argument("--json", action="store_true", help="print JSON for machines")


def _viewer(arguments: argparse.Namespace) -> ExperimentViewer:
    return ExperimentViewer(None if arguments.exps_dir is None else [arguments.exps_dir])


def _for_machines(run: Run) -> dict[str, Any]:
    facts = run.to_dict()
    return {**facts, "path": facts["folder"]}


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


def _printing(function: Callable[[argparse.Namespace], int], arguments: argparse.Namespace) -> int:
    if sys.stdout is None:
        raise RecordError("cannot print: the standard output is closed; leave it open")
    try:
        code = function(arguments)
        sys.stdout.flush()
    except (BrokenPipeError, RecordError):  # `main` knows what they mean
        raise
    except OSError as error:
        if error.filename is not None:  # the fault of a file, not of the output
            raise
        # Python would try to print the rest again when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise RecordError(
            f"cannot print: {error.strerror or error}; send the output elsewhere"
        ) from None
    return code


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def _print_json(value: Any) -> None:
    from thexp_pl.jsonable import to_jsonable

    # ASCII: right in every locale, and no escape code reaches a terminal.
    _print(json.dumps(to_jsonable(value), indent=2))
