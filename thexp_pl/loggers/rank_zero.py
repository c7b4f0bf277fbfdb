"""Whether this process is the one that records."""

from __future__ import annotations

from lightning_utilities.core.rank_zero import rank_zero_only

__all__ = ["is_rank_zero"]


def is_rank_zero() -> bool:
    """Say whether this is rank 0, as far as Lightning knows by now.

    Returns:
        Whether it is; without several ranks it is.
    """
    return getattr(rank_zero_only, "rank", 0) == 0
