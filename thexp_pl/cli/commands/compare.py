"""``thexp-pl compare``: what differs between many runs, and which is best."""

from __future__ import annotations

import argparse
import re
import sys
from typing import TYPE_CHECKING, Any

from thexp_pl.cli.commands.common import (
    add_command,
    add_source,
    no_runs,
    put,
    put_json,
    viewer_of,
)
from thexp_pl.errors import UsageError
from thexp_pl.record.names import shown

if TYPE_CHECKING:
    from thexp_pl.cli.output.sheet import Sheet
    from thexp_pl.runs.row import RunRow

__all__ = ["add_metrics", "add_parsers", "add_runs", "names_of", "run_compare", "selected"]

_BRACKETS = re.compile(r"""(params|metrics)\[(["'])(.*)\2\]((?:\.\w+)?)""")
_ALL_SHOWN = 50  # runs at a terminal, without --limit
_AS_COLUMNS = 3  # runs, or fewer: they are columns


def add_parsers(subparsers: Any) -> None:
    """Add the command.

    Args:
        subparsers: What ``ArgumentParser.add_subparsers`` gave.
    """
    parser = add_command(
        subparsers,
        "compare",
        run_compare,
        "show what differs between runs, and their metrics",
        "The best values have a *: the smallest of a loss, an error, a perplexity or a time, the"
        " largest of all else; --min and --max say otherwise.",
    )
    add_runs(parser)
    add_metrics(parser)
    parser.add_argument(
        "--params", metavar="A,B", action="append", help="show these in place of what differs"
    )
    for side, size in (("min", "small"), ("max", "large")):
        parser.add_argument(
            f"--{side}",
            metavar="NAME",
            action="append",
            help=f"a metric whose {size} values are the better",
        )
    parser.add_argument("--by", metavar="A,B", action="append", help="compare groups of equal A, B")
    parser.add_argument("--sort", metavar="NAME", default="", help="a parameter, metric or fact")
    parser.add_argument("--reverse", action="store_true", help="the greatest first")
    parser.add_argument("--limit", metavar="N", type=int, help="show N at most")
    turned: dict[str, Any] = {"dest": "transpose", "action": "store_const"}
    either = parser.add_mutually_exclusive_group()
    either.add_argument("--transpose", const=True, help="runs as columns, not as rows", **turned)
    either.add_argument(
        "--no_transpose", const=False, help="runs as rows, also up to three", **turned
    )
    add_source(parser, forms=("json", "csv"))
    parser.add_argument("--markdown", action="store_true", help="print a table for a page")


def add_runs(parser: argparse.ArgumentParser) -> None:
    """Add the words that choose runs.

    Args:
        parser: The command's parser.
    """
    parser.add_argument(
        "runs", metavar="KEY|QUERY", nargs="*", help="the runs; none mean all of them"
    )


def add_metrics(parser: argparse.ArgumentParser) -> None:
    """Add the flag that names metrics.

    Args:
        parser: The command's parser.
    """
    parser.add_argument(
        "--metrics",
        metavar="A,B.min",
        action="append",
        help="metrics, of each the last value or .min, .max, .mean; default: the last of all",
    )


def run_compare(arguments: argparse.Namespace) -> int:
    """Print runs, or groups of them, beside one another.

    Args:
        arguments: What the command line gave.

    Returns:
        0.

    Raises:
        UsageError: A name is not there.
        RecordError: A key means no run.
    """
    if arguments.limit is not None and arguments.limit < 1:
        raise UsageError(f"--limit is {arguments.limit}: show at least 1")
    rows = selected(arguments)
    if not rows and not (arguments.json or arguments.csv):
        put("No run matches." if arguments.runs else no_runs(arguments.exps_dir))
        return 0
    wanted: dict[str, Any] = {
        "metrics": names_of(arguments.metrics),
        "smaller": names_of(arguments.min),
        "larger": names_of(arguments.max),
    }
    if arguments.by is None:
        _put_runs(rows, arguments, wanted)
    else:
        _put_groups(rows, arguments, wanted)
    return 0


def selected(arguments: argparse.Namespace) -> list[RunRow]:
    """Find the runs that a command is about.

    Args:
        arguments: ``runs``, and the forms, of which there is one at most.

    Returns:
        The runs.

    Raises:
        UsageError: Two forms were asked for.
        RecordError: A key means no run.
    """
    from thexp_pl.runs.selecting import select_runs

    if arguments.markdown and (arguments.json or arguments.csv):
        raise UsageError("--markdown is a form of its own: leave out --json and --csv")
    return select_runs(viewer_of(arguments), arguments.runs)


def names_of(given: list[str] | None) -> list[str]:
    """Take lists of names apart.

    Args:
        given: Each some names with commas between; ``params["a,b"]`` and ``metrics["c"].max`` are
            written as in a query. None for none.

    Returns:
        The names, with a dot in place of brackets.

    Raises:
        UsageError: There is no name in one.
    """
    from thexp_pl.runs.columns import column_names

    names: list[str] = []
    for text in given or ():
        own = column_names(text)
        if not own:
            raise UsageError(f"{shown(text)} names nothing: write names with commas between")
        names += map(_name, own)
    return names


def _name(text: str) -> str:
    found = _BRACKETS.fullmatch(text)
    return f"{found[1]}.{found[3]}{found[4]}" if found else text


def _put_runs(rows: list[RunRow], arguments: argparse.Namespace, wanted: dict[str, Any]) -> None:
    from thexp_pl.cli.output.compare_sheets import runs_sheet, runs_values
    from thexp_pl.compare.comparison import compare_runs, sort_runs

    if arguments.sort:
        rows = sort_runs(rows, _name(arguments.sort), reverse=arguments.reverse)
    elif arguments.reverse:
        rows = rows[::-1]
    params = None if arguments.params is None else names_of(arguments.params)
    comparison = compare_runs(rows, params=params, **wanted)
    machine = arguments.json or arguments.csv or arguments.markdown
    limit = arguments.limit or (_ALL_SHOWN if sys.stdout.isatty() and not machine else len(rows))
    # sorted: the first; else the newest, which stand last unless they were turned round
    first = 0 if arguments.sort or arguments.reverse else max(len(rows) - limit, 0)
    part = comparison.part(range(first, min(first + limit, len(rows))))
    if arguments.json:
        put_json(part.to_dict()["runs"])
    elif arguments.csv:
        _put_csv(*runs_values(part))
    else:
        _put_table(runs_sheet(part), arguments, turned=len(part.runs) <= _AS_COLUMNS)
        if len(part.runs) < len(rows) and arguments.limit is None:
            put(f"{len(rows) - len(part.runs):,} more; `--limit {len(rows)}` shows all.")


def _put_groups(rows: list[RunRow], arguments: argparse.Namespace, wanted: dict[str, Any]) -> None:
    from thexp_pl.cli.output.compare_sheets import group_values, groups_sheet
    from thexp_pl.compare.groups import compare_groups

    if arguments.params is not None:
        raise UsageError("--params shows parameters of runs, --by those of groups: give one")
    order = {"sort": _name(arguments.sort), "reverse": arguments.reverse}
    found = compare_groups(rows, names_of(arguments.by), **order, **wanted).head(arguments.limit)
    if arguments.json:
        put_json(found.to_dict()["groups"])
    elif arguments.csv:
        _put_csv(*group_values(found))
    else:
        _put_table(groups_sheet(found), arguments, turned=False)


def _put_table(sheet: Sheet, arguments: argparse.Namespace, *, turned: bool) -> None:
    from thexp_pl.cli.output.sheet import markdown_text, print_sheet

    turned = turned if arguments.transpose is None else arguments.transpose
    sheet = sheet.transposed() if turned else sheet
    if arguments.markdown:
        put(markdown_text(sheet).rstrip("\n"))
    else:
        print_sheet(sheet)


def _put_csv(titles: list[str], rows: list[list[Any]]) -> None:
    from thexp_pl.cli.output.sheet import csv_text

    put(csv_text(titles, rows).rstrip("\n"))
