"""Figures for a paper, out of what runs have recorded."""

from __future__ import annotations

from thexp_pl.report.figures.metrics import metric_figure
from thexp_pl.report.figures.style import new_figure, save_figure

__all__ = ["metric_figure", "new_figure", "save_figure"]
