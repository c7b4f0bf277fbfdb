"""One run as the index tells of it: enough to list, choose and compare, without its files."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from thexp_pl.record.paths import RunPaths

__all__ = ["RunRow"]


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run in short.

    Args:
        key: The run's key.
        experiment: The experiment's name.
        root: The experiment root, an absolute path.
        status: As `thexp_pl.record.status` judges it, or ``damaged``.
        started: When it started, seconds since 1970.
        seconds: How long it took; None while it runs and where that is not known.
        params: Its parameters, nested as recorded; `thexp_pl.runs.flat` gives dotted names.
        metrics: By name ``last``, ``min``, ``max``, ``mean``, ``count`` and ``nonfinite``; values
            that are not finite are floats too.
        tags: Its tags.
        notes: The texts of its notes, oldest first.
        command: The command that started it, as a shell takes it.
        code: The tree of its code snapshot; empty where there is none.
        commit: The commit of the user's own repository; empty where there is none.
        packages: A digest of all installed packages and their versions.
        python: Python's version.
        host: The machine's name.
        parent: The key of the run that it came from; empty where it began anew.
        damage: What is wrong with its manifest; empty where it is whole.
    """

    key: str
    experiment: str
    root: Path
    status: str
    started: float
    seconds: float | None = None
    params: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, dict[str, Any]] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    command: str = ""
    code: str = ""
    commit: str = ""
    packages: str = ""
    python: str = ""
    host: str = ""
    parent: str = ""
    damage: str = ""

    @property
    def paths(self) -> RunPaths:
        """The run's files."""
        return RunPaths(self.root, self.experiment, self.key)
