"""Runs as a table of HTML, for a notebook: texts only, whatever a run calls itself."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from thexp_pl.record.names import escaped
from thexp_pl.runs.columns import DEFAULT_COLUMNS, Cells
from thexp_pl.runs.row import RunRow

__all__ = ["SHOWN", "runs_html"]

SHOWN = 50
_MAX_CELL = 300


def runs_html(rows: Sequence[RunRow], total: int) -> str:
    """Make a table of runs.

    Args:
        rows: The runs to show, oldest first.
        total: How many there are.

    Returns:
        The table and, in a line, how many more there are.
    """
    if not rows:
        return "<p>No runs are recorded yet.</p>"
    cells = Cells(rows)
    columns = [cells.column(title) for title in DEFAULT_COLUMNS]
    head = "".join(f"<th>{title}</th>" for title in DEFAULT_COLUMNS)
    body = "".join(
        f"<tr>{''.join(f'<td>{_text(text)}</td>' for text in line)}</tr>\n"
        for line in zip(*columns, strict=True)
    )
    table = f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody>\n</table>"
    left = total - len(rows)
    return f"{table}\n<p>{left:,} older runs are not shown.</p>" if left else table


def _text(text: str) -> str:
    return escape(escaped(text if len(text) <= _MAX_CELL else f"{text[:_MAX_CELL]}…"))
