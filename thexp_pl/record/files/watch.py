"""watchdog's eyes on some folders; imported only when there is something to watch."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from watchdog import events
from watchdog.observers import Observer

__all__ = ["Watch"]

Hear = Callable[[str, bool, str, str], None]

# What nobody asked for, such as every opening of a file, is not even sent by the system.
_EVENTS: list[type[events.FileSystemEvent]] = [
    events.FileCreatedEvent,
    events.FileModifiedEvent,
    events.FileClosedEvent,  # what was written through a memory map is heard of when it is closed
    events.FileDeletedEvent,
    events.FileMovedEvent,
    events.DirCreatedEvent,
    events.DirDeletedEvent,
    events.DirMovedEvent,
]

# It warns of a folder that it watches already, as one that was made while it looked, or moved away
# and back: that hurts nobody, but as an error the warning would end the thread that all watches
# share. A filter is no help, as it is gone as soon as anybody's `warnings.catch_warnings` ends.
_inotify = sys.modules.get("watchdog.observers.inotify_c")
if _inotify is not None:
    vars(_inotify)["warnings"] = SimpleNamespace(warn=lambda *args, **options: None)


class Watch:
    """Hears of every change in some folders and all below them, links not followed.

    Args:
        hear: Called in a thread of watchdog's for each change, with ``"created"``, ``"modified"``,
            ``"closed"``, ``"deleted"`` or ``"moved"``, whether it was a folder, the path, and where
            it was moved to, or ``""``.

    Raises:
        OSError: The system has no more to watch with.
    """

    def __init__(self, hear: Hear) -> None:
        self._hear = hear
        self._watched: dict[str, tuple[Any, tuple[int, int]]] = {}
        self._observer = Observer()
        self._observer.start()

    @property
    def folders(self) -> list[str]:
        """The folders that were added."""
        return list(self._watched)

    def add(self, folder: str) -> bool:
        """Watch a folder.

        Args:
            folder: Its absolute path.

        Returns:
            Whether it is there.

        Raises:
            OSError: The system has no more to watch with.
        """
        identity = _identity(folder)
        if identity is None:
            return False
        real = os.path.realpath(folder)  # a link would be watched itself, not what it leads to
        try:
            watched = self._observer.schedule(
                _Handler(self._hear, real, folder), real, recursive=True, event_filter=_EVENTS
            )
        except (FileNotFoundError, NotADirectoryError):
            return False
        self._watched[folder] = (watched, identity)
        return True

    def sees(self, folder: str) -> bool:
        """Say whether a folder is watched, and is still the one that was added.

        Args:
            folder: Its absolute path.

        Returns:
            Whether it is.
        """
        watched, identity = self._watched.get(folder, (None, None))
        emitters = tuple(self._observer.emitters)
        alive = any(emitter.watch == watched and emitter.is_alive() for emitter in emitters)
        return alive and _identity(folder) == identity

    def drop(self, folder: str) -> None:
        """Watch a folder no more.

        Args:
            folder: Its absolute path.
        """
        watched, _ = self._watched.pop(folder, (None, None))
        if watched is not None:
            self._observer.unschedule(watched)

    def stop(self) -> None:
        """Watch nothing more; the threads have ended, or end soon."""
        self._observer.stop()
        self._observer.join(timeout=1)


class _Handler(events.FileSystemEventHandler):
    def __init__(self, hear: Hear, real: str, folder: str) -> None:
        self._hear = hear
        self._real = real
        self._folder = folder

    def dispatch(self, event: events.FileSystemEvent) -> None:
        path, to = self._as_held(event.src_path), self._as_held(event.dest_path)
        self._hear(event.event_type, event.is_directory, path, to)

    def _as_held(self, path: bytes | str) -> str:
        text = os.fsdecode(path)
        return self._folder + text[len(self._real) :] if text else ""


def _identity(folder: str) -> tuple[int, int] | None:
    try:
        facts = Path(folder).stat()
    except OSError:
        return None
    return facts.st_dev, facts.st_ino
