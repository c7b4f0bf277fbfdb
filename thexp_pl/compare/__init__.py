"""Runs beside one another: what differs between two or many, and statistics of repeats."""

from __future__ import annotations

from thexp_pl.compare.comparison import Comparison, compare_runs
from thexp_pl.compare.diff import Difference, diff_runs
from thexp_pl.compare.groups import GroupComparison, compare_groups
from thexp_pl.compare.stats import Summary, summarise

__all__ = [
    "Comparison",
    "Difference",
    "GroupComparison",
    "Summary",
    "compare_groups",
    "compare_runs",
    "diff_runs",
    "summarise",
]
