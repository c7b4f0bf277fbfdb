"""A journal in memory that a test can wait on, and what it says when it is replayed."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from thexp_pl.record.files import FileChanges

DEADLINE = 180.0


class Lines:
    """What was reported, seen by several threads."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.faults: list[Exception] = []
        self._news = threading.Condition()

    def report(self, event: str, facts: Mapping[str, Any]) -> None:
        with self._news:
            self.events.append((event, dict(facts)))
            self._news.notify_all()

    def fault(self, error: Exception) -> None:
        with self._news:
            self.faults.append(error)
            self._news.notify_all()

    def wait(self, is_there: Callable[[], object]) -> None:
        """Wait until what was reported meets a condition."""
        with self._news:
            assert self._news.wait_for(is_there, DEADLINE), self.events

    def wait_for(self, event: str, name: str) -> dict[str, Any]:
        """Wait for an event of a file; give its facts."""
        self.wait(lambda: self.of(event, name))
        return self.of(event, name)[0]

    def of(self, event: str, name: str) -> list[dict[str, Any]]:
        """All such events so far, the final ones aside."""
        return [
            facts
            for which, facts in self.events
            if which == event and not facts.get("final") and facts["path"] == self.at(name)
        ]

    def at(self, name: str) -> str:
        return str(self.folder / name)

    def all(self) -> list[tuple[str, str]]:
        """Each event with the file's path as seen from the folder."""
        return [
            (event, str(Path(facts["path"]).relative_to(self.folder)))
            for event, facts in self.events
            if not facts.get("final")
        ]

    def final(self) -> dict[str, dict[str, Any]]:
        """The last word on each file that is left, by its path as seen from the folder."""
        return {
            str(Path(facts["path"]).relative_to(self.folder)): {**facts, "event": event}
            for event, facts in self.events
            if facts.get("final")
        }

    def remarks(self) -> list[str]:
        return [facts["reason"] for event, facts in self.events if event == "unwatched"]

    def replay(self, before: Mapping[str, Path]) -> set[str]:
        """The paths of the files that are there after all that was reported."""
        there = set(before)
        for event, facts in self.events:
            if event in ("created", "modified"):
                there.add(facts["path"])
            elif event in ("deleted", "moved"):
                there.discard(facts["path"])
                there.update([facts["to"]] if event == "moved" else [])
        return there


@contextmanager
def watching(
    folder: Path, suffixes: tuple[str, ...] = (".ckpt", ".log"), *, part: str = "part"
) -> Iterator[tuple[FileChanges, Lines, Path]]:
    """Hold one part and follow it until the end of the block; what fails is no surprise."""
    lines = Lines(folder)
    changes = FileChanges(lines.report, lines.fault)
    changes.hold(folder / part, suffixes, observe=True)
    changes.start()
    try:
        yield changes, lines, folder / part
    finally:
        changes.close()


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
