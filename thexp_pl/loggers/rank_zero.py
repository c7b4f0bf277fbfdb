"""Whether this process is the one that records."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lightning_utilities.core.rank_zero import rank_zero_only

if TYPE_CHECKING:
    import pytorch_lightning as pl

__all__ = ["is_rank_zero", "settle_rank"]


def is_rank_zero() -> bool:
    """Say whether this is rank 0, as far as Lightning knows by now.

    Returns:
        Whether it is; without several ranks it is.
    """
    return getattr(rank_zero_only, "rank", 0) == 0


def settle_rank(trainer: pl.Trainer) -> None:
    """Make a process that trains alone rank 0, whatever a variable left over from others says.

    Lightning reads RANK, LOCAL_RANK and SLURM_PROCID when it is imported, and corrects itself only
    where there are several ranks.

    Args:
        trainer: The Trainer, which knows how many there are.
    """
    if trainer.world_size == 1 and trainer.is_global_zero:
        rank_zero_only.rank = 0  # type: ignore[attr-defined]  # as Lightning itself does
