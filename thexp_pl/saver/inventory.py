"""The checkpoints of a run for those who look at it; no file is read but the sidecars."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from thexp_pl.errors import CheckpointError
from thexp_pl.record.inside import leads_out
from thexp_pl.runs.run import Run
from thexp_pl.saver.best import recorded
from thexp_pl.saver.choosing import MODULES
from thexp_pl.saver.listing import Entry, committed, named
from thexp_pl.saver.names import CHECKPOINT, KINDS, Kind, kind_of, sidecar_path
from thexp_pl.saver.sidecar import DamagedError, read_sidecar

__all__ = ["CheckpointFile", "checkpoints_of"]


@dataclass(frozen=True)
class CheckpointFile:
    """A checkpoint, keypoint or model of a run.

    Args:
        file: Its path within the run.
        kind: ``checkpoint``, ``keypoint``, ``model``, or ``other`` for what no Saver has named.
        epoch: The epochs that were completed; None where its name does not say.
        step: The step at which it was saved; None where that is not known.
        bytes: Its size; None where it is gone.
        best: By what it is the best of the run, such as ``loss 0.13``; else an empty text.
        fault: Why it cannot be taken, as far as its sidecar tells; else an empty text.
        time: When it was saved, ISO 8601 in UTC; None where that is not known.
        metrics: The numbers of its info; None for what no Saver has saved to its end.
    """

    file: str
    kind: str
    epoch: int | None
    step: int | None
    bytes: int | None
    best: str = ""
    fault: str = ""
    time: str | None = None
    metrics: dict[str, int | float] | None = None


def checkpoints_of(run: Run) -> list[CheckpointFile]:
    """List the checkpoints of a run.

    Args:
        run: The run; it may be saving one.

    Returns:
        Those of each kind, oldest first; none where there are none.
    """
    folder = run.paths.folder / MODULES
    found: list[CheckpointFile] = []
    for kind in KINDS:
        # no such folder, or one that cannot be read
        with contextlib.suppress(CheckpointError, OSError):
            found += _of_kind(folder, kind)
    return found + list(_others(folder))


def _of_kind(folder: Path, kind: Kind) -> Iterator[CheckpointFile]:
    # what a link takes elsewhere is no sidecar of this run; its folder may be on another disk
    entries = [each for each in committed(folder, kind) if not _leads_out(each.path)]
    best = recorded(entries) if kind is CHECKPOINT else None
    ranked = best.ranked(entries) if best else []
    first = next((entry for entry in ranked if not _fault(entry)), None)
    for entry in entries:
        told = ""
        if best and entry is first:
            value = entry.sidecar.info[best.monitor]
            told = f"{best.monitor} {f'{value:.5g}' if isinstance(value, float) else value}"
        yield _whole(entry, kind, told)
    known = {entry.path for entry in entries}
    for path, (epoch, _) in sorted(named(folder, kind).items()):
        if path not in known:
            yield CheckpointFile(
                _name(path), kind.noun, epoch, None, _size(path), fault=_stray(path)
            )


def _whole(entry: Entry, kind: Kind, best: str) -> CheckpointFile:
    record, info = entry.sidecar.record, entry.sidecar.info
    return CheckpointFile(
        _name(entry.path),
        kind.noun,
        entry.epoch,
        record.step if record and type(record.step) is int else None,
        _size(entry.path),
        best,
        _fault(entry),
        record.time if record and isinstance(record.time, str) else None,
        {name: value for name, value in info.items() if type(value) in (int, float)},
    )


def _fault(entry: Entry) -> str:
    record, size = entry.sidecar.record, _size(entry.path)
    if record is None or size in (None, record.bytes):
        return ""
    return f"damaged: its sidecar says {record.bytes:,} bytes"


def _stray(path: Path) -> str:
    if not os.path.lexists(path):
        return "gone: only its sidecar is left"
    if not os.path.lexists(sidecar_path(path)):
        return "no sidecar: it was not saved to its end"
    if _leads_out(path):
        return "its sidecar is a symbolic link out of its folder, which is not followed"
    try:
        read_sidecar(path)
    except DamagedError:
        return "its sidecar is damaged"
    return "not a regular file"


def _leads_out(path: Path) -> bool:
    return leads_out(sidecar_path(path), path.parent)


def _others(folder: Path) -> Iterator[CheckpointFile]:
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            is_named = entry.name.endswith((".ckpt", ".pth")) and entry.name[0] != "."
            if is_named and kind_of(entry.name) is None:
                path = Path(entry.path)
                yield CheckpointFile(_name(path), "other", None, None, _size(path))


def _name(path: Path) -> str:
    return f"{MODULES}/{path.name}"


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None
