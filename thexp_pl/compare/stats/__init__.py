"""Statistics of repeated runs: means, intervals, and tests between groups."""

from __future__ import annotations

from thexp_pl.compare.stats.students import MeanTest
from thexp_pl.compare.stats.summarising import summarise
from thexp_pl.compare.stats.summary import Group, Measured, Summary

__all__ = ["Group", "MeanTest", "Measured", "Summary", "summarise"]
