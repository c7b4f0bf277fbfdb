"""``thexp-pl list``: the recorded runs."""

from __future__ import annotations

import argparse
from typing import Any

from thexp_pl.cli.commands.common import (
    NO_RUNS,
    add_command,
    add_source,
    put,
    put_json,
    viewer_of,
)

__all__ = ["add_parsers", "run_list"]


def add_parsers(subparsers: Any) -> None:
    """Add the command.

    Args:
        subparsers: What ``ArgumentParser.add_subparsers`` gave.
    """
    parser = add_command(subparsers, "list", run_list, "list the recorded runs, oldest first")
    add_source(parser)


def run_list(arguments: argparse.Namespace) -> int:
    """Print a table, or with ``--json`` an array, of the runs.

    Args:
        arguments: ``exps_dir`` and ``json``.

    Returns:
        0.
    """
    runs = viewer_of(arguments).runs()
    if arguments.json:
        put_json([{**run.to_dict(), "path": str(run.paths.folder)} for run in runs])
    elif runs:
        from thexp_pl.cli.tables import print_runs

        print_runs(runs)
    else:
        put(NO_RUNS)
    return 0
