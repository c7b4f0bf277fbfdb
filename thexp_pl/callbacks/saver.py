"""Checkpoints while training, and the final model."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Checkpoint

from thexp_pl.callbacks.hook import Hookable
from thexp_pl.callbacks.progress import (
    completed_batches,
    completed_epochs,
    full_state,
    sidecar_info,
    weights_state,
)
from thexp_pl.errors import UsageError
from thexp_pl.loggers import RunLogger, find_run_logger
from thexp_pl.loggers.rank_zero import settle_rank
from thexp_pl.record.faults import Tolerant
from thexp_pl.saver import Saver

__all__ = ["SaverCallback"]


class SaverCallback(Hookable, Checkpoint):
    """Saves a rotating checkpoint every n-th epoch, and the model when training ends.

    The files lie in ``modules/`` of the run that a `RunLogger` records, else below the Lightning
    Trainer's `default_root_dir`. They are Lightning checkpoints with thexp's names and a JSON
    sidecar each: ``0000003.ckpt`` after three epochs, ``model.0000010.pth`` with the final weights.
    A save that fails, as on a full disk, is one warning; training goes on. With `fast_dev_run`
    nothing is saved.

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
        self._logger: RunLogger | None = None
        self._saved_epoch = 0
        # Lightning reads it for ``ckpt_path="best"``, and sets it after a spawned training
        self.best_model_path = ""
        self._tolerant = Tolerant("the training")

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Open the Saver where the run's modules lie."""
        settle_rank(trainer)
        if stage != "fit":
            return
        self.saver, self._logger = None, find_run_logger(trainer)
        if trainer.fast_dev_run or not trainer.is_global_zero:  # type: ignore[attr-defined]
            return
        if self._logger is None:
            self.saver = Saver(Path(trainer.default_root_dir) / "modules", self.max_to_keep)
        else:
            folder = self._logger.experiment.hold_exp_part("modules", [".ckpt", ".pth"])
            self.saver = Saver(folder, self.max_to_keep, run_key=self._logger.version)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Take the epoch from which training goes on as saved."""
        self._saved_epoch = completed_epochs(trainer)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Save a checkpoint where this epoch is due."""
        if completed_epochs(trainer) % self.every_n_epochs == 0:
            self._save_checkpoint(trainer)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Save the last epoch, where that is still to be done, and the final weights."""
        if completed_epochs(trainer) != self._saved_epoch:
            self._save_checkpoint(trainer)
        state = weights_state(trainer)
        if self.saver is not None:
            save = partial(self.saver.save_model, replacement=True)
            self._tolerant(self._save, save, trainer, state)

    def _save_checkpoint(self, trainer: pl.Trainer) -> None:
        self._saved_epoch = completed_epochs(trainer)
        # Here, and on all ranks: a fault in what others put into the checkpoint is none of ours.
        state = full_state(trainer)
        if self.saver is not None:
            path = self._tolerant(self._save, self.saver.save_checkpoint, trainer, state)
            self.best_model_path = self.best_model_path if path is None else str(path)

    def _save(self, save: Callable[..., Path], trainer: pl.Trainer, state: dict[str, Any]) -> Path:
        path = save(
            completed_epochs(trainer), state, sidecar_info(trainer), step=completed_batches(trainer)
        )
        if self._logger is not None:
            self._logger.log_checkpoint(path)
        return path
