"""Tables for people; what a run calls itself is shown, never obeyed.

Names, notes and parameters may hold anything: they reach the terminal as text, without markup and
with control characters escaped. In a pipe lines are as long as they need to be.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from thexp_pl.record.names import escaped

__all__ = ["STYLES", "cell", "console", "grid", "printable"]

_PIPE_WIDTH = 100_000
_MAX_CELL = 500
STYLES = {
    "running": "cyan",
    "finished": "green",
    "failed": "red",
    "interrupted": "yellow",
    "killed": "red",
    "lost": "magenta",
    "damaged": "red",
}


def printable(text: str) -> str:
    """Escape what a terminal would obey and cut what would flood it.

    Args:
        text: Any text.

    Returns:
        One line without control characters.

    >>> printable("a\\x1b[31mb\\n")
    'a\\\\x1b[31mb\\\\n'
    """
    return escaped(text if len(text) <= _MAX_CELL else text[:_MAX_CELL] + "…")


@contextmanager
def console() -> Iterator[Console]:
    """Print to the terminal, or into a pipe without the blanks that fill up a table."""
    plain: dict[str, Any] = {"highlight": False, "markup": False, "emoji": False}
    if sys.stdout.isatty():
        yield Console(file=sys.stdout, **plain)
        return
    text = io.StringIO()
    # Not `width=None`: rich would take 80 columns and cut the rest.
    yield Console(file=text, width=_PIPE_WIDTH, **plain)
    sys.stdout.writelines(f"{line.rstrip()}\n" for line in text.getvalue().split("\n")[:-1])


def cell(text: str, style: str = "") -> Text:
    """Make a cell of a table, see `printable`.

    Args:
        text: What it holds.
        style: Its style, as rich calls it.
    """
    return Text(printable(text), style=style)


def grid(columns: int = 2) -> Table:
    """Make a table without a header, whose last column alone is folded.

    Args:
        columns: How many it has.
    """
    table = Table.grid(padding=(0, 2))
    for _ in range(columns - 1):
        table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    return table
