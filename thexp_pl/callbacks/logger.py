"""The console line of a training."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl

from thexp_pl.callbacks.hook import Hookable
from thexp_pl.callbacks.meter import MeterCallback
from thexp_pl.callbacks.refusals import refuse_twin
from thexp_pl.console import Logger

__all__ = ["LoggerCallback"]


class LoggerCallback(Hookable, pl.Callback):
    """Shows one line an epoch, redrawn in place: ``1/10 | 44/44 | @loss=0.3127(0.4815)``.

    Epochs and batches count from 1; the values are those of the `MeterCallback`, or else
    Lightning's progress bar metrics. In the facade the line also goes to the run's log file.
    """

    def __init__(self) -> None:
        self._logger: Logger | None = None
        self._is_open = False

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Take the facade's console Logger, or one of its own."""
        refuse_twin(trainer)
        facade = getattr(pl_module, "facade", None)
        self._logger = Logger() if facade is None else facade.logger

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Show the batch; the text is made only when the line is drawn."""
        if self._logger is not None and trainer.is_global_zero:
            self._is_open = True
            self._logger.inline(_Line(trainer, batch_idx))

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """End the line, once every callback has seen the last batch."""
        self._end_line()

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        """End the line, so that a traceback begins on a line of its own."""
        self._end_line()

    def _end_line(self) -> None:
        if self._logger is not None and self._is_open:
            self._is_open = False
            self._logger.newline()


class _Line:
    """The text of one batch, made when it is drawn."""

    def __init__(self, trainer: pl.Trainer, batch_idx: int) -> None:
        self._trainer = trainer
        self._epoch = trainer.current_epoch
        self._batch_idx = batch_idx

    def __str__(self) -> str:
        batches, epochs = self._trainer.num_training_batches, self._trainer.max_epochs
        of_batches = f"/{batches}" if batches != float("inf") else ""
        of_epochs = f"/{epochs}" if epochs not in (None, -1) else ""
        head = f"{self._epoch + 1}{of_epochs} | {self._batch_idx + 1}{of_batches}"
        return f"{head} | {_values(self._trainer)}"


def _values(trainer: pl.Trainer) -> str:
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        if isinstance(callback, MeterCallback) and len(callback.average):
            return str(callback.average)
    metrics = trainer.progress_bar_metrics
    return "  ".join(f"@{name}={value:.4f}" for name, value in metrics.items())
