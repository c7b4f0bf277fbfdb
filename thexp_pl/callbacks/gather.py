"""What every rank has of its own, brought together for the one checkpoint of all."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
import torch

from thexp_pl.saver.sidecar import world_size

__all__ = ["gathered", "has_failed"]


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
