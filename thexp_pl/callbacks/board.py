"""Values of single batches in TensorBoard."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import pytorch_lightning as pl
import torch

from thexp_pl.callbacks.hook import Hookable
from thexp_pl.errors import UsageError, near_miss
from thexp_pl.loggers import RunLogger, find_run_logger
from thexp_pl.meter import Meter
from thexp_pl.meter.values import number_of

__all__ = ["BoardCallback"]


class BoardCallback(Hookable, pl.Callback):
    """Shows values of single batches in TensorBoard, on the board of the recorded run.

    The values are those of the Meter that `train_batch` or a training step returns, or else of the
    dict that a training step returns. They go to the board alone, not into ``metrics.csv``; a value
    on a device is read later, in the board's own thread. On several devices they are rank 0's.

    Args:
        every_n_steps: Show every n-th batch, counted over all epochs; None: as often as the Trainer
            logs, ``log_every_n_steps``. Each batch costs the more, the smaller the model is.

    Raises:
        UsageError: It is no number of batches; when a fit begins, that the run has no board.

    >>> callback = BoardCallback(10).watch_scalar("loss").watch_scalars("part", ["l1", "l2"])
    >>> callback.tags
    {'batch/loss': 'loss', 'part/l1': 'l1', 'part/l2': 'l2'}

    Source: thexp's ``BoardCallback``.
    """

    def __init__(self, every_n_steps: int | None = None) -> None:
        if every_n_steps is not None and (type(every_n_steps) is not int or every_n_steps < 1):
            raise UsageError(f"every_n_steps must be 1 or more, or None, not {every_n_steps!r}")
        self.every_n_steps = every_n_steps
        self.tags: dict[str, str] = {}  # the value of each curve
        self._logger: RunLogger | None = None
        self._known: set[str] = set()  # the names of all values so far
        self._told: set[str] = set()

    def watch_scalar(self, name: str, tag: str | None = None) -> BoardCallback:
        """Show a value as a curve.

        Args:
            name: The value, such as ``"loss"``.
            tag: The curve; by default ``batch/<name>``, apart from the means of epochs.

        Returns:
            This callback.
        """
        self.tags[f"batch/{name}" if tag is None else tag] = name
        return self

    def watch_scalars(self, main_tag: str, names: Iterable[str]) -> BoardCallback:
        """Show values as curves beside each other, ``<main_tag>/<name>``.

        Args:
            main_tag: What they are shown under.
            names: The values.

        Returns:
            This callback.
        """
        for name in [names] if isinstance(names, str) else names:
            self.watch_scalar(name, f"{main_tag}/{name}")
        return self

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Find the board."""
        self._logger = None
        if trainer.fast_dev_run or not trainer.is_global_zero:  # type: ignore[attr-defined]
            return
        logger = find_run_logger(trainer)
        if logger is None:
            raise UsageError(
                "BoardCallback shows values on the board of a recorded run, and nothing records: "
                "add a RunLogger to the Trainer's loggers"
            )
        if logger.board is None:
            raise UsageError("BoardCallback: the run has no board; leave board=False out")
        self._logger = logger

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Show the values of a batch that is due."""
        every: int = self.every_n_steps or trainer.log_every_n_steps  # type: ignore[attr-defined]
        step: int = trainer.fit_loop.total_batch_idx
        if self._logger is None or not every or (step + 1) % every:
            return
        found = _values(outputs)
        self._known.update(found)
        named = {tag: _scalar(found.get(name)) for tag, name in self.tags.items()}
        shown: dict[str, Any] = {tag: value for tag, value in named.items() if value is not None}
        run = self._logger.experiment
        if shown and run.is_open and self._logger.board is not None:
            self._logger.board.add_scalars(run, step, shown)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Tell, once each, of values that no batch had."""
        missing = {*self.tags.values()} - self._known - self._told if self._known else set()
        for name in sorted(missing):
            known = sorted(self._known)
            warnings.warn(
                f"BoardCallback watches {name!r}, which no batch has ({', '.join(known)})"
                f"{near_miss(name, known)}",
                UserWarning,
                stacklevel=2,
            )
        self._told |= missing

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_logger": None}  # found again where a fit begins


def _values(outputs: Any) -> Mapping[str, Any]:
    if not isinstance(outputs, Mapping):
        return {"loss": outputs} if isinstance(outputs, torch.Tensor) else {}
    meter = outputs.get("meter")
    return dict(meter.items()) if isinstance(meter, Meter) else outputs


def _scalar(value: Any) -> Any:
    """Give a tensor of one element as it lies on its device, a number, or None."""
    if isinstance(value, torch.Tensor) and value.numel() == 1 and not value.is_complex():
        return value.detach()
    return number_of(value)
