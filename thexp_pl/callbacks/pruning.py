"""Trainings that end early because other trials of a search did better."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import pytorch_lightning as pl

from thexp_pl.callbacks.after import after_module_hook
from thexp_pl.callbacks.gather import has_failed
from thexp_pl.callbacks.hook import Hookable
from thexp_pl.callbacks.progress import last_epoch, last_step
from thexp_pl.callbacks.refusals import refuse_twin
from thexp_pl.compare.metric import find_metric
from thexp_pl.errors import UsageError, near_miss
from thexp_pl.loggers import find_run_logger
from thexp_pl.sweeps.search.trial import swept_trial

__all__ = ["PruningCallback", "pruning_of_sweep"]


class _Trial(Protocol):
    def report(self, value: float, step: int) -> None: ...

    def should_prune(self) -> bool: ...


class PruningCallback(Hookable, pl.Callback):
    """Ends a training that does worse than other trials of its study did.

    At the end of each epoch in which the metric was measured, its last value is reported to the
    trial as that of the epoch; where the study's pruner says so, the training ends with that epoch
    as by EarlyStopping, and the record has an event ``pruned``. With several devices rank 0 asks
    and all end together. A fault of the study is one warning, and the training goes on.

    In a process of ``thexp-pl sweep --pruner ...`` there is one without being told.

    Args:
        trial: The `optuna.trial.Trial`.
        monitor: The metric, one of `trainer.callback_metrics`.

    Raises:
        UsageError: `monitor` is no name.

    Source: Optuna's ``PyTorchLightningPruningCallback``, which raises out of the training.
    """

    def __init__(self, trial: _Trial, monitor: str) -> None:
        if not isinstance(monitor, str) or not monitor:
            raise UsageError(f"monitor={monitor!r}: give the name of a metric")
        self.monitor = monitor
        self.is_pruned = False  # whether this training was ended
        self._trial: _Trial | None = trial
        self._seen: Any = None
        self._has_reported = False
        self._undo: list[Callable[[], None]] = []

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Refuse a second one."""
        refuse_twin(trainer)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Follow the module, which may log the metric in its own hook of an epoch's end."""
        self.is_pruned = self._has_reported = False
        self._undo = [
            after_module_hook(pl_module, "on_train_start", partial(self._note, trainer)),
            after_module_hook(pl_module, "on_train_epoch_end", partial(self._after_epoch, trainer)),
        ]

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Say so where there was nothing to go by."""
        if trainer.is_global_zero and not self._has_reported and self._trial is not None:
            known = list(trainer.callback_metrics)
            warnings.warn(
                f"monitor={self.monitor!r} was not measured: the metrics are"
                f" {', '.join(known) or 'none'}; nothing is pruned{near_miss(self.monitor, known)}",
                UserWarning,
                stacklevel=2,
            )

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Let go of the module."""
        while self._undo:
            self._undo.pop()()

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        """Let go of the module."""
        self.teardown(trainer, pl_module, "fit")

    def _note(self, trainer: pl.Trainer) -> None:
        """Take no metric that was restored from a checkpoint for one measured since."""
        self._seen = self._measured(trainer)

    def _measured(self, trainer: pl.Trainer) -> Any:
        metrics = trainer.callback_metrics
        try:
            return metrics[find_metric(self.monitor, metrics).name]
        except UsageError:
            return None

    def _after_epoch(self, trainer: pl.Trainer) -> None:
        if has_failed(trainer):
            return  # the other ranks are not to be waited for
        value = self._measured(trainer)  # on all ranks: a mean over them may be made now
        is_new = value is not None and value is not self._seen
        self._seen = value
        stops = is_new and trainer.is_global_zero and self._is_behind(trainer, float(value))
        if not trainer.strategy.reduce_boolean_decision(stops, all=False):
            return
        trainer.should_stop = True
        logger = find_run_logger(trainer)
        if trainer.is_global_zero and logger is not None and not self.is_pruned:
            logger.experiment.log_event(
                "pruned", step=last_step(trainer), epoch=last_epoch(trainer), value=float(value)
            )
        self.is_pruned = True

    def _is_behind(self, trainer: pl.Trainer, value: float) -> bool:
        if self._trial is None:
            return False
        try:
            self._trial.report(value, last_epoch(trainer))
            self._has_reported = True
            with warnings.catch_warnings():
                # numpy's, of a run whose values are all NaN: it is behind, and that says enough
                warnings.filterwarnings("ignore", "All-NaN slice", RuntimeWarning)
                return self._trial.should_prune()
        except Exception as error:  # noqa: BLE001 - whatever the study's storage raises
            self._trial = None
            warnings.warn(
                f"this training is not pruned: {type(error).__name__}: {error}",
                RuntimeWarning,
                stacklevel=2,
            )
            return False


def pruning_of_sweep() -> list[PruningCallback]:
    """Give the callback of a process that trains a trial of a sweep.

    Returns:
        One where the search prunes, else none.
    """
    trial = swept_trial()
    return [] if trial is None else [PruningCallback(trial, trial.settings.metric)]
