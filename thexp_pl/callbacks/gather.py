"""What every rank has of its own, brought together for the one checkpoint of all."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from typing import Any

import pytorch_lightning as pl
import torch

from thexp_pl.saver.sidecar import world_size

__all__ = ["gathered", "has_failed", "log_alike"]


def gathered(own: Any, rank: int, *, alone: bool) -> dict[int, Any]:
    """Give what every rank has.

    Args:
        own: Tensors on the CPU and plain values.
        rank: The number of this process.
        alone: Ask no other rank. Where one has failed, the others never come to be asked.

    Returns:
        By rank what it has; with `alone` this rank's only.
    """
    if alone or world_size() == 1:
        return {rank: own}
    found: list[Any] = [None] * world_size()
    torch.distributed.all_gather_object(found, own)
    return dict(enumerate(found))


def has_failed(trainer: pl.Trainer) -> bool:
    """Say whether an error ends this training, so that other ranks must not be waited for."""
    return bool(trainer.interrupted)


def log_alike(pl_module: pl.LightningModule, values: Mapping[str, float]) -> None:
    """Log values that are the same on every rank, such as means over all of them.

    They are not reduced once more: then no rank could read `callback_metrics` by itself.

    Args:
        pl_module: The module that logs.
        values: Numbers by name.
    """
    for name in values if world_size() > 1 else ():
        # what Lightning recommends for values that differ
        message = f"It is recommended to use `self.log({name!r}, ..., sync_dist=True)`"
        pattern = re.escape(message)
        # with a new filter Python tells once more what it has told once
        if all(known is None or known.pattern != pattern for _, known, *_ in warnings.filters):
            warnings.filterwarnings("ignore", pattern)
    pl_module.log_dict(dict(values))
