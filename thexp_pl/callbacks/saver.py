"""Checkpoints while training, and the final model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Checkpoint

from thexp_pl.callbacks.hook import Hookable
from thexp_pl.errors import UsageError
from thexp_pl.loggers import find_run_logger
from thexp_pl.saver import Saver

__all__ = ["SaverCallback", "full_state", "weights_state"]


class SaverCallback(Hookable, Checkpoint):
    """Saves a rotating checkpoint every n-th epoch, and the model when training ends.

    The files lie in ``modules/`` of the run that a `RunLogger` records, else below the Lightning
    Trainer's `default_root_dir`. They are Lightning checkpoints with thexp's names and a JSON
    sidecar each: ``0000003.ckpt`` after three epochs, ``model.0000010.pth`` with the final weights.

    Args:
        max_to_keep: How many checkpoints to keep; None keeps all.
        every_n_epochs: Save after every n-th epoch, and after the last.

    Raises:
        UsageError: If `max_to_keep` or `every_n_epochs` is no positive number.
    """

    def __init__(self, max_to_keep: int | None = 3, every_n_epochs: int = 1) -> None:
        if type(every_n_epochs) is not int or every_n_epochs < 1:
            raise UsageError(f"every_n_epochs must be 1 or more, not {every_n_epochs!r}")
        if max_to_keep is not None and (type(max_to_keep) is not int or max_to_keep < 1):
            raise UsageError(f"max_to_keep must be 1 or more, or None for all, not {max_to_keep!r}")
        self.max_to_keep = max_to_keep
        self.every_n_epochs = every_n_epochs
        self.saver: Saver | None = None

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Open the Saver where the run's modules lie."""
        if stage == "fit" and trainer.is_global_zero and self.saver is None:
            logger = find_run_logger(trainer)
            folder = (
                logger.experiment.hold_exp_part("modules", [".ckpt", ".pth"])
                if logger
                else Path(trainer.default_root_dir) / "modules"
            )
            self.saver = Saver(folder, self.max_to_keep, run_key=logger.version if logger else None)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Save a checkpoint where this epoch is due."""
        epochs = trainer.current_epoch + 1
        if epochs % self.every_n_epochs == 0 or epochs == trainer.max_epochs:
            state = full_state(trainer)  # on every rank: a strategy may gather
            if self.saver is not None:
                self.saver.save_checkpoint(
                    epochs, state, _info(trainer, epochs), step=_batches(trainer)
                )

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Save the final weights."""
        epochs = trainer.current_epoch
        state = weights_state(trainer)
        if self.saver is not None:
            self.saver.save_model(
                epochs, state, _info(trainer, epochs), replacement=True, step=_batches(trainer)
            )


def full_state(trainer: pl.Trainer) -> dict[str, Any]:
    """Give the Lightning checkpoint of now: weights, optimizers, progress, callbacks."""
    state: dict[str, Any] = trainer._checkpoint_connector.dump_checkpoint(weights_only=False)
    return state


def weights_state(trainer: pl.Trainer) -> dict[str, Any]:
    """Give a Lightning checkpoint with the weights and without the means to go on training."""
    state: dict[str, Any] = trainer._checkpoint_connector.dump_checkpoint(weights_only=True)
    return state


def _info(trainer: pl.Trainer, epochs: int) -> dict[str, Any]:
    metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
    return {"eidx": epochs, **metrics}


def _batches(trainer: pl.Trainer) -> int:
    return trainer.fit_loop.total_batch_idx + 1
