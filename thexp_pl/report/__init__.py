"""What a record says, written for people to read: out of the files of a run, and nothing else."""

from thexp_pl.report.markdown import run_report

__all__ = ["run_report"]
