"""When the facade evaluates and tests."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl

from thexp_pl.callbacks.gather import log_alike
from thexp_pl.callbacks.hook import Hookable
from thexp_pl.callbacks.progress import completed_epochs
from thexp_pl.callbacks.refusals import refuse_twin
from thexp_pl.errors import TrainerError

__all__ = ["EvalCallback"]


class EvalCallback(Hookable, pl.Callback):
    """Evaluates every n-th and tests every m-th epoch, and at the end what the last epoch had not.

    The values are logged as ``eval_<name>`` and ``test_<name>``, so that EarlyStopping and
    ModelCheckpoint can monitor them; those of the very end, after the last epoch, are recorded.

    Args:
        eval_per_epoch: Evaluate after every epoch whose number (from 1) this divides; 0 never.
        test_per_epoch: Test after every epoch whose number this divides; 0 never.

    Raises:
        TrainerError: If these are no numbers of epochs.

    Source: thexp's ``EvalCallback``.
    """

    def __init__(self, eval_per_epoch: int = 1, test_per_epoch: int = 10) -> None:
        for value in (eval_per_epoch, test_per_epoch):
            if type(value) is not int or value < 0:
                raise TrainerError(
                    f"EvalCallback: {value!r} is not a number of epochs (0 for never)"
                )
        self._periods = {"eval": eval_per_epoch, "test": test_per_epoch}
        self._done_in_last_epoch: list[str] = []

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Refuse a LightningModule that is not the facade's."""
        refuse_twin(trainer)
        if not hasattr(pl_module, "facade"):
            raise TrainerError(
                f"EvalCallback needs the facade Trainer, not the plain {type(pl_module).__name__}; "
                "use the Lightning Trainer's check_val_every_n_epoch"
            )

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Evaluate or test where this epoch is due."""
        eidx = completed_epochs(trainer)
        self._done_in_last_epoch = [
            stage for stage, period in self._periods.items() if period and eidx % period == 0
        ]
        for stage in self._periods:
            if stage not in self._done_in_last_epoch:  # else what monitors it counts it once more
                for name in [
                    one for one in trainer.callback_metrics if one.startswith(f"{stage}_")
                ]:
                    del trainer.callback_metrics[name]
        for stage in self._done_in_last_epoch:
            log_alike(pl_module, _facade(pl_module).evaluate(stage))

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Do what the last epoch had not."""
        facade = _facade(pl_module)
        for stage, period in self._periods.items():
            if period and stage not in self._done_in_last_epoch:
                (facade.eval if stage == "eval" else facade.test)()


def _facade(pl_module: pl.LightningModule) -> Any:
    return pl_module.facade
