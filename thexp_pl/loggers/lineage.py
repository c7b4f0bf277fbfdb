"""From which run a checkpoint came, and what a run that goes on from it records."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from thexp_pl.errors import CheckpointError
from thexp_pl.record import Experiment
from thexp_pl.record.journal import read_journal
from thexp_pl.record.manifest import read_manifest
from thexp_pl.record.metrics.history import Range, ranges_before
from thexp_pl.record.paths import RunPaths
from thexp_pl.saver.sidecar import Record, read_sidecar

__all__ = ["Origin", "as_noted", "note_load", "note_resume", "origin_of", "run_of_checkpoint"]


@dataclass(frozen=True)
class Origin:
    """A checkpoint that was loaded, as the run that goes on from it is to record it.

    Args:
        path: The file, or a URL.
        run: The key of the run that saved it; None where that is not known.
        record: What its sidecar says; None without one.
        rows: The metrics of this run that came before it; None where that is not known.
        written: All that this run had measured when it was loaded; None where that is not known.
    """

    path: str
    run: str | None
    record: Record | None
    rows: tuple[Range, ...] | None
    written: tuple[Range, ...] | None


def note_load(run: Experiment, path: str | os.PathLike[str]) -> None:
    """Note that weights were loaded from a checkpoint.

    Args:
        run: The run, which is open.
        path: The file, or a URL.
    """
    run.log_event("load", path=as_noted(path), run=_origin(path)[0])


def origin_of(run: Experiment, path: str | os.PathLike[str], state: Any) -> Origin:
    """Take up where a checkpoint comes from, as it is loaded.

    Args:
        run: The run that loads it.
        path: The file, or a URL.
        state: What the file holds.
    """
    key, record = _origin(path)
    rows = _rows(run, record, state) if key == run.key else ()
    return Origin(as_noted(path), key, record, rows, run.kept_rows())


def note_resume(run: Experiment, origin: Origin, *, is_one_training: bool = False) -> None:
    """Note that a training goes on from a checkpoint.

    Of another run, that run becomes this one's parent. In a run that goes on from a checkpoint of
    its own, or in its own folder, the metrics that came after it are passed over from now on, but
    for what was measured since it was loaded.

    Args:
        run: The run, which is open.
        origin: The checkpoint.
        is_one_training: Whether all that the run has trained is one training, so that it gives way
            to what another run's checkpoint holds.
    """
    key, record = origin.run, origin.record
    facts: dict[str, Any] = {"path": origin.path, "run": key}
    if record is not None:
        facts |= {"step": record.step, "epoch": record.epoch}
    goes_back = run.is_taken_up or key == run.key or (is_one_training and _has_trained(run))
    if goes_back and origin.rows is not None:
        run.go_back((*origin.rows, *_since(run, origin)), **facts)
    elif goes_back:
        run.go_back(None, **facts)
    else:
        run.log_event("resume", **facts)
    if key not in (None, run.key):
        sha256 = None if record is None else record.sha256
        run.set_parent(str(key), "resumed", origin.path, sha256)


def _has_trained(run: Experiment) -> bool:
    with contextlib.suppress(OSError):
        return any(event["event"] == "fit" for event in read_journal(run.paths.journal))
    return False


def _since(run: Experiment, origin: Origin) -> tuple[Range, ...]:
    """Give what was measured between the loading of a checkpoint and the training."""
    now = run.kept_rows()
    if not now or origin.written is None:
        return ()
    start, stop = now[-1]
    before = [*(origin.rows or ()), *origin.written]
    start = max([start, *(end for _, end in before)])
    return ((start, stop),) if stop > start else ()


def _origin(path: str | os.PathLike[str]) -> tuple[str | None, Record | None]:
    if "://" in os.fspath(path):
        return None, None
    file, record = Path(path), None
    with contextlib.suppress(CheckpointError):
        record = read_sidecar(file).record
    return run_of_checkpoint(file), record


def _rows(run: Experiment, record: Record | None, state: Any) -> tuple[Range, ...] | None:
    """Give the part of a run's metrics that came before a checkpoint of its own."""
    if record is not None and record.rows is not None:
        return tuple((start, stop) for start, stop in record.rows)
    steps, written = _steps(state), run.kept_rows()
    if steps is None or written is None:
        return None
    return ranges_before(run.paths.metrics, written, steps)


def _steps(state: Any) -> int | None:
    """Give the first step of which Lightning has logged nothing at a checkpoint."""
    with contextlib.suppress(LookupError, TypeError, ValueError):
        loop = state["loops"]["fit_loop"]
        batches = loop["epoch_loop.batch_progress"]["total"]
        # Lightning counts the step of a batch only once the hooks at its end are over
        is_at_end = int(batches["processed"] > batches["completed"])
        return int(loop["epoch_loop.state_dict"]["_batches_that_stepped"]) + is_at_end
    return None


def as_noted(path: str | os.PathLike[str]) -> str:
    """Give a path as a journal takes it: absolute, or a URL as it is.

    Args:
        path: The path.

    Returns:
        Its text.
    """
    text = os.fspath(path)
    return text if "://" in text else os.path.abspath(text)  # noqa: PTH100 - keeps `..` out


def run_of_checkpoint(path: Path) -> str | None:
    """Tell which run wrote a checkpoint.

    Args:
        path: The file.

    Returns:
        The run's key: as the file's sidecar says, else that of the run in whose folder it lies, as
        Lightning's own checkpoints do; None where neither is known.
    """
    with contextlib.suppress(CheckpointError):
        record = read_sidecar(path).record
        if record is not None and isinstance(record.run_key, str):
            return record.run_key
    for folder in path.absolute().parents[:-2]:  # a run has an experiment and a root above it
        paths = RunPaths(folder.parents[1], folder.parent.name, folder.name)
        with contextlib.suppress(OSError, ValueError):
            if read_manifest(paths.manifest)["key"] == paths.key:
                return paths.key
    return None
