"""What has changed since the index was last brought up to date: found with few looks at the disk.

- An experiment's folder is listed again when its time has changed: a run was added or removed, or
  the writer of a run touched it (`thexp_pl.record.folders.announce`). Two changes may bear the same
  time, so it is listed until it was seen with one time for `_SETTLING` seconds of our own clock;
  the clocks of file servers do not matter.
- Runs that have not ended are looked at each time, the newest of very many.
- Of all others some are looked at in turn, so that what nobody announced is found too.

A run is read again when the stamp of its files differs, or what became of it.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import sqlite3
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from thexp_pl.record.folders import experiment_folders, subfolders
from thexp_pl.record.paths import RunPaths
from thexp_pl.runs.index.schema import ENDED_SQL
from thexp_pl.runs.index.texts import kept_name, read_name
from thexp_pl.runs.index.turn import Turn
from thexp_pl.runs.run import read_run

__all__ = ["Changes", "Folder", "Seen", "look", "stamp_of"]

_SETTLING = 3.0  # seconds; the times of no file system in use are coarser than 2
_PENDING = 86_400.0  # seconds in which a folder without a manifest may yet get one, as in a copy
_MAX_OPEN = 1_000
_ENDED_FILES = ("/run.json", "/notes.json")
_OPEN_FILES = (*_ENDED_FILES, "/metrics.csv")


@dataclass(frozen=True)
class Folder:
    """An experiment's folder as it was seen.

    Args:
        id: Its number in the index; 0 for one that is not in it.
        root: The root's path.
        name: The experiment's name.
        mtime: When it last changed, in nanoseconds by its file system's clock.
        since: When it was first seen with that time, in seconds by this machine's clock.
        settled: Whether it need not be listed while it keeps that time.
    """

    id: int
    root: str
    name: str
    mtime: int = 0
    since: float = 0.0
    settled: bool = False

    @property
    def path(self) -> str:
        """Its path."""
        return f"{self.root}/{self.name}"


@dataclass(frozen=True)
class Seen:
    """A run that is to be read.

    Args:
        id: Its number in the index; 0 for one that is not in it.
        folder: Its experiment.
        key: Its key.
    """

    id: int
    folder: Folder
    key: str

    @property
    def paths(self) -> RunPaths:
        """Its files."""
        return RunPaths(Path(self.folder.root), self.folder.name, self.key)


@dataclass
class Changes:
    """What the index does not know yet.

    Args:
        folders: Experiments whose stamp is new.
        gone_folders: Experiments that are no more.
        gone: The numbers of runs that are no more.
        read: The runs to read, by folder and key.
    """

    folders: list[Folder] = field(default_factory=list)
    gone_folders: list[int] = field(default_factory=list)
    gone: list[int] = field(default_factory=list)
    read: dict[tuple[str, str], Seen] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.folders or self.gone_folders or self.gone or self.read)


@dataclass(frozen=True)
class _Kept:
    id: int
    key: str
    is_open: bool
    stamp: str


def look(connection: sqlite3.Connection, roots: Iterable[str], turn: Turn) -> Changes:
    """Find out what has changed.

    Args:
        connection: To the index; it is only read.
        roots: The real paths of the experiment roots to look in.
        turn: Whose turn it is among the runs that are looked at in turn.

    Returns:
        The changes.

    Raises:
        sqlite3.Error: The index cannot be read.
    """
    changes = Changes()
    known: dict[int, Folder] = {}
    for root in roots:
        folders = _known_folders(connection, root)
        now = _folders_on_disk(root)
        changes.gone_folders += [folder.id for name, folder in folders.items() if name not in now]
        known |= {folder.id: folder for name, folder in folders.items() if name in now}
        for name, mtime in now.items():
            before = folders.get(name) or Folder(0, root, name)
            after = _later(before, mtime)
            if after != before or not before.settled:
                _list(connection, after, before, changes)
    _look_at_open(connection, known, changes)
    for kept, folder_id in turn.runs(connection):
        folder = known.get(folder_id)
        if folder is not None:
            _look_at(_Kept(*kept), folder, changes)
    return changes


def stamp_of(folder: str, is_open: bool) -> str:
    """Tell one state of a run's files from another.

    Args:
        folder: The run's folder.
        is_open: Whether the run has no end: then its metrics count too.

    Returns:
        A text that differs where one of the files was written or replaced.
    """
    parts = []
    for name in _OPEN_FILES if is_open else _ENDED_FILES:
        try:
            facts = os.stat(folder + name)  # noqa: PTH116 - thousands of times in a reading
            parts.append(f"{facts.st_mtime_ns}:{facts.st_size}:{facts.st_ino}")
        except OSError:
            parts.append("-")
    return " ".join(parts)


def _known_folders(connection: sqlite3.Connection, root: str) -> dict[str, Folder]:
    rows = connection.execute(
        "SELECT id, name, mtime, since, settled FROM experiments"
        " WHERE root = (SELECT id FROM roots WHERE path = ? AND host = '')",
        (kept_name(root),),
    )
    return {
        read_name(name): Folder(number, root, read_name(name), mtime, since, bool(settled))
        for number, name, mtime, since, settled in rows
    }


def _folders_on_disk(root: str) -> dict[str, int]:
    found = {}
    for entry in experiment_folders(root):
        with contextlib.suppress(OSError):
            found[entry.name] = entry.stat().st_mtime_ns
    return found


def _later(before: Folder, mtime: int) -> Folder:
    now = time.time()
    if mtime != before.mtime or now < before.since:  # or our clock was set back
        return replace(before, mtime=mtime, since=now, settled=False)
    return replace(before, settled=before.settled or now - before.since >= _SETTLING)


def _list(connection: sqlite3.Connection, folder: Folder, before: Folder, changes: Changes) -> None:
    """Compare an experiment's folder with what the index has of it."""
    kept = {
        read_name(key): _Kept(number, read_name(key), bool(is_open), stamp)
        for number, key, is_open, stamp in connection.execute(
            "SELECT run, key, open, stamp FROM looks WHERE folder = ?", (folder.id,)
        )
    }
    for entry in subfolders(folder.path):
        known = kept.pop(entry.name, None)
        if known is not None:
            _look_at(known, folder, changes)
        elif os.path.lexists(f"{entry.path}/run.json"):
            changes.read[folder.path, entry.name] = Seen(0, folder, entry.name)
        elif folder.settled and _may_become_a_run(entry):
            folder = replace(folder, settled=False)
    changes.gone += [known.id for known in kept.values()]
    if folder != before:
        changes.folders.append(folder)


def _may_become_a_run(entry: os.DirEntry[str]) -> bool:
    try:
        return abs(time.time() - entry.stat().st_mtime) < _PENDING
    except OSError:
        return False


def _look_at(kept: _Kept, folder: Folder, changes: Changes) -> None:
    if stamp_of(f"{folder.path}/{kept.key}", kept.is_open) != kept.stamp:
        changes.read[folder.path, kept.key] = Seen(kept.id, folder, kept.key)


def _look_at_open(
    connection: sqlite3.Connection, known: dict[int, Folder], changes: Changes
) -> None:
    rows = connection.execute(
        "SELECT id, looks.key, open, stamp, folder, status FROM runs JOIN looks ON run = id"
        f" WHERE status NOT IN {ENDED_SQL}"
        " ORDER BY status IN ('running', 'lost') DESC, started DESC"
    )
    ours = (row for row in rows if row[4] in known)
    for number, key, is_open, stamp, folder_id, status in itertools.islice(ours, _MAX_OPEN):
        folder = known[folder_id]
        kept = _Kept(number, read_name(key), bool(is_open), stamp)
        _look_at(kept, folder, changes)
        if status in ("running", "lost") and (folder.path, kept.key) not in changes.read:
            seen = Seen(number, folder, kept.key)
            if read_run(seen.paths).status != status:
                changes.read[folder.path, kept.key] = seen
