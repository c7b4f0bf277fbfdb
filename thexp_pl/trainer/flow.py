"""Running a training piece by piece, as methods of the facade Trainer."""

from __future__ import annotations

from thexp_pl.trainer.evaluating import TrainerEvaluation

__all__ = ["TrainerFlow"]


class TrainerFlow(TrainerEvaluation):
    """What runs a part of a training."""
