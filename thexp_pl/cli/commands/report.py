"""``thexp-pl report``: runs as a page for a browser, in one file."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from thexp_pl.cli.commands.common import add_command, add_source, put, put_json, viewer_of

__all__ = ["add_parsers", "run_report"]


def add_parsers(subparsers: Any) -> None:
    """Add the command.

    Args:
        subparsers: What ``ArgumentParser.add_subparsers`` gave.
    """
    parser = add_command(
        subparsers,
        "report",
        run_report,
        "write runs as a page for a browser, in one file",
        "It opens from disk and needs no network: of one run all that is known of it, of several"
        " what differs and their curves over one another.",
    )
    parser.add_argument("words", metavar="KEY|QUERY", nargs="+", help="the runs")
    parser.add_argument(
        "-o", dest="file", metavar="FILE", required=True, help="such as report.html"
    )
    parser.add_argument(
        "--no_code", action="store_true", help="without the sources and patches of a single run"
    )
    parser.add_argument("--title", metavar="TEXT", default="", help="the title of the page")
    add_source(parser)


def run_report(arguments: argparse.Namespace) -> int:
    """Write a page.

    Args:
        arguments: ``words``, ``file``, ``no_code``, ``title``, ``exps_dir`` and ``json``.

    Returns:
        0.

    Raises:
        RecordError: A key means no run, or the file is there already or cannot be written.
        UsageError: No run is like that, or a package of the extra ``report`` is absent.
    """
    from thexp_pl.cli.advance import advancing
    from thexp_pl.record.names import escaped
    from thexp_pl.report.page import write_page
    from thexp_pl.runs.row import told_away
    from thexp_pl.runs.selecting import select_runs

    rows = select_runs(viewer_of(arguments), arguments.words)
    with advancing("reading runs") as advance:
        path = write_page(
            rows,
            arguments.file,
            code=not arguments.no_code,
            title=arguments.title,
            progress=advance,
        )
    size = path.stat().st_size
    if arguments.json:
        put_json({"file": path, "bytes": size, "runs": [row.key for row in rows]})
        return 0
    counted = "1 run" if len(rows) == 1 else f"{len(rows)} runs"
    put(escaped(f"{counted} in {path} ({size:,} bytes)"))
    if away := told_away(rows):
        sys.stderr.write(f"note: without the curves of {away}\n")
    return 0
