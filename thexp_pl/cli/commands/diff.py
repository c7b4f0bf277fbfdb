"""``thexp-pl diff``: what differs between two runs."""

from __future__ import annotations

from typing import Any

__all__ = ["add_parsers"]


def add_parsers(subparsers: Any) -> None:
    """Add the command.

    Args:
        subparsers: What ``ArgumentParser.add_subparsers`` gave.
    """
