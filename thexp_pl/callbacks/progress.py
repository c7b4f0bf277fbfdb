"""How far a Lightning Trainer has come, and its state at that moment as a checkpoint holds it."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.loops.loop import _Loop

from thexp_pl.callbacks.gather import has_failed

__all__ = [
    "completed_batches",
    "completed_epochs",
    "full_state",
    "last_epoch",
    "last_step",
    "metrics_of",
    "settle_epoch",
    "settle_loaded",
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


def settle_epoch(trainer: pl.Trainer) -> None:
    """Have a fit begin with an epoch, forgetting one that was cut off.

    Args:
        trainer: The Lightning Trainer.
    """
    loop: Any = trainer.fit_loop
    epochs, batches = loop.epoch_progress, loop.epoch_loop.batch_progress
    for progress in (epochs.total, epochs.current, batches.total):
        progress.ready = progress.started = progress.completed = progress.processed
    # not by `loop.restarting`, whose setter does something else under max_steps
    _Loop.restarting.fset(loop, False)  # type: ignore[attr-defined]  # a property


def settle_loaded(trainer: pl.Trainer) -> None:
    """Have a fit begin with an epoch where a checkpoint of an epoch's end was loaded.

    Lightning itself goes on with the epoch that is done where `max_steps` is set. An epoch that was
    cut off by `max_steps` is not done.

    Args:
        trainer: The Lightning Trainer, whose train loaders are set up.
    """
    epochs: Any = trainer.fit_loop.epoch_progress.current
    if (
        epochs.processed == epochs.ready
        and trainer.fit_loop.epoch_loop._num_ready_batches_reached()
    ):
        settle_epoch(trainer)


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
