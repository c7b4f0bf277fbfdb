"""The parts of a run's folder whose files are watched."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from thexp_pl.errors import UsageError

__all__ = ["FileChange", "HeldParts", "Listener"]

Listener = Callable[[Path, str], object]
_Stamp = tuple[int, int, int]  # inode, size, time of the last change in nanoseconds


@dataclass(frozen=True)
class FileChange:
    """A file of a held part that is not as it was.

    Args:
        path: The file.
        mode: ``"created"``, ``"modified"`` or ``"deleted"``.
        size: Its bytes; None for a deleted one.
        time: When it was last changed, ISO 8601; None for a deleted one.
    """

    path: Path
    mode: str
    size: int | None
    time: str | None


class HeldParts:
    """Folders that are compared with what they held when they were made.

    Suffixes count for all parts, whichever call named them.
    """

    def __init__(self) -> None:
        self._before: dict[Path, dict[Path, _Stamp]] = {}
        self._suffixes: set[str] = set()
        self._listeners: list[tuple[Listener, tuple[str, ...]]] = []

    def hold(self, folder: Path, suffixes: Iterable[str], observe: bool) -> None:
        """Make a folder and, if it is to be observed, note what is in it.

        Args:
            folder: The folder; one that is held already keeps its first state.
            suffixes: Endings of file names such as ``".ckpt"``, upper case or lower.
            observe: Whether its changes count.

        Raises:
            OSError: It cannot be made.
            UsageError: A suffix does not begin with a dot.
        """
        self._suffixes.update(_checked(suffixes))
        folder.mkdir(parents=True, exist_ok=True)
        if observe and folder not in self._before:
            self._before[folder] = _scan(folder)

    def listen(self, listener: Listener, suffixes: Iterable[str]) -> None:
        """Add a function that is told of changes.

        Args:
            listener: Called with the file's path and ``created``, ``modified`` or ``deleted``.
            suffixes: The endings of file names that it wants.

        Raises:
            UsageError: A suffix does not begin with a dot.
        """
        self._listeners.append((listener, _checked(suffixes)))

    def changes(self) -> list[FileChange]:
        """Compare the parts with what they held.

        Returns:
            Every file that was created, modified or deleted, whatever its suffix, by path.
        """
        found: dict[Path, FileChange] = {}
        for folder, before in self._before.items():
            after = _scan(folder)
            for path in before.keys() - after.keys():
                found[path] = FileChange(path, "deleted", None, None)
            for path, stamp in after.items():
                if before.get(path) != stamp:
                    mode = "modified" if path in before else "created"
                    when = datetime.fromtimestamp(stamp[2] / 1e9).astimezone()
                    text = when.isoformat(timespec="milliseconds")
                    found[path] = FileChange(path, mode, stamp[1], text)
        return [found[path] for path in sorted(found)]

    def is_recorded(self, change: FileChange) -> bool:
        """Say whether a change belongs in the record.

        Args:
            change: The change.

        Returns:
            Whether the file has one of the held suffixes.
        """
        return change.path.name.lower().endswith(tuple(self._suffixes))

    def listeners(self, change: FileChange) -> list[Listener]:
        """Find who wants to know of a change.

        Args:
            change: The change.

        Returns:
            The functions, in the order in which they were added.
        """
        name = change.path.name.lower()
        return [listener for listener, suffixes in self._listeners if name.endswith(suffixes)]


def _checked(suffixes: Iterable[str]) -> tuple[str, ...]:
    each = [suffixes] if isinstance(suffixes, str) else list(suffixes)
    for suffix in each:
        if not suffix.startswith("."):
            raise UsageError(
                f"the suffix {suffix!r} does not begin with a dot; say {'.' + suffix!r}"
            )
    return tuple(suffix.lower() for suffix in each)


def _scan(folder: Path) -> dict[Path, _Stamp]:
    stamps = {}
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent, name)
            try:
                facts = path.lstat()
            except OSError:  # gone since the folder was listed
                continue
            stamps[path] = (facts.st_ino, facts.st_size, facts.st_mtime_ns)
    return stamps
