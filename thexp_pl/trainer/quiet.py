"""Keeping Lightning's general announcements out of a facade run's console."""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["quiet_lightning"]

# what says nothing about this run: the hardware it did not ask for, tips, how a loop is written,
# that the processes it asked for have found one another
_ANNOUNCEMENTS = re.compile(
    r"^(GPU available|TPU available|HPU available|IPU available|💡 Tip|Seed set to|"
    r"`Trainer\.fit` stopped: `max_epochs|Initializing distributed: |-+\ndistributed_backend=|"
    r"SLURM auto-requeueing enabled|Bypassing SIGTERM)"
)
_SPEAKERS = (
    "pytorch_lightning.utilities.rank_zero",
    "lightning_fabric.utilities.rank_zero",
    "lightning_fabric.utilities.seed",
    "lightning_fabric.utilities.distributed",
    "pytorch_lightning.trainer.connectors.signal_connector",
)
_WARNINGS = (
    r".*smaller than the logging interval",  # steps are counted across epochs here
    r".*`isinstance\(treespec, LeafSpec\)` is deprecated",  # Lightning's own use of torch
    r".*does not have many workers",
    r".*No seed found, seed set to",
)


class _Filter(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        return not _ANNOUNCEMENTS.match(record.getMessage())


@contextmanager
def quiet_lightning() -> Iterator[None]:
    """Hide Lightning's announcements for a while; its warnings about the run still show."""
    announcements = _Filter()
    loggers = [logging.getLogger(name) for name in _SPEAKERS]
    for logger in loggers:
        logger.addFilter(announcements)
    with warnings.catch_warnings():
        for message in _WARNINGS:
            warnings.filterwarnings("ignore", message)
        try:
            yield
        finally:
            for logger in loggers:
                logger.removeFilter(announcements)
