"""A report of one run in Markdown."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from thexp_pl.jsonable import dumps
from thexp_pl.record.journal import read_journal
from thexp_pl.record.metrics import read_history
from thexp_pl.record.names import cut, escaped
from thexp_pl.runs.run import Run

__all__ = ["run_report"]

_PACKAGES = ("thexp-pl", "torch", "pytorch-lightning", "lightning", "numpy")
_HASH_LETTERS = 12
_CELL = 200  # characters
_SPECIAL = str.maketrans({letter: f"\\{letter}" for letter in r"\`*_[]<>|#"})

_Row = tuple[int | None, int | None, float]  # step, epoch, value


def run_report(run: Run, ending: str | None = None) -> str:
    """Write what is known of a run: parameters, metrics, checkpoints, where it ran.

    Of each metric it gives the last value, and the lowest and the highest with their epochs,
    counted from 1: which of them is the best is the reader's to say.

    Args:
        run: The run, as `thexp_pl.runs.run.read_run` reads it; it may still go on.
        ending: What became of it, where the record cannot say so yet; None for what it says.

    Returns:
        Markdown, with tables as GitHub's.
    """
    parts = [
        f"# {_text(run.paths.experiment)} {_text(run.key)}",
        _table(("", ""), _facts(run, ending)),
        "## Parameters",
        _table(("name", "value"), _params(run.params)),
        "## Metrics",
        _table(("name", "last", "lowest", "in epoch", "highest", "in epoch"), _metrics(run)),
        "## Checkpoints",
        _table(("file", "saved", "size"), _checkpoints(run)),
        "## Environment",
        _table(("", ""), _environment(run.manifest)),
    ]
    return "\n\n".join(parts) + "\n"


def _facts(run: Run, ending: str | None) -> Iterator[tuple[str, str]]:
    yield "status", run.status if ending is None else ending
    if run.damage:
        yield "damage", run.damage
    yield "start", str(run.manifest.get("start", "?"))
    seconds = run.manifest.get("seconds")
    if seconds is None or ending is not None:  # it goes on
        seconds = datetime.now().timestamp() - run.started
    with contextlib.suppress(ValueError, OverflowError):
        yield "duration", str(timedelta(seconds=round(seconds)))
    for name, value in _mapping(run.cause).items():
        yield f"ended by {name}", str(value)
    yield "written", datetime.now().astimezone().isoformat(timespec="seconds")


def _params(params: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    for name, value in params.items():
        if isinstance(value, Mapping) and value:
            yield from _params(value, f"{above}{name}.")
        else:
            text = value if isinstance(value, str) else dumps(value).decode()
            yield f"{above}{name}", text


# -- metrics -------------------------------------------------------------------------------------


def _metrics(run: Run) -> Iterator[tuple[str, ...]]:
    rows: dict[str, list[_Row]] = {}
    with contextlib.suppress(OSError):  # a file that cannot be read has no rows to tell
        for step, epoch, _, name, value in read_history(run.paths).rows():
            rows.setdefault(name, []).append((step, epoch, value))
    for name, values in sorted(rows.items()):
        finite = [row for row in values if math.isfinite(row[2])]
        extremes = [pick(finite, key=lambda row: row[2]) for pick in (min, max)] if finite else []
        cells = [cell for row in extremes for cell in (_number(row[2]), _epoch(row))]
        yield (name, _number(values[-1][2]), *(cells or ("-",) * 4))


def _number(value: float) -> str:
    return f"{value:.6g}"


def _epoch(row: _Row) -> str:
    return "-" if row[1] is None else str(row[1] + 1)


# -- checkpoints ---------------------------------------------------------------------------------


def _checkpoints(run: Run) -> Iterator[tuple[str, ...]]:
    """Go through the files that the journal calls checkpoints and that are still there."""
    events: list[dict[str, Any]] = []
    with contextlib.suppress(OSError):
        events = read_journal(run.paths.journal)
    saved = {
        event["path"]: str(event.get("time", "?"))
        for event in events
        if event["event"] == "checkpoint" and isinstance(event.get("path"), str)
    }
    for path, time in saved.items():
        with contextlib.suppress(OSError, ValueError):  # rotated away, or no path at all
            size = (run.paths.folder / path).stat().st_size
            yield Path(path).name, time, f"{size:,} bytes"


# -- environment ---------------------------------------------------------------------------------


def _environment(manifest: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name in ("command", "python"):
        if manifest.get(name):
            yield name, str(manifest[name])
    packages = _mapping(manifest.get("packages"))
    told = [f"{name} {packages[name]}" for name in _PACKAGES if packages.get(name)]
    if told:
        yield "packages", f"{', '.join(told)} (of {len(packages)})"
    git = _mapping(manifest.get("git"))
    if git:
        changes = ", with uncommitted changes" if git.get("dirty") else ""
        yield "git", f"{str(git.get('commit'))[:_HASH_LETTERS]}{changes}"
    code = _mapping(manifest.get("code"))
    if code:
        yield "code", str(code.get("tree") or "a copy")[:_HASH_LETTERS]
    yield "host", str(_mapping(manifest.get("process")).get("host"))
    yield "cpu", str(_mapping(manifest.get("cpu")).get("model"))
    for gpu in manifest.get("gpus") or ():
        yield "gpu", str(_mapping(gpu).get("name"))
    if manifest.get("world_size"):
        yield "world size", str(manifest["world_size"])


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


# -- Markdown ------------------------------------------------------------------------------------


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [_line(_text(cell) for cell in row) for row in rows]
    if not lines:
        return "None."
    return "\n".join([_line(head), _line("---" for _ in head), *lines])


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _text(text: str) -> str:
    """Make one line of a text that Markdown shows as it is."""
    return escaped(cut(text, _CELL)).translate(_SPECIAL)
