"""The Lightning Logger that records a run, and the board's event files beside it."""

from thexp_pl.loggers.run_logger import RunLogger, find_run_logger

__all__ = ["RunLogger", "find_run_logger"]
