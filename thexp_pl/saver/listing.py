"""Finding the files of a folder, in the order in which they were saved."""

from __future__ import annotations

import operator
import os
from dataclasses import dataclass
from pathlib import Path
from typing import SupportsIndex, TypeAlias

from thexp_pl.errors import CheckpointError, UsageError
from thexp_pl.saver.names import Kind
from thexp_pl.saver.sidecar import DamagedError, read_sidecar

__all__ = [
    "Entry",
    "Which",
    "as_path",
    "committed",
    "find",
    "named",
    "next_order",
    "target_of",
    "uncommitted",
]

Which: TypeAlias = "SupportsIndex | str | os.PathLike[str]"  # an epoch or an index, or a path

UNRECORDED = -1  # thexp's own files are older than any of ours


@dataclass(frozen=True, order=True)
class Entry:
    """A committed file; entries compare by age, oldest first."""

    order: int
    epoch: int
    repeat: int
    path: Path


def as_path(given: str | os.PathLike[str]) -> Path:
    """Check that a file system can be asked for a path.

    Raises:
        UsageError: It is no path, or one that no file can have.
    """
    try:
        path = Path(given)
        if b"\0" not in os.fsencode(path):
            return path
    except (TypeError, UnicodeEncodeError):
        pass
    raise UsageError(f"{given!r} is no path: give text that can name a file")


def named(folder: Path, kind: Kind) -> dict[Path, tuple[int, int]]:
    """Every path of this kind that is taken, by a file or by a sidecar: path -> (epoch, repeat)."""
    try:
        names = {path.name.removesuffix(".json") for path in folder.iterdir()}
    except OSError as error:
        raise CheckpointError(f"cannot list {folder}: {error.strerror}") from error
    parsed = {folder / name: kind.parse(name) for name in sorted(names)}
    return {path: numbers for path, numbers in parsed.items() if numbers}


def committed(folder: Path, kind: Kind) -> list[Entry]:
    """The files with a readable sidecar, oldest save first, whatever their file times say."""
    entries = []
    for path, (epoch, repeat) in named(folder, kind).items():
        try:
            record = read_sidecar(path).record
        except DamagedError:
            continue
        if path.is_file():
            entries.append(Entry(record.order if record else UNRECORDED, epoch, repeat, path))
    return sorted(entries)


def uncommitted(folder: Path, kind: Kind) -> dict[Path, tuple[int, int]]:
    """The files without a readable sidecar: path -> (epoch, repeat)."""
    known = {entry.path for entry in committed(folder, kind)}
    taken = named(folder, kind)
    return {path: taken[path] for path in taken if path not in known and path.is_file()}


def target_of(folder: Path, kind: Kind, epoch: int, replacement: bool) -> Path:
    """The path for a save of this epoch: a new repeat, or the latest one to be replaced."""
    repeats = [repeat for at, repeat in named(folder, kind).values() if at == epoch]
    if not repeats:
        return folder / kind.file_name(epoch, 0)
    return folder / kind.file_name(epoch, max(repeats) + (not replacement))


def next_order(folder: Path, kind: Kind) -> int:
    """The number of the next save: one above all that are there."""
    entries = committed(folder, kind)
    return entries[-1].order + 1 if entries else 0


def find(folder: Path, kind: Kind, which: Which, byindex: bool) -> Path:
    """Resolve an epoch number, an index or a path to a path.

    Args:
        folder: The Saver's folder.
        kind: What to look for.
        which: An epoch (its latest repeat is meant), an index with `byindex`, or a path.
        byindex: Take `which` as an index into the list, oldest first.

    Raises:
        DamagedError: There is none of that epoch or at that index.
        UsageError: `which` is none of the three.
    """
    if isinstance(which, (str, os.PathLike)) and not byindex:
        return as_path(which)
    if isinstance(which, (bool, str, os.PathLike)) or not hasattr(which, "__index__"):
        rule = "an index is an integer" if byindex else "give an epoch number or a path"
        raise UsageError(f"{which!r} names no {kind.noun}: {rule}")
    entries = committed(folder, kind)
    number = operator.index(which)
    if not byindex:
        return _of_epoch(folder, kind, number, entries)
    if not -len(entries) <= number < len(entries):
        raise DamagedError(
            f"no {kind.noun} at index {number}: {folder} holds {len(entries)} of them"
        )
    return entries[number].path


def _of_epoch(folder: Path, kind: Kind, epoch: int, entries: list[Entry]) -> Path:
    found = [entry.path for entry in entries if entry.epoch == epoch]
    if not found:
        # a file without a sidecar is better called damaged, by whoever reads it, than missing
        stray = uncommitted(folder, kind)
        found = sorted((path for path in stray if stray[path][0] == epoch), key=stray.__getitem__)
    if found:
        return found[-1]
    epochs = ", ".join(str(known) for known in sorted({entry.epoch for entry in entries}))
    held = f"it holds epochs {epochs}" if epochs else "it holds none"
    raise DamagedError(f"no {kind.noun} of epoch {epoch} in {folder}: {held}")
