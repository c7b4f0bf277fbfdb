"""The metric by which the best checkpoints are kept, and when it was measured."""

from __future__ import annotations

import warnings
from typing import Any

import pytorch_lightning as pl

from thexp_pl.callbacks.gather import has_failed
from thexp_pl.callbacks.progress import completed_batches, sidecar_info
from thexp_pl.errors import near_miss

__all__ = ["Monitored"]


class Monitored:
    """Keeps a metric out of what is said of a checkpoint that it was not measured for.

    `trainer.callback_metrics` holds a metric until it is logged anew: a checkpoint between two
    validations would be judged by weights that it does not hold.

    Args:
        name: The metric; None for none.
    """

    def __init__(self, name: str | None) -> None:
        self._name = name
        self._seen: Any = None
        self._measured_at: int | None = None
        self._told = False

    def note(self, trainer: pl.Trainer) -> None:
        """Take notice of the metric, where one may just have been measured."""
        # once it has failed, a mean that is reduced over ranks would wait for the others
        if self._name is not None and not has_failed(trainer):
            value = trainer.callback_metrics.get(self._name)
            if value is not self._seen:
                self._seen, self._measured_at = value, completed_batches(trainer)

    def measured(self, trainer: pl.Trainer) -> str | None:
        """Give the metric where it was measured at this very place."""
        self.note(trainer)
        return self._name if self._measured_at == completed_batches(trainer) else None

    def go_on(self, trainer: pl.Trainer, measured: object) -> None:
        """Take no metric that was restored from a checkpoint for one measured since.

        Args:
            trainer: The Trainer, right after the metrics were restored.
            measured: What `measured` gave for that checkpoint.
        """
        self.note(trainer)
        if self._name is None or measured != self._name:
            self._measured_at = None

    def info(self, trainer: pl.Trainer) -> dict[str, Any]:
        """Give what the sidecar of a checkpoint of now says."""
        measured, info = self.measured(trainer), sidecar_info(trainer)
        if self._name is not None and measured is None:
            info.pop(self._name, None)
        return info

    def warn_if_missing(self, trainer: pl.Trainer) -> None:
        """Tell, once, of a metric that is not logged by the end of an epoch."""
        known = list(trainer.callback_metrics)
        if self._name is None or self._name in known or self._told:
            return
        loop = trainer.fit_loop.epoch_loop
        if trainer.enable_validation and not loop._should_check_val_epoch():
            return  # a validation of a later epoch may log it
        self._told = True
        warnings.warn(
            f"monitor={self._name!r} is not among the metrics that are logged"
            f" ({', '.join(known) or 'there are none'}): no checkpoint is kept as the best"
            f"{near_miss(self._name, known)}",
            UserWarning,
            stacklevel=2,
        )
