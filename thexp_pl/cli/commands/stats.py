"""``thexp-pl stats``: means of repeated runs, and tests between groups of them."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from thexp_pl.cli.commands.common import (
    add_command,
    add_source,
    no_runs,
    put,
    put_json,
    viewer_of,
)
from thexp_pl.cli.commands.compare import add_metrics, add_runs, names_of, selected
from thexp_pl.errors import UsageError
from thexp_pl.record.names import escaped, shown

if TYPE_CHECKING:
    from thexp_pl.compare.stats import Summary
    from thexp_pl.runs.row import RunRow

__all__ = ["add_parsers", "run_stats"]

_SUFFIXES = (".md", ".csv", ".json")


def add_parsers(subparsers: Any) -> None:
    """Add the command.

    Args:
        subparsers: What ``ArgumentParser.add_subparsers`` gave.
    """
    parser = add_command(
        subparsers,
        "stats",
        run_stats,
        "summarise repeated runs, and test whether groups of them differ",
        "Intervals and tests need scipy: pip install 'thexp-pl[stats]'.",
    )
    add_runs(parser)
    add_metrics(parser)
    parser.add_argument(
        "--by",
        metavar="A,B",
        action="append",
        help="runs of equal A, B are repeats; default: all-but-seed, that is all parameters",
    )
    parser.add_argument("--seed", metavar="NAME", default="", help="the parameter that is the seed")
    parser.add_argument(
        "--confidence", metavar="P", type=float, default=0.95, help="of intervals; default: 0.95"
    )
    parser.add_argument("--all", action="store_true", help="take in runs that have not finished")
    parser.add_argument(
        "--mix", action="store_true", help="leave runs of different code or packages together"
    )
    parser.add_argument(
        "-o", dest="output", metavar="FILE", help=f"write it there ({', '.join(_SUFFIXES)})"
    )
    add_source(parser, forms=("json", "csv"))
    parser.add_argument("--markdown", action="store_true", help="print tables for a page")


def run_stats(arguments: argparse.Namespace) -> int:
    """Print, or keep in a file, the statistics of repeated runs; doubts go to stderr.

    Args:
        arguments: What the command line gave.

    Returns:
        0.

    Raises:
        UsageError: A name is not there, or a file cannot be of that form.
        RecordError: A key means no run, or the file cannot be written.
    """
    target = None if arguments.output is None else _target(arguments)
    rows = selected(arguments)
    if not rows and not (arguments.json or arguments.csv or target):
        put("No run matches." if arguments.runs else no_runs(arguments.exps_dir))
        return 0
    from thexp_pl.compare.stats import summarise

    summary = summarise(
        rows,
        by=names_of(arguments.by) or None,
        metrics=names_of(arguments.metrics),
        seed=arguments.seed,
        confidence=arguments.confidence,
        mix=arguments.mix,
        unfinished=arguments.all,
        lineage=_lineage(rows, arguments),
    )
    if target is None:
        _put(summary, arguments)
    else:
        _write(summary, target)
    sys.stdout.flush()  # before what is said of it
    for kind, texts in (("warning", summary.warnings), ("note", summary.notes)):
        for text in texts:
            sys.stderr.write(f"{kind}: {escaped(text)}\n")
    return 0


def _lineage(rows: list[RunRow], arguments: argparse.Namespace) -> list[RunRow]:
    """Give all runs where some of these came from one that was not chosen."""
    keys = {row.key for row in rows}
    is_whole = all(not row.parent or row.parent in keys for row in rows)
    return [] if is_whole else viewer_of(arguments).rows()


def _target(arguments: argparse.Namespace) -> Path:
    target = Path(arguments.output)
    if target.suffix not in _SUFFIXES:
        raise UsageError(
            f"-o {shown(arguments.output)} does not say in which form: end it in"
            f" {', '.join(_SUFFIXES)}"
        )
    if target.exists() and not target.is_file():
        raise UsageError(f"-o {shown(arguments.output)} is no regular file: name another one")
    if arguments.json or arguments.csv or arguments.markdown:
        raise UsageError("-o FILE is written as its suffix says: leave out the other form")
    return target


def _put(summary: Summary, arguments: argparse.Namespace) -> None:
    from thexp_pl.cli.output import stats_sheets
    from thexp_pl.cli.output.sheet import print_sheet

    if arguments.json:
        put_json(summary.to_dict())
    elif arguments.csv:
        put(stats_sheets.summary_csv(summary).rstrip("\n"))
    elif arguments.markdown:
        put(stats_sheets.summary_markdown(summary).rstrip("\n"))
    elif not summary.groups:
        put("No run of these has finished.")
    else:
        print_sheet(stats_sheets.groups_sheet(summary))
        if summary.tests:
            put("")
            print_sheet(stats_sheets.pairs_sheet(summary))


def _write(summary: Summary, target: Path) -> None:
    from thexp_pl import atomic
    from thexp_pl.cli.output import stats_sheets
    from thexp_pl.record.outputs import output_error

    try:
        if target.suffix == ".json":
            atomic.write_json(target, summary.to_dict())
        elif target.suffix == ".csv":
            atomic.write_text(target, stats_sheets.summary_csv(summary))
        else:
            atomic.write_text(target, stats_sheets.summary_markdown(summary))
    except OSError as error:
        raise output_error(target, error) from None
    put(f"The statistics of {len(summary.groups)} groups are in {escaped(str(target))}")
