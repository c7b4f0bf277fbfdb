"""The averages of the Meters that training steps return."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytorch_lightning as pl
import torch

from thexp_pl.callbacks.empty_hooks import call_again, pass_over
from thexp_pl.callbacks.gather import gathered, has_failed, log_alike
from thexp_pl.callbacks.hook import Hookable
from thexp_pl.callbacks.joined import computed, joined, metrics_in, numbers_of
from thexp_pl.callbacks.refusals import refuse_twin
from thexp_pl.errors import CheckpointError
from thexp_pl.meter import AvgMeter, Meter
from thexp_pl.saver.sidecar import world_size

__all__ = ["MeterCallback", "batch_size"]


class MeterCallback(Hookable, pl.Callback):
    """Averages the Meter of every training step, without a `self.log` and without a host sync.

    A training step returns ``{"loss": loss, "meter": meter}``; the facade's does so by itself. The
    means over the epoch, each step weighted by its batch size, are logged once at the epoch's end
    under the Meter's names and so reach `trainer.callback_metrics` and every logger. Every
    `log_every_n_steps` batches, counted over all epochs, the loggers also get the values of that
    step, as ``<name>_step``.

    The batch size is the length of the first tensor in the batch that has one, whatever tuples,
    lists and dicts it lies in; without any, each step counts alike.

    On several devices the means are those over all ranks, the same bits on each; a name that only
    some ranks have counts there. The values of single steps, and until the epoch's end the console
    line's means, are rank 0's own. A torchmetrics Metric synchronises by itself, and has to be in
    the Meters of every rank or of none.

    The sums of an epoch in progress go into each checkpoint, and a training that goes on from it
    ends the epoch with the same means; with fewer ranks than were saved, each goes on with the sums
    of several.
    """

    def __init__(self) -> None:
        self.average = AvgMeter()
        self._trainer: pl.Trainer | None = None

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Note whose checkpoints these sums go into."""
        refuse_twin(trainer)
        self._trainer = trainer
        if stage == "fit":
            pass_over(self, trainer)

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Have all hooks called again."""
        call_again(self)

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        """Have all hooks called again."""
        call_again(self)

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
        own = self._trainer.global_rank
        self.average.merge(
            joined(saved[rank] for rank in sorted(saved) if rank % world_size() == own)
        )

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
        self.average.update(meter, weight=batch_size(batch) or 1)
        # counted over all epochs: an epoch may be shorter than the interval
        step: int = trainer.fit_loop.total_batch_idx
        interval: int = trainer.log_every_n_steps  # type: ignore[attr-defined]  # set elsewhere
        is_due = interval and (step + 1) % interval == 0
        if is_due and trainer.loggers and trainer.is_global_zero:  # else a copy for nobody
            values = {f"{name}_step": float(value) for name, value in meter.numeral_items()}
            for logger in trainer.loggers:
                logger.log_metrics({**values, "epoch": trainer.current_epoch}, step)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Hand the epoch's means to Lightning, and take up what other ranks have counted.

        Raises:
            TrainerError: A Metric is in the Meters of some ranks only.
        """
        log_alike(pl_module, self._means_of_all(trainer.global_rank))

    def _means_of_all(self, rank: int) -> dict[str, float]:
        if world_size() == 1:
            return self.average.means()
        metrics = metrics_in(self.average)
        own = numbers_of(self.average)
        told = gathered({"sums": own, "metrics": sorted(metrics)}, rank, alone=False)
        for number, one in told.items():
            if number != rank:  # what is shown last stays this rank's
                last = {name: {"last": own[name]["last"]} for name in own}
                sums = {name: {**kept, **last.get(name, {})} for name, kept in one["sums"].items()}
                self.average.merge(joined([sums]))
        means = joined(told[number]["sums"] for number in sorted(told))
        means.update(computed(metrics, {number: one["metrics"] for number, one in told.items()}))
        return means.means()


def batch_size(batch: Any) -> int | None:
    """Give the length of the first tensor that has one; None where there is none.

    Args:
        batch: A batch, of tensors in whatever tuples, lists and dicts.
    """
    if isinstance(batch, torch.Tensor):
        return batch.shape[0] if batch.ndim else None
    if isinstance(batch, Mapping):
        batch = list(batch.values())
    if isinstance(batch, (list, tuple)):
        sizes = (batch_size(part) for part in batch)
        return next((size for size in sizes if size is not None), None)
    return None
