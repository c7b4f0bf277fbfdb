"""A report of whatever a script gives it: scalars, figures, files."""

from thexp_pl.report.reporter.reporter import Reporter

__all__ = ["Reporter"]
