"""``thexp-pl show``: all that is known of a run."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from thexp_pl.cli.commands.common import add_command, add_source, put, put_json, viewer_of
from thexp_pl.errors import RecordError, UsageError

if TYPE_CHECKING:
    from thexp_pl.runs import ExperimentViewer, Run, RunRow

__all__ = ["add_parsers", "run_show"]

_DIGITS = 10


def add_parsers(subparsers: Any) -> None:
    """Add the command.

    Args:
        subparsers: What ``ArgumentParser.add_subparsers`` gave.
    """
    parser = add_command(subparsers, "show", run_show, "show all that is known of a run")
    parser.add_argument(
        "key", metavar="KEY", help="a run's key, the start of one, @last, or an experiment"
    )
    add_source(parser, forms=("json", "csv"))
    names = "NAME[,NAME...]"
    parser.add_argument("--metrics", metavar=names, help="show these metrics only")
    alone = parser.add_mutually_exclusive_group()
    alone.add_argument("--plot", metavar=names, help="draw the curves of metrics, and no more")
    alone.add_argument(
        "--log", metavar="N", type=_count, help="print the last N lines of its console, and no more"
    )
    alone.add_argument("--follow", action="store_true", help="go on showing it until it has ended")


def run_show(arguments: argparse.Namespace) -> int:
    """Print all that is known of one run.

    Args:
        arguments: ``key``, ``exps_dir``, ``json``, ``csv``, ``metrics``, ``plot``, ``log`` and
            ``follow``.

    Returns:
        0.

    Raises:
        RecordError: The key means no run, or several, or a metric is none of the run's.
        UsageError: Two forms of output are asked for at once.
    """
    form = next((name for name in ("json", "csv") if getattr(arguments, name)), None)
    parts = {"plot": arguments.plot is not None, "log": arguments.log, "follow": arguments.follow}
    part = next((name for name, is_asked in parts.items() if is_asked), None)
    if form and part:
        raise UsageError(f"--{part} is for people, --{form} for machines; give one of them")
    viewer = viewer_of(arguments)
    run = viewer.run(arguments.key)
    if arguments.csv:
        _put_rows(run, arguments.metrics)
    elif arguments.json:
        put_json(_facts(run, _children(viewer, run), arguments.metrics))
    elif arguments.log:
        _put_log(run, arguments.log)
    elif arguments.follow:
        from thexp_pl.cli.page.follow import follow

        follow(run.paths, arguments.metrics)
    else:
        _print(run, viewer, arguments)
    return 0


def _print(run: Run, viewer: ExperimentViewer, arguments: argparse.Namespace) -> None:
    from thexp_pl.cli.page.history import histories, read_columns, words
    from thexp_pl.cli.page.printing import print_plots, print_run

    history = histories(read_columns(run))
    if arguments.plot is not None:
        print_plots(history, words(arguments.plot, history))
    else:
        names = words(arguments.metrics, run.metrics)
        print_run(run, _children(viewer, run), history, names)


def _put_rows(run: Run, text: str | None) -> None:
    import csv
    import sys

    from thexp_pl.cli.page.history import chosen, read_columns, words
    from thexp_pl.record.names import escaped

    columns = read_columns(run)
    names = chosen(dict.fromkeys(columns.names), words(text, columns.names))
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(("step", "epoch", "time", "name", "value"))
    for step, epoch, time, name, value in columns.rows():
        if name in names:
            writer.writerow((step, epoch, f"{time:.3f}", escaped(name), repr(value)))


def _put_log(run: Run, count: int) -> None:
    from thexp_pl.record.names import escaped
    from thexp_pl.runs.log import last_lines

    try:
        lines = last_lines(run.paths, count)
    except OSError as error:
        raise RecordError(f"cannot read {str(run.paths.console)!r}: {error.strerror}") from None
    for line in lines or ["Nothing of this run's console was kept."]:
        put(escaped(line.expandtabs()))


def _facts(run: Run, children: Iterable[RunRow], text: str | None) -> dict[str, Any]:
    from thexp_pl.cli.page.history import chosen, words
    from thexp_pl.saver.inventory import checkpoints_of

    return {
        **run.to_dict(),
        "path": str(run.paths.folder),
        "metrics": chosen(run.metrics, words(text, run.metrics)),
        "checkpoints": checkpoints_of(run),
        "children": [{"key": child.key, "status": child.status} for child in children],
    }


def _children(viewer: ExperimentViewer, run: Run) -> list[RunRow]:
    try:
        return viewer.rows(f"parent == {run.key!r}")
    except UsageError:  # a folder's name that is no text: no run can say that it came from there
        return []


def _count(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 0 < len(text) < _DIGITS and int(text)):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of lines: give one from 1")
    return int(text)
