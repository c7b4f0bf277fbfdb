"""The moment at which Lightning spawns or forks the processes to train in.

Lightning asks no logger and no callback then. But a run that began in such a process would end
with it, and what the script does next would be a second run; so the run begins before.
"""

from __future__ import annotations

import sys
from types import FrameType
from typing import TYPE_CHECKING

from pytorch_lightning.strategies.launchers import _MultiProcessingLauncher

if TYPE_CHECKING:
    import pytorch_lightning as pl

__all__ = ["launching_trainer"]


def launching_trainer() -> pl.Trainer | None:
    """Give the Lightning Trainer that makes processes just now.

    Returns:
        The Trainer whose launcher has called, through whatever, the function that calls this; None
        where no launcher is at work.
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_code is _MultiProcessingLauncher.launch.__code__:
            trainer: pl.Trainer | None = frame.f_locals.get("trainer")
            return trainer
        frame = frame.f_back
    return None
