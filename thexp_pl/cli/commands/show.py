"""``thexp-pl show``: all that is known of a run."""

from __future__ import annotations

import argparse
from typing import Any

from thexp_pl.cli.commands.common import add_command, add_source, put_json, viewer_of

__all__ = ["add_parsers", "run_show"]


def add_parsers(subparsers: Any) -> None:
    """Add the command.

    Args:
        subparsers: What ``ArgumentParser.add_subparsers`` gave.
    """
    parser = add_command(subparsers, "show", run_show, "show all that is known of a run")
    parser.add_argument("key", metavar="KEY", help="a run's key, the start of one, or @last")
    add_source(parser)


def run_show(arguments: argparse.Namespace) -> int:
    """Print all that is known of one run.

    Args:
        arguments: ``key``, ``exps_dir`` and ``json``.

    Returns:
        0.

    Raises:
        RecordError: The key means no run, or several.
    """
    run = viewer_of(arguments).run(arguments.key)
    if arguments.json:
        put_json({**run.to_dict(), "path": str(run.paths.folder)})
    else:
        from thexp_pl.cli.tables import print_run

        print_run(run)
    return 0
