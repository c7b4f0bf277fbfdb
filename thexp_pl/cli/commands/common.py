"""What the commands that read and keep records share: their parsers, their source, their output."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from thexp_pl.errors import RecordError

if TYPE_CHECKING:
    from thexp_pl.runs import ExperimentViewer

__all__ = ["Function", "add_command", "add_source", "no_runs", "put", "put_json", "viewer_of"]

_NO_RUNS = (
    "No runs are recorded yet. `thexp-pl fit` records one, as does any script with"
    " `thexp_pl.Experiment`; `--exps_dir DIR` looks into one experiment root."
)
_NAMED = 3  # folders
_LETTERS = 200  # of each
Function = Callable[[argparse.Namespace], int]


def add_command(
    subparsers: Any, name: str, function: Function, text: str, more: str = ""
) -> argparse.ArgumentParser:
    """Add a command to a command line.

    Args:
        subparsers: What ``ArgumentParser.add_subparsers`` gave.
        name: The command.
        function: Carries it out: takes the parsed arguments, returns the exit code. It is left in
            ``run``, with the faults of the output handled.
        text: What it does, in one line without a full stop.
        more: What its own help says besides, whole sentences.

    Returns:
        The command's parser.
    """
    sentence = text[0].upper() + text[1:] + "."
    parser: argparse.ArgumentParser = subparsers.add_parser(
        name, help=text, description=f"{sentence} {more}".strip(), allow_abbrev=False
    )
    parser.set_defaults(run=lambda arguments: _printing(function, arguments))
    return parser


def add_source(parser: argparse.ArgumentParser, *, forms: tuple[str, ...] = ("json",)) -> None:
    """Add the flags that say where runs are looked for, and in which form they are printed.

    Args:
        parser: The command's parser.
        forms: Forms for machines that it knows: ``json``, ``csv``.
    """
    parser.add_argument(
        "--exps_dir", metavar="DIR", help="look into this experiment root only, not all known ones"
    )
    if forms:  # argparse prints no help of a group without flags
        group = parser.add_mutually_exclusive_group()
        for form in forms:
            group.add_argument(
                f"--{form}", action="store_true", help=f"print {form.upper()} for machines"
            )


def viewer_of(arguments: argparse.Namespace) -> ExperimentViewer:
    """Give the viewer of the runs that a command is about.

    Args:
        arguments: ``exps_dir``.

    Returns:
        The viewer.

    Raises:
        RecordError: The root is not there.
    """
    from thexp_pl.runs import ExperimentViewer

    return ExperimentViewer(None if arguments.exps_dir is None else [arguments.exps_dir])


def no_runs(exps_dir: str | None) -> str:
    """Say why there is no run at all, and the way out.

    Args:
        exps_dir: The root that was named; None where all known ones were looked into.

    Returns:
        A line for `put`.
    """
    from thexp_pl.record.folders import as_root, subfolders
    from thexp_pl.record.paths import root_mark
    from thexp_pl.record.roots import gone_roots

    if exps_dir is None:
        gone = gone_roots()
        if not gone:
            return _NO_RUNS
        return (
            f"No runs are there: these experiment roots are gone: {_named(gone)}. Where one was"
            " moved to, `--exps_dir DIR` looks into it."
        )
    folder = as_root(exps_dir)
    below = [Path(entry.path) for entry in subfolders(folder)]
    roots = [path for path in (folder.parent, *sorted(below)) if root_mark(path).is_file()]
    if roots and not root_mark(folder).is_file():
        return f"{_named([folder])} is no experiment root; `--exps_dir` takes one: {_named(roots)}."
    return f"No runs are in {_named([folder])}; `thexp-pl list` shows those of all known roots."


def _named(folders: Sequence[Path]) -> str:
    from thexp_pl.record.names import shown

    more = ", ..." if len(folders) > _NAMED else ""
    return ", ".join(shown(str(folder), _LETTERS) for folder in folders[:_NAMED]) + more


def put(text: str) -> None:
    """Print a line to stdout.

    Args:
        text: The line; what a run says of itself is escaped before, see `names.escaped`.
    """
    sys.stdout.write(f"{text}\n")


def put_json(value: Any) -> None:
    """Print a value as JSON to stdout.

    Args:
        value: Anything; see `thexp_pl.jsonable`.
    """
    from thexp_pl.jsonable import to_jsonable

    # ASCII: right in every locale, and no escape code reaches a terminal.
    put(json.dumps(to_jsonable(value), indent=2))


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
