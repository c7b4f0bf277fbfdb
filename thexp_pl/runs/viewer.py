"""`ExperimentViewer`: which runs there were, and what is left of them."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

from thexp_pl.errors import RecordError, UsageError
from thexp_pl.record.folders import as_root
from thexp_pl.record.journal import read_journal
from thexp_pl.record.keycode import read_sources
from thexp_pl.record.roots import known_roots
from thexp_pl.runs.keys import find_run
from thexp_pl.runs.run import Run, read_runs

__all__ = ["ExperimentViewer"]


class ExperimentViewer:
    """Reads the runs of some experiment roots; every call reads the files as they are then.

    Args:
        roots: The roots to look in; by default all that the user's home knows.

    Raises:
        RecordError: A root is not there.
    """

    def __init__(self, roots: Iterable[str | os.PathLike[str]] | None = None) -> None:
        self._given = None if roots is None else [as_root(root) for root in roots]
        for root in self._given or ():
            if not root.is_dir():
                raise RecordError(
                    f"no experiment root {str(root)!r}: give a folder that holds runs"
                )

    def runs(self) -> list[Run]:
        """Read all runs.

        Returns:
            The runs, oldest first.
        """
        return read_runs(self._roots())

    def run(self, key: str) -> Run:
        """Read one run.

        Args:
            key: A word that means it, see `thexp_pl.runs.keys.find_run`.

        Returns:
            The run.

        Raises:
            RecordError: There is none, or more than one.
        """
        return find_run(self._roots(), key)

    def recent(self, timedeltaobj: timedelta | None = None, day: float | None = None) -> list[str]:
        """List the runs that started not long ago.

        Args:
            timedeltaobj: How long ago at most.
            day: The same in days; one of the two is given.

        Returns:
            Their keys, oldest first.

        Raises:
            UsageError: Neither or both were given.
        """
        if (timedeltaobj is None) == (day is None):
            raise UsageError("recent() wants one of timedeltaobj=timedelta(hours=1) and day=1")
        span = timedeltaobj if timedeltaobj is not None else timedelta(days=day or 0)
        since = time.time() - span.total_seconds()
        return [run.key for run in self.runs() if run.started >= since]

    def backtracking(self, name: str) -> dict[str, dict[str, dict[str, Any]]]:
        """Find out which runs made, changed, deleted or otherwise noted files of a name.

        Args:
            name: A part of the file's path within the run, such as ``"ckpt"``.

        Returns:
            By key, the files by path: what the journal says of each, later events over earlier
            ones (``event``, ``time``, ``size``, ``modified``), and whether it ``exists`` now.
        """
        found = {run.key: _files(run, name) for run in self.runs()}
        return {key: files for key, files in found.items() if files}

    def exp_code(self, key: str) -> dict[str, str]:
        """Read the sources that a run kept as key code.

        Args:
            key: A word that means it, see `thexp_pl.runs.keys.find_run`.

        Returns:
            The sources by name, such as ``__main__.train``.

        Raises:
            RecordError: There is no such run.
        """
        return read_sources(self.run(key).paths.keycode)

    def exp_info(self, key: str) -> dict[str, Any]:
        """Read what is known of a run.

        Args:
            key: A word that means it, see `thexp_pl.runs.keys.find_run`.

        Returns:
            The manifest and what became of the run, see `thexp_pl.runs.run.Run.to_dict`.

        Raises:
            RecordError: There is no such run.
        """
        return self.run(key).to_dict()

    def list(self) -> list[str]:
        """List all runs.

        Returns:
            Their keys, oldest first.
        """
        return [run.key for run in self.runs()]

    def _roots(self) -> Iterable[Path]:
        return known_roots() if self._given is None else self._given


def _files(run: Run, name: str) -> dict[str, dict[str, Any]]:
    files: dict[str, dict[str, Any]] = {}
    for event in _journal(run):
        path = event.get("path")
        if isinstance(path, str) and name in path:
            exists = os.path.lexists(run.paths.folder / path.replace("\0", ""))
            files[path] = files.get(path, {}) | event | {"exists": exists}
    return files


def _journal(run: Run) -> Iterable[dict[str, Any]]:
    try:
        return read_journal(run.paths.journal)
    except OSError:  # one run that cannot be read does not hide the others
        return []
