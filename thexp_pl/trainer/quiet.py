"""Keeping Lightning's general announcements out of a facade run's console."""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["SPEAKERS", "quiet_lightning"]

# what says nothing about this run: the hardware it did not ask for, tips, how a loop is written,
# that the processes it asked for have found one another
_ANNOUNCEMENTS = re.compile(
    r"^(GPU available|TPU available|HPU available|IPU available|💡 Tip|Seed set to|"
    r"`Trainer\.fit` stopped: `max_epochs|Initializing distributed: |-+\ndistributed_backend=|"
    r"SLURM auto-requeueing enabled|Bypassing SIGTERM)"
)
SPEAKERS = (
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
    r"Using ModelCheckpoint with manual optimization",  # what it saves is what was trained
    # said of a callback that saves on an exception, where nothing has been trained or saved yet
    r"`\.fit\(ckpt_path=None\)` was called without a model",
    r"\.fit\(ckpt_path=\"last\"\) is set, but there is no last checkpoint",
)


class _Filter(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        return not _ANNOUNCEMENTS.match(record.getMessage())


@contextmanager
def quiet_lightning() -> Iterator[None]:
    """Hide Lightning's announcements for a while; its warnings about the run still show."""
    announcements = _Filter()
    loggers = [logging.getLogger(name) for name in SPEAKERS]
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
