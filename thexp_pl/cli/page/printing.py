"""All that is known of a run, in sections that fit a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, islice
from typing import Any

from rich.console import Console
from rich.table import Table

from thexp_pl.cli.output.tables import STYLES, cell, console, grid
from thexp_pl.cli.page.files import files_of
from thexp_pl.cli.page.history import Point, chosen
from thexp_pl.cli.page.plot import plot
from thexp_pl.cli.page.sparkline import ASCII_LEVELS, LEVELS, is_shown, sparkline
from thexp_pl.runs.facts import facts_of, used_data
from thexp_pl.runs.flat import flat
from thexp_pl.runs.row import RunRow
from thexp_pl.runs.run import Run
from thexp_pl.runs.words import short
from thexp_pl.saver.inventory import CheckpointFile, checkpoints_of

__all__ = ["checkpoints_table", "facts_table", "metrics_table", "print_plots", "print_run"]

History = Mapping[str, Sequence[Point]]

_ABOVE = ("key", "experiment", "status", "damage", "start", "duration", "causes", "parent",
          "sweep")  # fmt: skip
_BELOW = (
    *("command", "python", "cwd", "git", "code", "packages", "earlier code"),
    *("earlier params", "host", "cpu", "gpu", "world size", "ranks", "tags", "note", "folder"),
    "not read",
)
_MAX_ROWS = 200
_MAX_NAME = 80
_MAX_GONE = 5  # files: a long training has replaced many checkpoints
_COLUMNS = ("last", "min", "max", "mean", "count")
_NUMBERS_WIDTH = 64  # of the table of metrics, without its curves
_CURVE = range(8, 41)  # letters
_PLOT = range(40, 101)


def print_run(run: Run, children: Iterable[RunRow], history: History, names: list[str]) -> None:
    """Print a run's facts, parameters, metrics, checkpoints, data and files.

    Args:
        run: The run.
        children: The runs that came from it.
        history: The values of its metrics.
        names: The metrics that are wanted; all where there are none.

    Raises:
        RecordError: One of them is none of the run's.
    """
    metrics = chosen(run.metrics, names)
    with console() as out:
        out.print(facts_table(run, children))
        params = grid()
        _fill(params, ((_cut(name), short(value)) for name, value in flat(run.params).items()))
        _section(out, "params", params)
        if metrics:
            _section(out, "metrics", metrics_table(metrics, history, out.width))
        _section(out, "checkpoints", checkpoints_table(checkpoints_of(run)))
        data = grid(3)
        _fill(data, used_data(run))
        _section(out, "data", data)
        _section(out, "files", _files_table(run))


def print_plots(history: History, names: list[str]) -> None:
    """Draw curves with their axes.

    Args:
        history: The values of the run's metrics.
        names: The metrics.

    Raises:
        RecordError: One of them is none of the run's.
    """
    braille = is_shown("⣿│└─")
    with console() as out:
        width = min(max(out.width, _PLOT.start), _PLOT.stop - 1)
        for name, points in chosen(history, names).items():
            steps = [point.step for point in points]
            # what has no steps is drawn over the number of the value
            known = [place if step is None else step for place, step in enumerate(steps)]
            pairs = sorted(zip(known, (point.value for point in points), strict=True), key=_place)
            out.print(cell(name, "bold"))
            for line in plot(pairs, width, braille=braille):
                out.print(line)


def facts_table(run: Run, children: Iterable[RunRow] = ()) -> Table:
    """Make the table of a run's facts.

    Args:
        run: The run.
        children: The runs that came from it.
    """
    table = grid()
    family = (("child", f"{child.key}  {child.status}") for child in children)
    facts = chain(facts_of(run, *_ABOVE), family, facts_of(run, *_BELOW))
    for name, value in islice(facts, _MAX_ROWS):
        table.add_row(cell(name, "bold"), cell(value, STYLES.get(value, "")))
    return table


def metrics_table(metrics: Mapping[str, Mapping[str, Any]], history: History, width: int) -> Table:
    """Make the table of a run's metrics, with a small curve of each.

    Args:
        metrics: Their summary by name.
        history: Their values.
        width: The letters that a line of the output has.
    """
    levels = LEVELS if is_shown(LEVELS) else ASCII_LEVELS
    room = min(max(width - _NUMBERS_WIDTH, _CURVE.start), _CURVE.stop - 1)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("", overflow="fold")
    for title in _COLUMNS:
        table.add_column(title, no_wrap=True)
    table.add_column("", no_wrap=True, style="cyan")
    for name, kept in islice(metrics.items(), _MAX_ROWS):
        curve = sparkline([point.value for point in history.get(name, ())], room, levels)
        told = [short(kept.get(title)) for title in _COLUMNS]
        if kept.get("nonfinite"):
            told[-1] += f" ({short(kept['nonfinite'])} not finite)"
        table.add_row(cell(_cut(name)), *map(cell, told), curve)
    _say_rest(table, len(metrics))
    return table


def checkpoints_table(found: Sequence[CheckpointFile]) -> Table:
    """Make the table of a run's checkpoints.

    Args:
        found: The checkpoints.
    """
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("epoch", "step", "kind", "size"):
        table.add_column(title, no_wrap=True)
    table.add_column("file", overflow="fold")
    table.add_column("", overflow="fold")
    for one in found[:_MAX_ROWS]:
        numbers = ["-" if number is None else str(number) for number in (one.epoch, one.step)]
        size = "-" if one.bytes is None else f"{one.bytes:,} bytes"
        told = (
            cell(one.fault, "red") if one.fault else cell(one.best and f"best: {one.best}", "green")
        )
        table.add_row(*map(cell, (*numbers, one.kind, size, one.file)), told)
    _say_rest(table, len(found))
    return table


def _files_table(run: Run) -> Table:
    table = grid(3)
    files, gone = files_of(run)
    for file in files[:_MAX_ROWS]:
        size = "gone" if file.bytes is None else f"{file.bytes:,} bytes"
        table.add_row(*map(cell, (file.path, size, file.history)))
    _say_rest(table, len(files))
    for file in gone[:_MAX_GONE]:
        table.add_row(*map(cell, (file.path, "gone", file.history)))
    if len(gone) > _MAX_GONE:
        table.add_row(f"... and {len(gone) - _MAX_GONE:,} more that are gone", "", "")
    return table


def _fill(table: Table, rows: Iterable[tuple[str, ...]]) -> None:
    kept = list(rows)
    for row in kept[:_MAX_ROWS]:
        table.add_row(*map(cell, row))
    _say_rest(table, len(kept))


def _say_rest(table: Table, count: int) -> None:
    if count > _MAX_ROWS:
        table.add_row(f"... and {count - _MAX_ROWS:,} more", *[""] * (len(table.columns) - 1))


def _section(out: Console, title: str, table: Table) -> None:
    if table.row_count:
        out.print()
        out.print(title, style="bold underline")
        out.print(table)


def _cut(name: str) -> str:
    """Shorten a name: the column of names is as wide as the longest."""
    return name if len(name) <= _MAX_NAME else name[:_MAX_NAME] + "…"


def _place(pair: tuple[float, float]) -> float:
    return pair[0]
