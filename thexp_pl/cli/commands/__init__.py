"""The commands that read and keep records; none of them imports torch or Lightning.

A module is one command, or a few that belong together. Its parsers are made at every start of the
program: whatever takes time is imported where a command runs.
"""

from __future__ import annotations

from typing import Any

from thexp_pl.cli.commands import (
    archive,
    compare,
    config,
    diff,
    gc,
    listing,
    plot,
    reindex,
    report,
    rerun,
    show,
    stats,
    sweep,
    ui,
    upkeep,
)

__all__ = ["add_parsers"]

# in the order in which the help shows them
_MODULES = (
    sweep,
    listing,
    show,
    diff,
    compare,
    stats,
    plot,
    report,
    ui,
    rerun,
    upkeep,
    gc,
    archive,
    reindex,
    config,
)


def add_parsers(subparsers: Any) -> None:
    """Add all of them to a command line.

    Args:
        subparsers: What ``ArgumentParser.add_subparsers`` gave.
    """
    for module in _MODULES:
        module.add_parsers(subparsers)
