"""Checking the files of one run against what its journal, sidecars and manifest say of them."""

from __future__ import annotations

import math
import os
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from thexp_pl.errors import CheckpointError
from thexp_pl.jsonable import to_jsonable
from thexp_pl.record.facts.hashing import ChangedError, hash_file
from thexp_pl.record.facts.random_states import SUFFIX, read_states
from thexp_pl.record.metrics.history import read_history
from thexp_pl.record.notes import notes_fault
from thexp_pl.record.sealed import seal_fault
from thexp_pl.record.status import ENDED
from thexp_pl.record.summary import MetricsSummary
from thexp_pl.runs.run import Run
from thexp_pl.saver.names import kind_of, sidecar_path
from thexp_pl.saver.reading import open_regular, verify
from thexp_pl.saver.sidecar import read_sidecar
from thexp_pl.upkeep.checking.course import Course
from thexp_pl.upkeep.checking.events import left_by, read_events
from thexp_pl.upkeep.checking.faults import Fault
from thexp_pl.upkeep.folders import size_of

__all__ = ["check_files"]

_TOLERANCE = 1e-9  # of a mean: the order of adding may differ


def check_files(run: Run, course: Course) -> tuple[list[Fault], list[Fault]]:
    """Check all files of a run that has ended.

    Args:
        run: The run; its manifest can be read.
        course: Told what is read.

    Returns:
        What is damaged, and what is merely gone: files that the journal knows, and that somebody
        has deleted or left out of an archive since.
    """
    journal = run.paths.journal
    events, lines = read_events(journal)
    damaged = [Fault(run.key, journal.name, f"line {number} is damaged") for number in lines]
    gone, whole = [], set()
    if run.manifest["status"] in ENDED and run.manifest["metrics"] and not journal.exists():
        gone.append(Fault(run.key, journal.name, "it is gone, and with it what the run left"))
    for path, (sha256, size) in left_by(events).items():
        fault = _hash_fault(run.paths.folder / path, sha256, course, size)
        if fault is None:
            gone.append(Fault(run.key, path, "it is gone"))
        elif fault:
            damaged.append(Fault(run.key, path, fault))
        else:
            whole.add(path)
    known = {fault.path for fault in damaged}
    more = (
        *_manifest_faults(run),
        *_checkpoint_faults(run, whole, course),
        *_state_faults(run, course),
        *_metrics_faults(run),
        *_note_faults(run),
    )
    damaged += [Fault(run.key, path, what) for path, what in more if path not in known]
    return damaged, gone


def _hash_fault(path: Path, sha256: str, course: Course, size: int | None = None) -> str | None:
    try:
        found = hash_file(path, course.reading(size_of(path)), size).sha256
    except FileNotFoundError:
        return None
    except (OSError, ChangedError) as error:
        return f"it cannot be read: {getattr(error, 'strerror', None) or 'it changes'}"
    return "" if found == sha256 else "it is not what the run left: its sha256 differs"


def _manifest_faults(run: Run) -> Iterator[tuple[str, str]]:
    try:
        fault = seal_fault(run.paths.manifest)
    except (OSError, ValueError) as error:  # it was read a moment ago
        fault = f"it cannot be read: {error}"
    if fault:
        yield run.paths.manifest.name, fault


def _checkpoint_faults(
    run: Run, whole: Collection[str], course: Course
) -> Iterator[tuple[str, str]]:
    for at, _, names in os.walk(run.paths.folder):
        for name in sorted(names):
            path = Path(at, name)
            inner = path.relative_to(run.paths.folder).as_posix()
            if kind_of(name):
                # One without a sidecar is the user's own where the journal has its hash; and a
                # kill may come before a save has ended.
                must_be_saved = run.status in ENDED and inner not in whole
                fault = _pair_fault(path, must_be_saved=must_be_saved)
                course.read(size_of(path))
                if fault:
                    yield inner, fault
            elif name.endswith(".json") and kind_of(name[:-5]) and name[:-5] not in names:
                yield inner[:-5], "it is lost: its sidecar is there without it"


def _pair_fault(path: Path, *, must_be_saved: bool) -> str:
    if not must_be_saved and not sidecar_path(path).exists():
        return ""
    try:
        with open_regular(path) as file:
            record = read_sidecar(path).record
            if record is not None:  # of thexp's own there is none
                verify(file, path, record)
    except CheckpointError as error:
        return str(error).replace(f"{path} ", "it ").replace(f"{path}.json", "its sidecar")
    return ""


def _state_faults(run: Run, course: Course) -> Iterator[tuple[str, str]]:
    for path in sorted(run.paths.start_state.parent.glob(f"*{SUFFIX}")):
        inner = path.relative_to(run.paths.folder).as_posix()
        try:
            read_states(path)
        except ValueError as error:
            yield inner, f"it {error}"
        except OSError as error:
            yield inner, f"it cannot be read: {error.strerror or error}"
    recorded = (run.manifest.get("random_states") or {}).get("sha256")
    if isinstance(recorded, str):
        fault = _hash_fault(run.paths.start_state, recorded, course)
        if fault is None or fault:
            inner = run.paths.start_state.relative_to(run.paths.folder).as_posix()
            yield inner, fault or "it is gone"


def _metrics_faults(run: Run) -> Iterator[tuple[str, str]]:
    """Compare the rows with the summary that was written at the end."""
    if run.manifest["status"] not in ENDED:
        return
    name = run.paths.metrics.name
    summary = MetricsSummary()
    try:
        for _, _, _, metric, value in read_history(run.paths).rows():
            summary.add({metric: value})
    except OSError as error:
        yield name, f"it cannot be read: {error.strerror or error}"
        return
    rows, recorded = to_jsonable(summary.to_dict()), run.manifest["metrics"]
    for metric in sorted({*rows, *recorded}):
        if not _agree(rows.get(metric), recorded.get(metric)):
            yield name, f"its rows of {metric!r} do not add up to what run.json says of them"


def _agree(one: Any, two: Any) -> bool:
    if not isinstance(one, dict) or not isinstance(two, dict) or one.keys() != two.keys():
        return False
    for name, value in one.items():
        other = two[name]
        is_mean = name == "mean" and isinstance(value, float) and isinstance(other, float | int)
        if value != other and not (is_mean and math.isclose(value, other, rel_tol=_TOLERANCE)):
            return False
    return True


def _note_faults(run: Run) -> Iterator[tuple[str, str]]:
    fault = notes_fault(run.paths)
    if fault:
        yield run.paths.notes.name, fault
