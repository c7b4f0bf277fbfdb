"""``thexp-pl reindex``: the index of all runs, made anew."""

from __future__ import annotations

import argparse
from typing import Any

from thexp_pl.cli.commands.common import add_command, put, put_json
from thexp_pl.errors import RecordError
from thexp_pl.globvars import thexp_home

__all__ = ["add_parsers", "run_reindex"]


def add_parsers(subparsers: Any) -> None:
    """Add the command.

    Args:
        subparsers: What ``ArgumentParser.add_subparsers`` gave.
    """
    parser = add_command(
        subparsers,
        "reindex",
        run_reindex,
        "read all runs anew into the index",
        "The index follows the runs by itself; this finds at once what was changed by hand.",
    )
    parser.add_argument("--json", action="store_true", help="print JSON for machines")


def run_reindex(arguments: argparse.Namespace) -> int:
    """Make the index anew.

    Args:
        arguments: ``json``.

    Returns:
        0.

    Raises:
        RecordError: It cannot be written.
    """
    from thexp_pl.cli.advance import advancing
    from thexp_pl.record.roots import known_roots
    from thexp_pl.runs.index import Index

    roots = known_roots()
    index = Index.of_user(roots)
    with advancing("reading runs") as advance:
        index.rebuild(advance)
    if index.in_memory:
        raise RecordError(
            f"cannot write the index in {str(thexp_home())!r}: free it, or name another home in"
            " THEXP_HOME; runs are read without it, more slowly"
        )
    count = index.count()
    if arguments.json:
        put_json({"runs": count, "roots": len(roots)})
    else:
        runs, of = "run" if count == 1 else "runs", "root" if len(roots) == 1 else "roots"
        verb = "is" if count == 1 else "are"
        put(f"{count:,} {runs} of {len(roots):,} experiment {of} {verb} in the index.")
    return 0
