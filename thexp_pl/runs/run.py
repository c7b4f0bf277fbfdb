"""Reading runs back from their files: one run, and all runs of some roots."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from thexp_pl.jsonable import to_jsonable
from thexp_pl.record.death import death_of
from thexp_pl.record.folders import run_folders
from thexp_pl.record.manifest import read_manifest
from thexp_pl.record.metrics import read_history
from thexp_pl.record.notes import read_notes
from thexp_pl.record.paths import RunPaths
from thexp_pl.record.rank_reading import read_ranks
from thexp_pl.record.status import ENDED, compute_status
from thexp_pl.record.summary import MetricsSummary

__all__ = ["Run", "folders_of", "read_run", "read_runs"]


@dataclass(frozen=True)
class Run:
    """A run as its files tell.

    Args:
        paths: Its files.
        manifest: Its manifest; empty where it is damaged.
        damage: What is wrong with the manifest, or an empty text.
    """

    paths: RunPaths
    manifest: dict[str, Any]
    damage: str = ""

    @property
    def key(self) -> str:
        """The run's key: the name of its folder, whatever its manifest says."""
        return self.paths.key

    @cached_property
    def status(self) -> str:
        """What became of it, see `thexp_pl.record.status`; ``damaged`` without a manifest."""
        return "damaged" if self.damage else compute_status(self.manifest, self.paths.heartbeat)

    @cached_property
    def cause(self) -> dict[str, Any] | None:
        """What ended it early, as far as that is known."""
        if self.status == "killed":
            return death_of(self.manifest, self.paths)
        return self.manifest.get("cause")

    @cached_property
    def ranks(self) -> list[dict[str, Any]]:
        """What its ranks other than 0 left, see `thexp_pl.record.rank_reading.read_ranks`."""
        return read_ranks(self.paths)

    @cached_property
    def started(self) -> float:
        """When it started, seconds since 1970; of a damaged one, when its folder last changed."""
        with contextlib.suppress(ValueError, OSError, OverflowError, KeyError):
            return datetime.fromisoformat(self.manifest["start"]).timestamp()
        with contextlib.suppress(OSError):
            return self.paths.folder.stat().st_mtime
        return 0.0

    @property
    def seconds(self) -> float | None:
        """How long it ran, all attempts together; None without an end that was written."""
        seconds: float | None = self.manifest.get("seconds")
        return seconds

    @property
    def params(self) -> dict[str, Any]:
        """Its parameters."""
        return self.manifest.get("params") or {}

    @cached_property
    def metrics(self) -> dict[str, dict[str, Any]]:
        """The summary of its metrics, NaN as text; without an end from the metrics themselves."""
        if self.damage:
            return {}
        if self.manifest["status"] in ENDED:
            kept = self.manifest["metrics"].items()
            return {name: cell for name, cell in kept if isinstance(cell, dict)}
        summary = MetricsSummary()
        with contextlib.suppress(OSError):
            summary = MetricsSummary.of(read_history(self.paths).rows())
        plain: dict[str, dict[str, Any]] = to_jsonable(summary.to_dict())
        return plain

    def to_dict(self) -> dict[str, Any]:
        """Give all that is known in short.

        Returns:
            The manifest, with ``key``, ``experiment``, ``root``, ``folder``, ``status``,
            ``cause``, ``ranks``, ``metrics``, ``tags`` and ``notes`` as they are now; a damaged run
            has ``damage`` too.
        """
        facts = {
            **self.manifest,
            "key": self.key,
            "experiment": self.paths.experiment,
            "path": self.paths.relative,
            "root": str(self.paths.root),
            "folder": str(self.paths.folder),
            "status": self.status,
            "cause": self.cause,
            "ranks": self.ranks,
            "params": self.params,
            "metrics": self.metrics,
            **read_notes(self.paths),
        }
        return {**facts, "damage": self.damage} if self.damage else facts

    def _repr_html_(self) -> str:
        from thexp_pl.runs.html import run_html

        return run_html(self)


def read_run(paths: RunPaths) -> Run:
    """Read a run.

    Args:
        paths: Its files.

    Returns:
        The run; a damaged manifest makes a damaged run, never an error.
    """
    try:
        return Run(paths, read_manifest(paths.manifest))
    except OSError as error:
        return Run(paths, {}, f"run.json cannot be read: {error.strerror or error}")
    except ValueError as error:
        return Run(paths, {}, f"run.json cannot be used: {error}")


def read_runs(roots: Iterable[Path]) -> list[Run]:
    """Read all runs of some roots.

    Args:
        roots: The experiment roots; one that is named twice counts once.

    Returns:
        The runs, oldest first.
    """
    runs = [read_run(paths) for paths in folders_of(roots)]
    return sorted(runs, key=lambda run: (run.started, run.key))


def folders_of(roots: Iterable[Path]) -> list[RunPaths]:
    """List the folders of the runs of some roots.

    Args:
        roots: The experiment roots; one that is named twice counts once.

    Returns:
        Their paths, in no particular order.
    """
    return [paths for root in {root.resolve() for root in roots} for paths in run_folders(root)]
