"""A SaverCallback that keeps the best checkpoint."""

from __future__ import annotations

from typing import Any, Literal

import pytorch_lightning as pl

from thexp_pl.callbacks.monitored import Monitored
from thexp_pl.callbacks.progress import completed_epochs
from thexp_pl.callbacks.saver import SaverCallback
from thexp_pl.errors import UsageError

__all__ = ["ModelCheckpoint"]


class ModelCheckpoint(SaverCallback):
    """Keeps the checkpoint of the epoch in which a metric was best, besides the newest ones.

    It is a `SaverCallback` that is told a metric, and takes its place: it saves after every epoch
    too, so that training can go on. The best one is what ``load_checkpoint("best")`` loads. In the
    facade it goes together with a TimingCheckpoint and with a SaverCallback; a plain Lightning
    Trainer takes one of the three, with all options.

    Args:
        monitor: The metric, such as ``"eval_loss"``.
        mode: Whether the smallest ("min") or the largest ("max") is the best; by default "min".
        lower: The same in thexp's word: True for "min".
        start_epoch: The first epoch, from 1, that can be the best.
        **options: What else `SaverCallback` takes.

    Raises:
        UsageError: An argument is none of these, or `lower` contradicts `mode`.

    >>> ModelCheckpoint("eval_loss", lower=False).mode
    'max'

    Source: thexp's ``ModelCheckpoint``.
    """

    def __init__(
        self,
        monitor: str,
        mode: Literal["min", "max"] | None = None,
        lower: bool | None = None,
        start_epoch: int = 1,
        **options: Any,
    ) -> None:
        if not isinstance(monitor, str):
            raise UsageError(f"monitor must be the name of a metric, not {monitor!r}")
        if lower not in (True, False, None):
            raise UsageError(f"lower must be True or False, not {lower!r}")
        if type(start_epoch) is not int or start_epoch < 0:
            raise UsageError(f"start_epoch must be the number of an epoch, not {start_epoch!r}")
        if mode is not None and lower is not None and lower != (mode == "min"):
            raise UsageError(f"lower={lower!r} contradicts mode={mode!r}: give one of them")
        if mode is None:
            mode = "max" if lower is False else "min"
        super().__init__(monitor=monitor, mode=mode, **options)
        self.start_epoch = start_epoch

    def _monitored(self) -> Monitored:
        return _MonitoredFrom(self.monitor, self.start_epoch)


class _MonitoredFrom(Monitored):
    """Keeps a metric out of the sidecars of epochs that cannot be the best.

    Args:
        name: The metric.
        start_epoch: The first epoch that can, from 1.
    """

    def __init__(self, name: str | None, start_epoch: int) -> None:
        super().__init__(name)
        self._start_epoch = start_epoch

    def measured(self, trainer: pl.Trainer) -> str | None:
        """Give the metric where it was measured at this very place, in an epoch that counts."""
        measured = super().measured(trainer)
        return measured if completed_epochs(trainer) >= self._start_epoch else None
