"""Steps of a ReduceLROnPlateau that Lightning takes after a checkpoint was saved."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl

__all__ = ["pending_steps", "take_pending_steps"]


def pending_steps(trainer: pl.Trainer) -> list[str]:
    """Say which steps are still to come at this place.

    Returns:
        ``"epoch"`` in the hooks at an epoch's end, ``"step"`` in those at a batch's end; after a
        validation Lightning takes the latter itself when it goes on.
    """
    loop: Any = trainer.fit_loop
    epochs, batches = loop.epoch_progress.current, loop.epoch_loop.batch_progress.current
    pending = []
    if batches.processed > batches.completed:
        pending.append("step")
    is_through = not loop.restarting and loop.epoch_loop._num_ready_batches_reached()
    if epochs.processed > epochs.completed and is_through:
        pending.append("epoch")
    return pending


def take_pending_steps(trainer: pl.Trainer, pending: list[str]) -> None:
    """Take the steps that came after a save, with the metrics of that time.

    Args:
        trainer: The Trainer, whose metrics have been restored.
        pending: What `pending_steps` gave.
    """
    epochs: Any = trainer.fit_loop.epoch_progress.current
    completed = epochs.completed
    for interval in pending:
        if interval == "epoch":  # by now Lightning counts that epoch as completed
            epochs.completed = epochs.processed - 1
        trainer.fit_loop.epoch_loop.update_lr_schedulers(interval, update_plateau_schedulers=True)
        epochs.completed = completed
