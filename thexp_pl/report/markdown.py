"""A report of one run in Markdown."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from math import isfinite
from operator import itemgetter
from pathlib import Path
from typing import Any

from thexp_pl.record.metrics import read_history
from thexp_pl.record.metrics.columns import ABSENT
from thexp_pl.report.markup import plain, table
from thexp_pl.runs.curves import Curve, curves_of
from thexp_pl.runs.events import events_of
from thexp_pl.runs.facts import facts_of, text_of
from thexp_pl.runs.run import Run

__all__ = ["run_report"]

_SAID = (
    *("command", "python", "packages", "git", "code", "earlier params"),
    *("host", "cpu", "gpu", "world size"),
)


def run_report(run: Run, ending: str | None = None, pictures: Sequence[str] = ()) -> str:
    """Write what is known of a run: parameters, metrics, checkpoints, where it ran.

    Of each metric it gives the last value, and the lowest and the highest with their epochs,
    counted from 1: which of them is the best is the reader's to say.

    Args:
        run: The run, as `thexp_pl.runs.run.read_run` reads it; it may still go on.
        ending: What became of it, where the record cannot say so yet; None for what it says.
        pictures: What is shown below the metrics: sections in Markdown, headings of the second
            level.

    Returns:
        Markdown, with tables as GitHub's.
    """
    parts = [
        f"# {plain(run.paths.experiment)} {plain(run.key)}",
        _plain_table(("", ""), _facts(run, ending)),
        "## Parameters",
        _plain_table(("name", "value"), _params(run.params)),
        "## Metrics",
        _plain_table(("name", "last", "lowest", "in epoch", "highest", "in epoch"), _metrics(run)),
        *pictures,
        "## Checkpoints",
        _plain_table(("file", "saved", "size"), _checkpoints(run)),
        "## Environment",
        _plain_table(("", ""), facts_of(run, *_SAID)),
    ]
    return "\n\n".join(parts) + "\n"


def _facts(run: Run, ending: str | None) -> Iterator[tuple[str, str]]:
    yield "status", run.status if ending is None else ending
    yield from facts_of(run, "damage")
    yield "start", str(run.manifest.get("start", "?"))
    seconds = run.manifest.get("seconds")
    if seconds is None or ending is not None:  # it goes on
        seconds = datetime.now().timestamp() - run.started
    with contextlib.suppress(ValueError, OverflowError):
        yield "duration", str(timedelta(seconds=round(seconds)))
    yield from facts_of(run, "causes")
    yield "written", datetime.now().astimezone().isoformat(timespec="seconds")


def _params(params: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    for name, value in params.items():
        if isinstance(value, Mapping) and value:
            yield from _params(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", text_of(value)


# -- metrics -------------------------------------------------------------------------------------


def _metrics(run: Run) -> Iterator[tuple[str, ...]]:
    curves: dict[str, Curve] = {}
    with contextlib.suppress(OSError):  # a file that cannot be read has no rows to tell
        curves = curves_of(read_history(run.paths))
    for name, curve in sorted(curves.items()):
        finite = [row for row in zip(curve.values, curve.epochs, strict=True) if isfinite(row[0])]
        extremes = [pick(finite, key=itemgetter(0)) for pick in (min, max)] if finite else []
        cells = [cell for value, epoch in extremes for cell in (_number(value), _epoch(epoch))]
        yield (name, _number(curve.values[-1]), *(cells or ("-",) * 4))


def _number(value: float) -> str:
    return f"{value:.6g}"


def _epoch(epoch: int) -> str:
    return "-" if epoch == ABSENT else str(epoch + 1)


# -- checkpoints ---------------------------------------------------------------------------------


def _checkpoints(run: Run) -> Iterator[tuple[str, ...]]:
    """Go through the files that the journal calls checkpoints and that are still there."""
    saved = {
        event["path"]: str(event.get("time", "?"))
        for event in events_of(run)
        if event["event"] == "checkpoint" and isinstance(event.get("path"), str)
    }
    for path, time in saved.items():
        with contextlib.suppress(OSError, ValueError):  # rotated away, or no path at all
            size = (run.paths.folder / path).stat().st_size
            yield Path(path).name, time, f"{size:,} bytes"


def _plain_table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    return table(head, ([plain(cell) for cell in row] for row in rows))
