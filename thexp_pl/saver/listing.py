"""Finding the files of a folder, in the order in which they were saved."""

from __future__ import annotations

import operator
import os
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import SupportsIndex, TypeAlias

from thexp_pl.errors import CheckpointError, UsageError
from thexp_pl.saver.known import Known
from thexp_pl.saver.names import Kind, sidecar_path
from thexp_pl.saver.sidecar import DamagedError, Sidecar

__all__ = [
    "AbsentError",
    "Entry",
    "Which",
    "as_path",
    "committed",
    "find",
    "named",
    "target_of",
    "uncommitted",
]

Which: TypeAlias = "SupportsIndex | str | os.PathLike[str]"  # an epoch or an index, or a path

UNRECORDED = -1  # thexp's own files are older than any of ours


class AbsentError(DamagedError):
    """There is none of an epoch; nothing is damaged, unless somebody is writing it anew."""


@dataclass(frozen=True, order=True)
class Entry:
    """A committed file; entries compare by age, oldest first.

    Args:
        order: That of its record. Epochs and steps may come again, orders never do.
        epoch: That of its name.
        repeat: That of its name.
        path: The file.
        sidecar: What stands beside it.
    """

    order: int
    epoch: int
    repeat: int
    path: Path
    sidecar: Sidecar = field(compare=False, repr=False)


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
    return {folder / name: numbers for name, numbers in _parsed(_scan(folder), kind).items()}


def committed(folder: Path, kind: Kind, known: Known | None = None) -> list[Entry]:
    """The files with a readable sidecar, oldest save first, whatever their file times say.

    Args:
        folder: The Saver's folder.
        kind: What to look for.
        known: The sidecars read before; only those that have changed are read again.
    """
    here, entries = _scan(folder), []
    known = Known() if known is None else known
    for name, (epoch, repeat) in _parsed(here, kind).items():
        if name not in here or not here[name].is_file():
            continue
        path = folder / name
        try:
            sidecar = known.sidecar(path, here.get(sidecar_path(path).name))
        except DamagedError:
            continue
        order = sidecar.record.order if sidecar.record else UNRECORDED
        entries.append(Entry(order, epoch, repeat, path, sidecar))
    known.forget_all_but(entry.path for entry in entries)
    return sorted(entries)


def _scan(folder: Path) -> dict[str, os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return {entry.name: entry for entry in found}
    except OSError as error:
        raise CheckpointError(f"cannot list {folder}: {error.strerror}") from error


def _parsed(names: Iterable[str], kind: Kind) -> dict[str, tuple[int, int]]:
    targets = sorted({name.removesuffix(".json") for name in names})
    return {name: numbers for name in targets if (numbers := kind.parse(name))}


def uncommitted(folder: Path, kind: Kind) -> dict[Path, tuple[int, int]]:
    """The files without a readable sidecar: path -> (epoch, repeat)."""
    known = {entry.path for entry in committed(folder, kind)}
    taken = named(folder, kind)
    return {path: taken[path] for path in taken if path not in known and path.is_file()}


def target_of(
    folder: Path, kind: Kind, epoch: int, replacement: bool, promised: Collection[Path] = ()
) -> Path:
    """The path for a save of this epoch: a new repeat, or the latest one to be replaced.

    Args:
        folder: The Saver's folder.
        kind: What is to be saved.
        epoch: Its epoch.
        replacement: Whether to overwrite the latest of this epoch.
        promised: Paths that will be there once what waits is written.
    """
    taken = [kind.parse(path.name) for path in promised if path.parent == folder]
    taken += named(folder, kind).values()
    repeats = [numbers[1] for numbers in taken if numbers and numbers[0] == epoch]
    if not repeats:
        return folder / kind.file_name(epoch, 0)
    return folder / kind.file_name(epoch, max(repeats) + (not replacement))


def find(folder: Path, kind: Kind, which: Which, byindex: bool, known: Known | None = None) -> Path:
    """Resolve an epoch number, an index or a path to a path.

    Args:
        folder: The Saver's folder.
        kind: What to look for.
        which: An epoch (its latest repeat is meant), an index with `byindex`, or a path.
        byindex: Take `which` as an index into the list, oldest first.
        known: As in `committed`.

    Raises:
        AbsentError: There is none of that epoch.
        DamagedError: There is none at that index.
        UsageError: `which` is none of the three.
    """
    if isinstance(which, (str, os.PathLike)) and not byindex:
        return as_path(which)
    if isinstance(which, (bool, str, os.PathLike)) or not hasattr(which, "__index__"):
        rule = "an index is an integer" if byindex else "give an epoch number or a path"
        raise UsageError(f"{which!r} names no {kind.noun}: {rule}")
    entries = committed(folder, kind, known)
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
    raise AbsentError(f"no {kind.noun} of epoch {epoch} in {folder}: {held}")
