"""What is said where a training did not go as far as was asked for."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Timer

from thexp_pl.callbacks.progress import completed_batches, completed_epochs

__all__ = ["begins_again", "way_back", "why_short"]


def why_short(trainer: pl.Trainer) -> str:
    """Say why a fit that has just ended trained fewer batches than it might have.

    Args:
        trainer: The Lightning Trainer.
    """
    fit, options = trainer.fit_loop, vars(trainer)
    if options["limit_train_batches"] == 0:
        return "limit_train_batches=0"
    if 0 <= fit.max_steps <= trainer.global_step:
        return f"max_steps={fit.max_steps} is reached"
    timers = [one for one in options["callbacks"] if isinstance(one, Timer)]
    left = [one.time_remaining() for one in timers]
    if any(seconds is not None and seconds <= 0 for seconds in left):
        return "max_time is over"
    if trainer.should_stop:
        return "train_toggle or a callback ended the training"
    return "there were no more"


def begins_again(trainer: pl.Trainer, *, is_saved: bool) -> str | None:
    """Say what a fit that has just failed leaves behind, to be told when the next one begins.

    Args:
        trainer: The Lightning Trainer, its progress as it failed.
        is_saved: Whether the run has a checkpoint.

    Returns:
        One line; None where no batch is trained twice.
    """
    epochs: Any = trainer.fit_loop.epoch_progress.current
    in_epoch: Any = trainer.fit_loop.epoch_loop.batch_progress.current
    done = in_epoch.processed
    if epochs.processed == epochs.ready or not done or not completed_batches(trainer):
        return None
    return (
        f"epoch {completed_epochs(trainer) + 1} begins again with its first batch, and the weights "
        f"have learned from {done} of its batches before it failed; {way_back(is_saved=is_saved)}"
    )


def way_back(*, is_saved: bool) -> str:
    """Say how one gets weights that no batch has changed twice.

    Args:
        is_saved: Whether the run has a checkpoint.
    """
    if is_saved:
        return "load_latest_checkpoint() before train() goes back to what was saved"
    return "no checkpoint was saved yet, so only a new trainer begins anew"
