"""A sweep as it goes on: at a terminal a table in place, in a pipe a line for each event."""

from __future__ import annotations

import contextlib
import sys
import time
from collections import deque
from collections.abc import Collection, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

from thexp_pl.cli.output.tables import STYLES, cell, printable
from thexp_pl.sweeps.point import Point
from thexp_pl.sweeps.progress import Progress
from thexp_pl.sweeps.standing import State
from thexp_pl.sweeps.summary import Listener, Summary
from thexp_pl.sweeps.sweep import Sweep

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.live import Live
    from rich.text import Text

__all__ = ["sweep_listener"]

_DRAW_SECONDS = 0.5
_MAX_VALUES = 200  # characters of a point's values on a line
_MAX_METRIC = 24
_LATEST = 3  # failures that are printed again where the screen had to be cleared
_OTHER_LINES = 3  # the counts, the line of titles, and one for what found no room
_KEYS_FROM = 100  # columns of a terminal that has room for the keys of runs


@contextlib.contextmanager
def sweep_listener(sweep: Sweep) -> Iterator[Listener]:
    """Show on stdout how a sweep goes on.

    Args:
        sweep: The sweep.

    Yields:
        What is to be told.
    """
    if not sys.stdout.isatty():
        yield _Lines(sweep)
        return
    table = _Table(sweep)
    try:
        yield table
    finally:
        table.close()


class _Lines:
    """One line an event.

    Args:
        sweep: The sweep.
    """

    def __init__(self, sweep: Sweep) -> None:
        self._sweep = sweep
        self._hindrance = ""

    def begun(self, point: Point) -> None:
        """Say that an attempt has begun."""
        self._say(f"point {point.number} begun  {_values(point)}".rstrip())

    def ended(self, point: Point, state: State, reason: str, *, again: bool) -> None:
        """Say how an attempt has ended."""
        self._say(_ending(self._sweep, point, state, reason, again=again))

    def said(self, line: str) -> None:
        """Say something about the sweep."""
        self._say(line)

    def looked(self, summary: Summary, running: Collection[Point], hindrance: str) -> None:
        """Say what is waited for, where that is something else than before."""
        if hindrance and hindrance != self._hindrance:
            self._say(hindrance)
        self._hindrance = hindrance or self._hindrance

    def _say(self, line: str) -> None:
        sys.stdout.write(f"{printable(line)}\n")
        sys.stdout.flush()  # whoever reads it waits for it


class _Table:
    """What runs, in place; what failed scrolls by above it.

    Args:
        sweep: The sweep.
    """

    def __init__(self, sweep: Sweep) -> None:
        from rich.console import Console  # 40 ms with what it draws

        self._sweep = sweep
        self._progress = Progress(sweep)
        self._console: Console = Console(
            file=sys.stdout, highlight=False, markup=False, emoji=False
        )
        self._started = time.monotonic()
        self._begun: dict[int, float] = {}
        self._failures: deque[Text] = deque(maxlen=_LATEST)
        self._drawn_at = float("-inf")
        self._width = self._console.width
        self._live = self._opened()

    def begun(self, point: Point) -> None:
        """Note when an attempt has begun."""
        self._begun[point.number] = time.monotonic()
        self._progress.forget(point)

    def ended(self, point: Point, state: State, reason: str, *, again: bool) -> None:
        """Print what failed; what is done is counted only."""
        self._drawn_at = float("-inf")
        if reason:
            line = _ending(self._sweep, point, state, reason, again=again)
            self._failures.append(cell(line, "yellow" if again else STYLES["failed"]))
            self._console.print(self._failures[-1])

    def said(self, line: str) -> None:
        """Print something about the sweep."""
        self._console.print(cell(line))

    def looked(self, summary: Summary, running: Collection[Point], hindrance: str) -> None:
        """Draw anew, twice a second and when something has ended."""
        if time.monotonic() - self._drawn_at < _DRAW_SECONDS:
            return
        self._drawn_at = time.monotonic()
        if self._width != self._console.width:
            self._live.stop()
            # The terminal has folded what stood there, so that nobody knows where it begins.
            self._console.clear()
            for line in self._failures:
                self._console.print(line)
            self._width = self._console.width
            self._live = self._opened()
        self._live.update(self._drawn(summary, list(running), hindrance), refresh=True)

    def close(self) -> None:
        """Take the table away, for the command says what it came to."""
        self._live.stop()

    def _opened(self) -> Live:
        from rich.live import Live

        live = Live(console=self._console, auto_refresh=False, transient=True)
        live.start()
        return live

    def _drawn(self, summary: Summary, running: list[Point], hindrance: str) -> RenderableType:
        from rich.console import Group

        room = max(self._console.height - _OTHER_LINES - bool(hindrance) - 1, 1)
        parts: list[RenderableType] = [self._head(summary, len(running))]
        parts += [cell(hindrance, "yellow")] if hindrance else []
        parts += [self._rows(running[:room])] if running else []
        if len(running) > room:
            parts.append(cell(f"and {len(running) - room} more that run"))
        return Group(*parts)

    def _rows(self, running: list[Point]) -> RenderableType:
        from rich.table import Table

        titles = ["point", "time", "at", "metric"]
        titles += ["run"] if self._width >= _KEYS_FROM else []
        rows = [self._row(point)[: len(titles)] for point in running]
        columns = zip(titles, *rows, strict=True)
        widths = [max(cell(str(one)).cell_len for one in column) for column in columns]
        table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
        for title, width in zip(titles, widths, strict=True):
            table.add_column(title, no_wrap=True, min_width=width)
        left = self._width - sum(widths) - 2 * len(widths) - 1
        table.add_column("values", no_wrap=True, overflow="ellipsis", max_width=max(left, 1))
        for point, row in zip(running, rows, strict=True):
            table.add_row(*map(cell, row), cell(_values(point)))
        return table

    def _head(self, summary: Summary, running: int) -> Text:
        counts = [f"{summary.done} of {summary.total} done", f"{running} running"]
        waiting = max(summary.left - running, 0)
        counts += [f"{waiting} waiting"] if waiting else []
        counts += [f"{summary.failed} failed"] if summary.failed else []
        head = cell(", ".join(counts), "bold")
        head.append(f"  {_span(time.monotonic() - self._started)}  {printable(self._sweep.key)}")
        head.no_wrap, head.overflow = True, "ellipsis"
        return head

    def _row(self, point: Point) -> list[str]:
        seen = self._progress.of(point)
        span = _span(time.monotonic() - self._begun.get(point.number, self._started))
        return [str(point.number), span, seen.at, _short(seen.metric, _MAX_METRIC), seen.key]


def _ending(sweep: Sweep, point: Point, state: State, reason: str, *, again: bool) -> str:
    key = "" if state.paths is None else f" {state.paths.key}"
    start, values = f"point {point.number}", f"  {_values(point)}" if point.values else ""
    if not reason:
        return f"{start} {state.status}{key}{values}"
    how = "failed, and is tried again" if again else "failed"
    log = sweep.paths.log(point.number)
    return f"{start} {how}: {_short(reason, 200)}{key}{values}  log: {log}"


def _short(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def _values(point: Point) -> str:
    return _short(" ".join(f"{name}={value}" for name, value in point.values.items()), _MAX_VALUES)


def _span(seconds: float) -> str:
    return str(timedelta(seconds=int(seconds)))
