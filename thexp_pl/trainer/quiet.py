"""Keeping Lightning's general announcements out of a facade run's console."""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["quiet_lightning"]

# what says nothing about this run: the hardware it did not ask for, tips, how a loop is written
_ANNOUNCEMENTS = re.compile(
    r"^(GPU available|TPU available|HPU available|IPU available|💡 Tip|Seed set to|"
    r"`Trainer\.fit` stopped: `max_epochs)"
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
    logger, announcements = logging.getLogger("pytorch_lightning.utilities.rank_zero"), _Filter()
    seeds = logging.getLogger("lightning_fabric.utilities.seed")
    logger.addFilter(announcements)
    seeds.addFilter(announcements)
    with warnings.catch_warnings():
        for message in _WARNINGS:
            warnings.filterwarnings("ignore", message)
        try:
            yield
        finally:
            logger.removeFilter(announcements)
            seeds.removeFilter(announcements)
