"""What differs between two runs: `diff_runs` compares them, a `Difference` tells it."""

from __future__ import annotations

from thexp_pl.compare.diff.change import Change
from thexp_pl.compare.diff.code import CodeDifference
from thexp_pl.compare.diff.difference import CATEGORIES, Difference, diff_runs
from thexp_pl.compare.diff.files import FileChange, FileState
from thexp_pl.compare.diff.histories import MetricsDifference, Parting

__all__ = [
    "CATEGORIES",
    "Change",
    "CodeDifference",
    "Difference",
    "FileChange",
    "FileState",
    "MetricsDifference",
    "Parting",
    "diff_runs",
]
