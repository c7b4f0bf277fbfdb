"""``thexp-pl reproduce | rollback | resume``: recorded runs, run again or gone on with."""

from __future__ import annotations

from typing import Any

__all__ = ["add_parsers"]


def add_parsers(subparsers: Any) -> None:
    """Add the command.

    Args:
        subparsers: What ``ArgumentParser.add_subparsers`` gave.
    """
