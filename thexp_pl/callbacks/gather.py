"""What every rank has of its own, brought together for the one checkpoint of all."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
import torch

__all__ = ["gathered", "has_failed", "ranks"]


def ranks() -> int:
    """Count the processes that train together."""
    distributed = torch.distributed
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_world_size()
    return 1


def gathered(own: Any, rank: int, *, alone: bool) -> dict[int, Any]:
    """Give what every rank has.

    Args:
        own: Tensors on the CPU and plain values.
        rank: The number of this process.
        alone: Ask no other rank. Where one has failed, the others never come to be asked.

    Returns:
        By rank what it has; with `alone` this rank's only.
    """
    if alone or ranks() == 1:
        return {rank: own}
    found: list[Any] = [None] * ranks()
    torch.distributed.all_gather_object(found, own)
    return dict(enumerate(found))


def has_failed(trainer: pl.Trainer) -> bool:
    """Say whether an error ends this training, so that other ranks must not be waited for."""
    return bool(trainer.interrupted)
