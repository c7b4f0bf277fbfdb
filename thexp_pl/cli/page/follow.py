"""A run that goes on, shown until it has ended."""

from __future__ import annotations

import contextlib
import signal
import sys
import time
from collections.abc import Iterator
from types import FrameType

from rich.console import Console, Group

from thexp_pl.cli.output.tables import STYLES, cell, grid, printable
from thexp_pl.cli.page.history import Point, chosen, histories, read_columns, words
from thexp_pl.cli.page.printing import checkpoints_table, metrics_table
from thexp_pl.record.paths import RunPaths
from thexp_pl.runs.run import Run, read_run
from thexp_pl.runs.stamps import metrics_stamp
from thexp_pl.runs.words import duration_text, short
from thexp_pl.saver.inventory import checkpoints_of

__all__ = ["INTERVAL", "follow"]

INTERVAL = 1.0  # seconds from one look at the files to the next
_PATIENCE = 10  # times as long as a look took is waited before the next: large files cost little
_GOING_ON = "running"
_NEWEST = 3  # checkpoints
_OF_ONE_STEP = "_step"

_History = dict[str, list[Point]]


def follow(paths: RunPaths, metrics: str | None) -> None:
    """Show a run until it has ended.

    At a terminal its state is drawn anew whenever something has changed; else a line is printed
    for each status and for the values of each epoch.

    Args:
        paths: The run's files.
        metrics: The metrics that are wanted; None for all.

    Raises:
        RecordError: One of them is none of the run's, now that it has ended.
    """
    looks = _looks(paths, metrics)
    with _ended_by_sigterm():
        if sys.stdout.isatty():
            _redraw(looks)
        else:
            _print_lines(looks)


def _looks(paths: RunPaths, metrics: str | None) -> Iterator[tuple[Run, _History]]:
    """Look at a run again and again, the last time when it has ended."""
    seen: tuple[object, ...] = ()
    history: _History = {}
    while True:
        begun = time.monotonic()
        run = read_run(paths)  # before the metrics: of an ended run none is missed
        stamp = metrics_stamp(paths)
        if stamp != seen:
            seen, history = stamp, histories(read_columns(run))
        names = words(metrics, history)
        is_over = run.status != _GOING_ON
        if not is_over:  # what is wanted may come later
            names = [name for name in names if name in history]
        yield run, chosen(history, names) if names or not metrics else {}
        if is_over:
            return
        time.sleep(max(INTERVAL, _PATIENCE * (time.monotonic() - begun)))


# -- at a terminal -------------------------------------------------------------------------------


def _redraw(looks: Iterator[tuple[Run, _History]]) -> None:
    from rich.live import Live  # 20 ms

    out = Console(file=sys.stdout, highlight=False, markup=False, emoji=False)
    with Live(
        console=out, auto_refresh=False, redirect_stdout=False, redirect_stderr=False
    ) as live:
        for run, history in looks:
            live.update(_drawn(run, history, out.width), refresh=True)


def _drawn(run: Run, history: _History, width: int) -> Group:
    head = grid(5)
    last = max((point.epoch for points in history.values() for point in points[-1:]
                if point.epoch is not None), default=None)  # fmt: skip
    head.add_row(
        cell(run.key, "bold"),
        cell(run.paths.experiment),
        cell(run.status, STYLES.get(run.status, "")),
        cell(duration_text(run.seconds, run.status, run.started)),
        cell("" if last is None else f"epoch {last}"),
    )
    parts = [head]
    metrics = {name: kept for name, kept in run.metrics.items() if name in history}
    if metrics:
        parts.append(metrics_table(metrics, history, width))
    found = checkpoints_of(run)
    if found:
        parts.append(checkpoints_table(found[-_NEWEST:]))
    return Group(*(part for pair in zip(parts, [""] * len(parts), strict=True) for part in pair))


# -- in a pipe -----------------------------------------------------------------------------------


def _print_lines(looks: Iterator[tuple[Run, _History]]) -> None:
    status, told = "", dict[str, int]()
    for run, history in looks:
        epochs = _new_values(history, told)
        if run.status != status and run.status == _GOING_ON:
            _say(f"status {run.status}  {printable(run.paths.experiment)} {printable(run.key)}")
        for epoch, values in epochs.items():
            cells = "  ".join(f"{printable(name)}={short(value)}" for name, value in values.items())
            _say(f"epoch {'-' if epoch is None else epoch}  {cells}")
        if run.status not in (status, _GOING_ON):
            _say(f"status {run.status}  {duration_text(run.seconds, run.status, run.started)}")
        status = run.status


def _new_values(history: _History, told: dict[str, int]) -> dict[int | None, dict[str, float]]:
    """Give the last value of each epoch that has come since; those of single steps are left out."""
    found: dict[int | None, dict[str, float]] = {}
    for name, points in history.items():
        if name.removesuffix(_OF_ONE_STEP) not in history or not name.endswith(_OF_ONE_STEP):
            # a training that goes on from a checkpoint has fewer than it had
            for point in points[min(told.get(name, 0), len(points)) :]:
                found.setdefault(point.epoch, {})[name] = point.value
        told[name] = len(points)
    return found


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()  # whoever reads it waits for it


@contextlib.contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Leave by an exception, so that the terminal's cursor comes back."""

    def leave(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
