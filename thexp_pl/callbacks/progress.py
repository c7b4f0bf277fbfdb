"""How far a Lightning Trainer has come, and its state at that moment as a checkpoint holds it."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
import torch

from thexp_pl.callbacks.gather import has_failed

__all__ = [
    "completed_batches",
    "completed_epochs",
    "full_state",
    "last_epoch",
    "last_step",
    "metrics_of",
    "sidecar_info",
    "weights_state",
]


def completed_epochs(trainer: pl.Trainer) -> int:
    """Count the epochs whose batches are all done, right also in the hooks at an epoch's end."""
    progress: Any = trainer.fit_loop.epoch_progress.current
    return int(progress.processed)


def completed_batches(trainer: pl.Trainer) -> int:
    """Count the batches of all epochs that are done, right also in the hooks at a batch's end."""
    progress: Any = trainer.fit_loop.epoch_loop.batch_progress.total
    return int(progress.processed)


def last_epoch(trainer: pl.Trainer) -> int:
    """Give the epoch, from 0, that ended last; 0 where none has."""
    return max(completed_epochs(trainer) - 1, 0)


def last_step(trainer: pl.Trainer) -> int:
    """Give the batch, from 0 over all epochs, that ended last; 0 where none has."""
    return max(completed_batches(trainer) - 1, 0)


def full_state(trainer: pl.Trainer) -> dict[str, Any]:
    """Give the Lightning checkpoint of now: weights, optimizers, progress, callbacks."""
    state: dict[str, Any] = trainer._checkpoint_connector.dump_checkpoint(weights_only=False)
    return state


def weights_state(trainer: pl.Trainer) -> dict[str, Any]:
    """Give a Lightning checkpoint with the weights and without the means to go on training."""
    state: dict[str, Any] = trainer._checkpoint_connector.dump_checkpoint(weights_only=True)
    return state


def metrics_of(trainer: pl.Trainer) -> dict[str, torch.Tensor]:
    """Give `trainer.callback_metrics`, each detached from its graph.

    Once training has failed they are as they were last: a mean that is reduced over ranks would
    wait for the others.
    """
    metrics: dict[str, torch.Tensor] = (
        trainer._logger_connector._callback_metrics
        if has_failed(trainer)
        else trainer.callback_metrics
    )
    return {name: value.detach() for name, value in metrics.items()}


def sidecar_info(trainer: pl.Trainer) -> dict[str, Any]:
    """Give what a sidecar says of now: thexp's `eidx` of the last epoch done, and the metrics."""
    metrics = {name: float(value) for name, value in metrics_of(trainer).items()}
    return {**metrics, "eidx": completed_epochs(trainer)}
