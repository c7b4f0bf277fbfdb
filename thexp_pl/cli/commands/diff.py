"""``thexp-pl diff``: what differs between two runs."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from thexp_pl.cli.commands.common import add_command, add_source, put_json, viewer_of
from thexp_pl.errors import UsageError

if TYPE_CHECKING:
    from thexp_pl.compare.diff import Difference

__all__ = ["add_parsers", "run_diff"]

_MORE = (
    "Code, command, params, packages, data, environment, random states and metrics are compared;"
    " each is shown only where it differs. The exit code is 0 whether or not they differ."
)


def add_parsers(subparsers: Any) -> None:
    """Add the command.

    Args:
        subparsers: What ``ArgumentParser.add_subparsers`` gave.
    """
    parser = add_command(subparsers, "diff", run_diff, "show what differs between two runs", _MORE)
    for name in ("A", "B"):
        parser.add_argument(
            name.lower(), metavar=name, help="a run's key, the start of one, or @last"
        )
    part = parser.add_mutually_exclusive_group()
    part.add_argument(
        "--code",
        action="store_true",
        help="show the code alone, all of it; in a pipe as a patch, byte for byte",
    )
    part.add_argument(
        "--only", metavar="NAMES", help="compare only these categories, such as params,metrics"
    )
    parser.add_argument("--stat", action="store_true", help="show a summary, a line a category")
    parser.add_argument(
        "--exit_code", action="store_true", help="end with 1 where the runs differ, as git does"
    )
    add_source(parser, forms=("json", "csv"))


def run_diff(arguments: argparse.Namespace) -> int:
    """Print what differs between two runs.

    Args:
        arguments: ``a``, ``b``, ``code``, ``only``, ``stat``, ``exit_code``, ``exps_dir``, ``json``
            and ``csv``.

    Returns:
        0; with ``exit_code`` 1 where they differ.

    Raises:
        RecordError: A key means no run, or several, or a run is damaged.
        UsageError: There is no such category, or two flags cannot be meant together.
    """
    from thexp_pl.compare.diff import diff_runs

    form = next((name for name in ("json", "csv") if getattr(arguments, name)), None)
    if arguments.stat and form:
        raise UsageError(f"--stat is a summary to read, and --{form} is for machines: give one")
    only = None if arguments.only is None else [name.strip() for name in arguments.only.split(",")]
    viewer = viewer_of(arguments)
    difference = diff_runs(
        viewer.run(arguments.a), viewer.run(arguments.b), ["code"] if arguments.code else only
    )
    _print(difference, arguments)
    return 1 if arguments.exit_code and difference else 0


def _print(difference: Difference, arguments: argparse.Namespace) -> None:
    if arguments.json:
        put_json(difference.to_dict())
    elif arguments.csv:
        _put_csv(difference)
    elif arguments.code and not arguments.stat and not sys.stdout.isatty():
        _put_patch(difference)
    else:
        from thexp_pl.cli.output.difference import print_difference

        print_difference(difference, is_stat=arguments.stat, is_whole=arguments.code)


def _put_patch(difference: Difference) -> None:
    """Print the patch as `git apply` takes it; what is to be said of it goes elsewhere."""
    from thexp_pl.record.names import escaped

    binary = [file.name for file in difference.code.files if file.is_binary and file.is_changed]
    without = [f"the patch is without the binary files: {', '.join(binary)}"] if binary else []
    for remark in (*difference.remarks, *without):
        sys.stderr.write(f"note: {escaped(remark)}\n")
    sys.stdout.flush()
    sys.stdout.buffer.write(difference.code.patch)


def _put_csv(difference: Difference) -> None:
    """Print one line a difference; texts stand as they are, all other values as JSON."""
    import csv

    from thexp_pl.cli.output.difference import entries, told
    from thexp_pl.compare.values import MISSING
    from thexp_pl.record.names import escaped

    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(("category", "name", "a", "b"))
    for category, change in entries(difference):
        values = ["" if value is MISSING else told(value) for value in (change.a, change.b)]
        writer.writerow(map(escaped, (category, change.name, *values)))
