"""`check`: whether runs are as they were recorded, to the last byte that a hash was written of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from thexp_pl.record.facts.hashing import ChangedError, hash_file, hash_folder
from thexp_pl.record.paths import RunPaths
from thexp_pl.runs.run import Run, read_run
from thexp_pl.upkeep.checking.code import check_code
from thexp_pl.upkeep.checking.course import Course
from thexp_pl.upkeep.checking.faults import Fault
from thexp_pl.upkeep.checking.files import check_files
from thexp_pl.upkeep.folders import size_of
from thexp_pl.upkeep.needs import checkpoint_files

__all__ = ["Checked", "check", "sizes_of"]

_MAX_BYTES = 1 << 60  # no data has more, whatever a manifest says


@dataclass
class Checked:
    """What a check found.

    Args:
        runs: How many runs were looked at.
        damaged: What is not what was recorded.
        gone: Files of runs that somebody has deleted, or left out of an archive.
        changed: Data outside of the runs that is no longer what they used.
        running: The keys of runs that still change, of which only manifest and code were checked.
    """

    runs: int = 0
    damaged: list[Fault] = field(default_factory=list)
    gone: list[Fault] = field(default_factory=list)
    changed: list[Fault] = field(default_factory=list)
    running: list[str] = field(default_factory=list)


def sizes_of(
    runs: Sequence[RunPaths], progress: Callable[[int, int], object] = lambda done, total: None
) -> list[int]:
    """Say about how many bytes `check` reads of each run.

    Args:
        runs: The runs.
        progress: Called with how many runs were looked at and how many there are.
    """
    sizes = []
    for done, paths in enumerate(runs):
        progress(done, len(runs))
        sizes.append(_size(read_run(paths)))
    return sizes


def check(
    runs: Sequence[RunPaths],
    *,
    sizes: Sequence[int] | None = None,
    progress: Callable[[int, int], object] = lambda done, total: None,
) -> Checked:
    """Check manifests, code, checkpoints, random states, metrics, journals and declared data.

    Args:
        runs: The runs.
        sizes: What `sizes_of` gave of them; None: they are looked at here.
        progress: Called with the bytes read and about how many there are; with 0 and 0 while git
            reads the code.

    Returns:
        What was found.
    """
    found = Checked(len(runs))
    trees: dict[Path, dict[str, list[str]]] = {}
    course = Course(sizes_of(runs) if sizes is None else sizes, progress)
    for part, paths in enumerate(runs):
        course.begin(part)
        run = read_run(paths)  # as it is now: by its turn it may be running, or not any more
        if run.damage:
            found.damaged.append(Fault(run.key, paths.manifest.name, run.damage))
            continue
        code = run.manifest["code"] or {}
        if code.get("how") == "git" and isinstance(code.get("tree"), str):
            trees.setdefault(paths.root, {}).setdefault(code["tree"], []).append(run.key)
        if run.status == "running":
            found.running.append(run.key)
            continue
        damaged, gone = check_files(run, course)
        found.damaged += damaged
        found.gone += gone
        found.changed += _changed_data(run, course)
    progress(0, 0)
    for root in sorted({paths.root for paths in runs}):
        found.damaged += check_code(root, trees.get(root, {}))
    return found


def _size(run: Run) -> int:
    """Say how much is read of a run: its checkpoints twice, for its journal and their sidecars."""
    sizes = [size_of(run.paths.folder), *map(size_of, checkpoint_files(run.paths.folder))]
    return sum(sizes) + sum(_bytes(used) for used, _ in _used(run))


def _bytes(used: dict[str, Any]) -> int:
    size = used.get("bytes")
    return size if type(size) is int and 0 < size < _MAX_BYTES else 0


def _used(run: Run) -> Iterator[tuple[dict[str, Any], str]]:
    if run.damage:
        return
    for used in run.manifest["uses"]:
        named = used.get("path")
        if used.get("state") == "hashed" and isinstance(named, str) and "\0" not in named:
            yield used, named


def _changed_data(run: Run, course: Course) -> Iterator[Fault]:
    for used, named in _used(run):
        path = run.paths.root.resolve() / named
        reader = hash_folder if used.get("kind") == "folder" else hash_file
        try:
            if reader(path, course.reading(_bytes(used))).sha256 != used.get("sha256"):
                yield Fault(run.key, named, "it is not what the run used")
        except FileNotFoundError:
            yield Fault(run.key, named, "it is not there any more")
        except (OSError, ChangedError) as error:
            reason = getattr(error, "strerror", None) or "it changes"
            yield Fault(run.key, named, f"it cannot be read: {reason}")
