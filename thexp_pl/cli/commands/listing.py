"""``thexp-pl list``: the recorded runs."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from thexp_pl.cli.commands.common import add_command, add_source, no_runs, put, viewer_of
from thexp_pl.errors import UsageError

if TYPE_CHECKING:
    from thexp_pl.runs import ExperimentViewer, RunRow

__all__ = ["add_parsers", "run_list"]

_NEWEST = 50  # at a terminal


def add_parsers(subparsers: Any) -> None:
    """Add the command.

    Args:
        subparsers: What ``ArgumentParser.add_subparsers`` gave.
    """
    parser = add_command(
        subparsers,
        "list",
        run_list,
        "list the recorded runs, oldest first",
        f"At a terminal the newest {_NEWEST}, in a pipe all.",
    )
    parser.add_argument(
        "query",
        metavar="QUERY",
        nargs="?",
        help="which, such as \"params.lr < 0.1 and status == 'finished'\"",
    )
    parser.add_argument("--sort", metavar="NAME", help="by a name such as metrics.acc.max")
    parser.add_argument("--reverse", action="store_true", help="the other way round")
    parser.add_argument(
        "--limit", metavar="N", type=int, help="at most N: the newest, or the first as sorted"
    )
    parser.add_argument(
        "--recent",
        metavar="SPAN",
        nargs="?",
        const="1d",
        help="those that started within 90m, 2h, 3d or 1w; without SPAN within a day",
    )
    parser.add_argument("--columns", metavar="NAME,...", help="these columns, for --csv too")
    add_source(parser, forms=("json", "csv"))


def run_list(arguments: argparse.Namespace) -> int:
    """Print a table of the runs, or with ``--json`` an array, with ``--csv`` a line a run.

    Args:
        arguments: What `add_parsers` says.

    Returns:
        0.

    Raises:
        UsageError: The query, a name or a number cannot be meant.
        RecordError: The beginning of a sweep's key means several.
    """
    if arguments.limit is not None and arguments.limit < 1:
        raise UsageError(f"--limit {arguments.limit} shows nothing: give a number from 1")
    if arguments.columns is not None and arguments.json:
        raise UsageError("--columns is for the table and --csv; --json gives all of a run")
    viewer = viewer_of(arguments)
    query, since = _query(arguments)
    limit = arguments.limit
    if limit is None and sys.stdout.isatty() and not (arguments.json or arguments.csv):
        limit = _NEWEST
    rows = _rows(viewer, query, since, arguments, limit)
    if viewer.remark:
        sys.stderr.write(f"note: {viewer.remark}\n")
    if arguments.json:
        _put_json(rows)
    elif arguments.csv:
        from thexp_pl.cli.output.run_csv import write_csv

        write_csv(rows, _titles(arguments))
    elif rows:
        from thexp_pl.cli.output.run_table import print_rows

        print_rows(rows, _titles(arguments))
        _tell_rest(viewer, query, since, arguments, len(rows))
        _tell_damage(rows)
        _tell_away(rows)
    elif query or since is not None:
        put("No run is like that; `thexp-pl list` shows all.")
    else:
        put(no_runs(arguments.exps_dir))
    return 0


def _query(arguments: argparse.Namespace) -> tuple[str, float | None]:
    """Give the query, and when the runs may have started at the earliest."""
    query: str = arguments.query or ""
    if arguments.query is not None and not query.strip():
        from thexp_pl.runs.query import compile_query

        compile_query(query)  # it says that it is empty
    if arguments.recent is None:
        return query, None
    from thexp_pl.runs.query.times import parse_span

    return query, time.time() - parse_span(arguments.recent)


def _rows(
    viewer: ExperimentViewer,
    query: str,
    since: float | None,
    arguments: argparse.Namespace,
    limit: int | None,
) -> list[RunRow]:
    told: dict[str, Any] = {"since": since, "limit": limit}
    if arguments.sort is not None:
        return viewer.rows(query, sort=arguments.sort, reverse=arguments.reverse, **told)
    newest = viewer.rows(query, sort="started", reverse=True, **told)
    return newest if arguments.reverse else newest[::-1]


def _titles(arguments: argparse.Namespace) -> list[str]:
    if arguments.columns is None:
        return []
    from thexp_pl.runs.columns import column_names

    titles = column_names(arguments.columns)
    if not titles:
        raise UsageError("--columns names no column; give some, as in key,params.lr,metrics.acc")
    return titles


def _tell_rest(
    viewer: ExperimentViewer,
    query: str,
    since: float | None,
    arguments: argparse.Namespace,
    shown: int,
) -> None:
    """Say at a terminal how many runs are not shown."""
    if arguments.limit is not None or shown < _NEWEST or not sys.stdout.isatty():
        return
    count = len(viewer.query(query, since=since))
    if count > shown:
        put(f"... and {count - shown:,} more; --limit {count} shows all")


def _tell_damage(rows: Sequence[RunRow]) -> None:
    """Say at a terminal how to see why runs are damaged."""
    if any(row.damage for row in rows) and sys.stdout.isatty():
        put("What is damaged: thexp-pl list \"status == 'damaged'\" --columns key,damage")


def _tell_away(rows: Sequence[RunRow]) -> None:
    """Say at a terminal which machines have the files of a team's runs."""
    from thexp_pl.runs.row import told_away

    if sys.stdout.isatty() and (away := told_away(rows)):
        put(f"Elsewhere: {away}")


def _put_json(rows: Sequence[RunRow]) -> None:
    """Print an array with a run a line; ASCII, so that no escape code reaches a terminal."""
    from thexp_pl.jsonable import to_jsonable
    from thexp_pl.runs.words import iso_text

    def line(row: RunRow) -> str:
        facts = {**_facts(row), "started": iso_text(row.started)}
        try:
            return json.dumps(facts, allow_nan=False)
        except ValueError:  # NaN and infinity, which only this has the words for
            return json.dumps(to_jsonable(facts))

    put("[" + ",".join(f"\n{line(row)}" for row in rows) + ("\n]" if rows else "]"))


def _facts(row: RunRow) -> dict[str, Any]:
    return {
        "key": row.key,
        "status": row.status,
        "experiment": row.experiment,
        "root": str(row.root),
        "path": str(row.place.folder),
        "started": row.started,
        "seconds": row.seconds,
        "params": row.params,
        "metrics": row.metrics,
        "tags": row.tags,
        "notes": row.notes,
        "command": row.command,
        "code": row.code,
        "commit": row.commit,
        "python": row.python,
        "host": row.host,
        "away": row.away,
        "parent": row.parent,
        "sweep": row.sweep,
        "point": row.point,
        "damage": row.damage,
    }
