"""Reading runs back: one run, the index of all, the words and queries that choose among them.

Nothing here needs torch, Lightning or numpy, and nothing writes into a run.
"""

from __future__ import annotations

from thexp_pl.runs.row import RunRow
from thexp_pl.runs.run import Run, read_run
from thexp_pl.runs.viewer import ExperimentViewer

__all__ = ["ExperimentViewer", "Run", "RunRow", "read_run"]
