"""Runs as tables for people; what a run calls itself is shown, never obeyed.

Names, notes and parameters may hold anything: they reach the terminal as text, without markup and
with control characters escaped. In a pipe lines are as long as they need to be.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from thexp_pl.cli.run_facts import duration_text, run_facts, start_text
from thexp_pl.record.names import escaped
from thexp_pl.runs.flat import flat
from thexp_pl.runs.run import Run

__all__ = ["print_run", "print_runs", "printable"]

_PIPE_WIDTH = 100_000
_MAX_CELL = 500
_MAX_FILES = 200
_STYLES = {
    "running": "cyan",
    "finished": "green",
    "failed": "red",
    "interrupted": "yellow",
    "killed": "red",
    "lost": "magenta",
    "damaged": "red",
}


def print_runs(runs: Sequence[Run]) -> None:
    """Print one line a run: key, experiment, status, start, duration, parameters, metrics.

    Args:
        runs: The runs; of their parameters only those that differ between them are shown.
    """
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("key", "experiment", "status", "start", "duration", "params", "metrics"):
        table.add_column(title, overflow="fold", no_wrap=title in ("key", "status"))
    params = [flat(run.params) for run in runs]
    differing = _differing(params)
    for run, own in zip(runs, params, strict=True):
        table.add_row(
            _cell(run.key),
            _cell(run.paths.experiment),
            _cell(run.status, _STYLES.get(run.status, "")),
            _cell(start_text(run)),
            _cell(duration_text(run)),
            _cell("  ".join(f"{name}={_short(own[name])}" for name in differing if name in own)),
            _cell("  ".join(f"{n}={_short(cell.get('last'))}" for n, cell in run.metrics.items())),
        )
    with _console() as console:
        console.print(table)


def print_run(run: Run) -> None:
    """Print a run's facts, parameters, metrics and files.

    Args:
        run: The run.
    """
    with _console() as console:
        facts = _grid()
        for name, value in run_facts(run):
            facts.add_row(_cell(name, "bold"), _cell(value))
        console.print(facts)
        params = flat(run.params)
        if params:
            table = _grid()
            for name, value in params.items():
                table.add_row(_cell(name), _cell(_short(value)))
            _section(console, "params", table)
        if run.metrics:
            columns = ("last", "min", "max", "mean", "count")
            table = Table("", *columns, box=None, pad_edge=False, header_style="bold")
            for name, cell in run.metrics.items():
                table.add_row(_cell(name), *(_cell(_short(cell.get(column))) for column in columns))
            _section(console, "metrics", table)
        table = _grid()
        for path, size in _files(run):
            table.add_row(_cell(path), _cell(size))
        _section(console, "files", table)


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
def _console() -> Iterator[Console]:
    """Print to the terminal, or into a pipe without the blanks that fill up a table."""
    plain: dict[str, Any] = {"highlight": False, "markup": False, "emoji": False}
    if sys.stdout.isatty():
        yield Console(file=sys.stdout, **plain)
        return
    text = io.StringIO()
    # Not `width=None`: rich would take 80 columns and cut the rest.
    yield Console(file=text, width=_PIPE_WIDTH, **plain)
    sys.stdout.writelines(f"{line.rstrip()}\n" for line in text.getvalue().split("\n")[:-1])


def _cell(text: str, style: str = "") -> Text:
    return Text(printable(text), style=style)


def _grid() -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    return grid


def _section(console: Console, title: str, table: Table) -> None:
    console.print()
    console.print(title, style="bold underline")
    console.print(table)


def _differing(params: Sequence[Mapping[str, Any]]) -> list[str]:
    names = dict.fromkeys(name for own in params for name in own)
    missing = object()
    return [
        name
        for name in names
        if any(own.get(name, missing) != params[0].get(name, missing) for own in params)
    ]


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.5g}"
    return str(value)


def _files(run: Run) -> Iterator[tuple[str, str]]:
    paths = sorted(path for path in run.paths.folder.rglob("*") if not path.is_dir())
    for path in paths[:_MAX_FILES]:
        try:
            size = f"{os.lstat(path).st_size:,} bytes"
        except OSError:
            size = "gone"
        yield str(path.relative_to(run.paths.folder)), size
    if len(paths) > _MAX_FILES:
        yield f"... and {len(paths) - _MAX_FILES} more", ""
