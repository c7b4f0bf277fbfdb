"""Statistics of repeated runs: means, intervals, and tests between groups."""

from __future__ import annotations

from thexp_pl.compare.stats.students import MeanTest
from thexp_pl.compare.stats.summarising import ALL_BUT_SEED, summarise
from thexp_pl.compare.stats.summary import Group, Measured, Summary

__all__ = ["ALL_BUT_SEED", "Group", "MeanTest", "Measured", "Summary", "summarise"]
