"""Runs as HTML, for a notebook: texts only, whatever a run calls itself.

No element has an id or a class, and no style reaches beyond the element that has it: all of it
stands in the page of someone else. Colours are those of the text around, light or dark.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import Any

from thexp_pl.errors import RecordError
from thexp_pl.record.metrics import read_history
from thexp_pl.record.names import escaped
from thexp_pl.record.paths import RunPaths
from thexp_pl.runs.columns import DEFAULT_COLUMNS, Cells
from thexp_pl.runs.curves import Curve, curves_of, leading
from thexp_pl.runs.facts import causes_of, facts_of
from thexp_pl.runs.flat import flat
from thexp_pl.runs.row import RunRow
from thexp_pl.runs.run import Run
from thexp_pl.runs.sparkline import curve_svg
from thexp_pl.runs.words import short

__all__ = ["SHOWN", "run_html", "runs_html", "table", "text"]

SHOWN = 50
_MAX_CELL = 300
_MAX_ROWS = 200  # of parameters, and of metrics
_MAX_BYTES = 16 << 20  # of metrics that are read for the curves: a second where there is no numpy
_TOLD = ("damage", "start", "duration", "command", "git", "host", "tags", "note", "folder")
_LEFT = "text-align:left;vertical-align:top"


def runs_html(rows: Sequence[RunRow], total: int) -> str:
    """Make a table of runs.

    Args:
        rows: The runs to show, oldest first.
        total: How many there are.

    Returns:
        The table, with the curve of one metric of each run, and, in a line, how many more runs
        there are. Curves are left out where the newer runs' metrics have 16 MiB together.
    """
    if not rows:
        return "<p>No runs are recorded yet.</p>"
    cells = Cells(rows)
    columns = [[text(one) for one in cells.column(title)] for title in DEFAULT_COLUMNS]
    lines = zip(*columns, _sparklines(rows), strict=True)
    made = table((*DEFAULT_COLUMNS, "curve"), lines)
    left = total - len(rows)
    return f"{made}\n<p>{left:,} older runs are not shown.</p>" if left else made


def run_html(run: Run) -> str:
    """Show a run: what is known of it, its parameters, and its metrics with their curves.

    Args:
        run: The run.

    Returns:
        A heading and three tables; those that would be empty are left out.
    """
    heading = f"<h4>{text(run.paths.experiment)} / {text(run.key)}</h4>"
    facts = ((text(name), text(value)) for name, value in _facts(run))
    parts = [heading, table((), facts)]
    params = sorted(flat(run.params).items())
    if params:
        cells = ((text(name), text(short(value))) for name, value in params[:_MAX_ROWS])
        parts.append(table(("parameter", "value"), cells))
    metrics = run.metrics
    if metrics:
        parts.append(table(("metric", "last", "min", "max", "curve"), _metrics(run, metrics)))
    for left, what in ((len(params), "parameters"), (len(metrics), "metrics")):
        if left > _MAX_ROWS:
            parts.append(f"<p>{left - _MAX_ROWS:,} more {what} are not shown.</p>")
    return f"<div>{''.join(parts)}</div>"


def table(titles: Sequence[str], lines: Iterable[Iterable[str]]) -> str:
    """Make a table.

    Args:
        titles: The columns' titles; without any the first cell of each line is its title.
        lines: Cells of HTML.
    """
    head = "".join(f'<th style="{_LEFT}">{title}</th>' for title in titles)
    top = f"<thead><tr>{head}</tr></thead>\n" if titles else ""
    body = "".join(f"<tr>{''.join(_cells(line, bool(titles)))}</tr>\n" for line in lines)
    return f"<table>\n{top}<tbody>\n{body}</tbody>\n</table>"


def text(value: str) -> str:
    """Make HTML of a text: what a browser or a terminal would obey shows as it is.

    Args:
        value: Any text; one of more than 300 characters is cut.
    """
    return escape(escaped(value if len(value) <= _MAX_CELL else f"{value[:_MAX_CELL]}…"))


def _cells(line: Iterable[str], has_titles: bool) -> Iterator[str]:
    for place, content in enumerate(line):
        tag = "td" if has_titles or place else "th"
        yield f'<{tag} style="{_LEFT}">{content}</{tag}>'


# -- curves --------------------------------------------------------------------------------------


def _sparklines(rows: Sequence[RunRow]) -> list[str]:
    left, found = _MAX_BYTES, []
    for row in reversed(rows):  # the newest first
        name = None if row.away else leading(row.metrics)
        left -= 0 if row.away else _size(row.paths)
        curve = _curves(row.paths).get(name) if name is not None and left >= 0 else None
        found.append(
            "" if curve is None or name is None else curve_svg(curve.xs, curve.values, name=name)
        )
    return found[::-1]


def _metrics(run: Run, metrics: Mapping[str, Mapping[str, Any]]) -> Iterator[list[str]]:
    curves = _curves(run.paths)
    for name in [*metrics][:_MAX_ROWS]:
        cell, curve = metrics[name], curves.get(name)
        numbers = [text(short(cell.get(kind, ""))) for kind in ("last", "min", "max")]
        drawn = "" if curve is None else curve_svg(curve.xs, curve.values, 160, 32, name)
        yield [text(name), *numbers, drawn]


def _curves(paths: RunPaths) -> dict[str, Curve]:
    with contextlib.suppress(OSError, RecordError):  # gone meanwhile, or larger than is read
        return curves_of(read_history(paths))
    return {}


def _size(paths: RunPaths) -> int:
    try:
        return paths.metrics.stat().st_size
    except OSError:
        return 0


# -- facts ---------------------------------------------------------------------------------------


def _facts(run: Run) -> Iterator[tuple[str, str]]:
    """Go through what is known of a run, whatever its manifest holds."""
    cause = " ".join(causes_of(run).values())
    yield "status", f"{run.status} ({cause})" if cause else run.status
    yield from facts_of(run, *_TOLD)
