"""The averages of the Meters that training steps return."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytorch_lightning as pl
import torch

from thexp_pl.callbacks.gather import gathered, has_failed
from thexp_pl.callbacks.hook import Hookable
from thexp_pl.errors import CheckpointError
from thexp_pl.meter import AvgMeter, Meter
from thexp_pl.saver.sidecar import world_size

__all__ = ["MeterCallback"]


class MeterCallback(Hookable, pl.Callback):
    """Averages the Meter of every training step, without a `self.log` and without a host sync.

    A training step returns ``{"loss": loss, "meter": meter}``; the facade's does so by itself. The
    means over the epoch, each step weighted by its batch size, are logged once at the epoch's end
    under the Meter's names and so reach `trainer.callback_metrics` and every logger. Every
    `log_every_n_steps` batches, counted over all epochs, the loggers also get the values of that
    step, as ``<name>_step``.

    The batch size is the length of the first tensor in the batch that has one, whatever tuples,
    lists and dicts it lies in; without any, each step counts alike. On several devices each rank
    has the means of its own batches; they are not reduced over ranks.

    The sums of an epoch in progress go into each checkpoint, and a training that goes on from it
    ends the epoch with the same means; with fewer ranks than were saved, each goes on with the sums
    of several.
    """

    def __init__(self) -> None:
        self.average = AvgMeter()
        self._trainer: pl.Trainer | None = None

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Note whose checkpoints these sums go into."""
        self._trainer = trainer

    def state_dict(self) -> dict[str, Any]:
        """Give the sums of every rank; where an error ends the training, of this one only.

        Returns:
            ``ranks``: by rank the `AvgMeter.state_dict`. Empty before a fit.
        """
        if self._trainer is None:
            return {}
        own, rank = self.average.state_dict(), self._trainer.global_rank
        return {"ranks": gathered(own, rank, alone=has_failed(self._trainer))}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on with the sums of an epoch; the start of another one resets them."""
        saved = state_dict.get("ranks")
        if self._trainer is None or not isinstance(saved, Mapping):
            raise CheckpointError(
                "the checkpoint's state of MeterCallback is none that it saves; load a checkpoint "
                "that it was in"
            )
        self.average.reset()
        for rank, sums in sorted(saved.items()):
            if rank % world_size() == self._trainer.global_rank:
                one = AvgMeter()
                one.load_state_dict(sums)
                self.average.merge(one)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begin the epoch's means at nothing."""
        self.average.reset()

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Count the Meter of one step."""
        meter = outputs.get("meter") if isinstance(outputs, Mapping) else None
        if not isinstance(meter, Meter):
            return
        self.average.update(meter, weight=_batch_size(batch) or 1)
        # counted over all epochs: an epoch may be shorter than the interval
        step: int = trainer.fit_loop.total_batch_idx
        interval: int = trainer.log_every_n_steps  # type: ignore[attr-defined]  # set elsewhere
        if trainer.loggers and interval and (step + 1) % interval == 0:
            values = {f"{name}_step": float(value) for name, value in meter.numeral_items()}
            for logger in trainer.loggers:
                logger.log_metrics({**values, "epoch": trainer.current_epoch}, step)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Hand the epoch's means to Lightning."""
        pl_module.log_dict(self.average.means())


def _batch_size(batch: Any) -> int | None:
    if isinstance(batch, torch.Tensor):
        return len(batch) if batch.ndim else None
    if isinstance(batch, Mapping):
        batch = list(batch.values())
    if isinstance(batch, (list, tuple)):
        sizes = (_batch_size(part) for part in batch)
        return next((size for size in sizes if size is not None), None)
    return None
