"""The runs that one process has recorded."""

from __future__ import annotations

import contextlib

from thexp_pl.runs.index import Index
from thexp_pl.runs.index.texts import kept_text
from thexp_pl.runs.run import Run, read_run

__all__ = ["runs_of_process"]


def runs_of_process(run: Run) -> list[Run]:
    """Find the runs that the process of a run has recorded in the same root.

    Args:
        run: The run.

    Returns:
        They and the run itself, in the order of their start.
    """
    process, command = run.manifest["process"], run.manifest.get("command")
    if process.get("start") is None or not isinstance(command, str):
        return [run]
    with contextlib.closing(Index([run.paths.root])) as index:
        index.refresh()
        # of the same command, not one of many thousands of manifests has to be read
        rows = index.select("command = ?", (kept_text(command),))
    others = (read_run(row.paths) for row in rows if row.paths.relative != run.paths.relative)
    found = [other for other in others if other.manifest.get("process") == process]
    return sorted([run, *found], key=lambda each: (each.started, each.key))
