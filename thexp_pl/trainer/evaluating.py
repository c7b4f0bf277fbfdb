"""Evaluating, testing and predicting, as methods of the facade Trainer."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

from thexp_pl.callbacks.progress import last_epoch, last_step
from thexp_pl.errors import TrainerError
from thexp_pl.meter import Meter
from thexp_pl.rnd import isolate
from thexp_pl.trainer.checkpoints import TrainerCheckpoints
from thexp_pl.trainer.evaluation import AsGiven, evaluate
from thexp_pl.trainer.loaders import whole
from thexp_pl.trainer.processes.launchers import in_this_process
from thexp_pl.trainer.quiet import quiet_lightning
from thexp_pl.trainer.results import numbers

__all__ = ["TrainerEvaluation"]


class TrainerEvaluation(TrainerCheckpoints):
    """`eval`, `test` and `predict_all`, and what a subclass writes for them."""

    def test_eval_logic(self, dataloader: Iterable[Any], params: Any) -> Meter | None:
        """Evaluate on all batches of a loader; called in eval mode and without gradients.

        Args:
            dataloader: The `eval` or `test` loader; its batches arrive on the device.
            params: The trainer's parameters.

        Returns:
            The values to record, as ``eval_<name>`` or ``test_<name>``.
        """
        raise TrainerError(
            f"{type(self).__name__} needs a method test_eval_logic(self, dataloader, params)"
        )

    def predict(self, batch_data: Any) -> Any:
        """Give the prediction for one batch; called in eval mode and without gradients.

        Args:
            batch_data: What the loader gave, already on the device.
        """
        raise TrainerError(f"{type(self).__name__} needs a method predict(self, batch_data)")

    def eval(self) -> Meter | None:
        """Evaluate on the `eval` loader and record the values as ``eval_<name>``."""
        return self._evaluate_and_record("eval")

    def test(self) -> Meter | None:
        """Evaluate on the `test` loader and record the values as ``test_<name>``."""
        return self._evaluate_and_record("test")

    def evaluate(self, stage: str) -> dict[str, float]:
        """Run `test_eval_logic` on the loader of a stage and show the values; nothing is recorded.

        Args:
            stage: ``"eval"`` or ``"test"``.

        Returns:
            The numbers, as ``eval_<name>`` or ``test_<name>``; none (with a line in the log) where
            there is no such logic or loader.
        """
        meter = self._calls.tell(stage, partial(self._evaluate, stage), (), {})
        return {} if meter is None else numbers(meter, stage)

    def _evaluate(self, stage: str) -> Meter | None:
        if type(self).test_eval_logic is TrainerEvaluation.test_eval_logic:
            self._say_once(f"no evaluation: {type(self).__name__} has no test_eval_logic")
            return None
        if stage not in self._loaders:
            self._say_once(f"{stage} is skipped: no '{stage}' loader was registered")
            return None
        option = "limit_val_batches" if stage == "eval" else "limit_test_batches"
        if vars(self.lightning_trainer)[option] == 0:
            self._say_once(f"{stage} is skipped: {option}=0")
            return None
        meter = evaluate(self, stage)
        if len(meter):
            self.logger.info(meter, prefix=stage)
        else:
            self._say_once(f"{stage} gave no values")
        return meter

    def _evaluate_and_record(self, stage: str) -> Meter | None:
        meter = self._evaluate(stage)
        if meter is not None:
            lightning = self.lightning_trainer
            values = {**numbers(meter, stage), "epoch": last_epoch(lightning)}
            for logger in lightning.loggers:
                logger.log_metrics(values, last_step(lightning))
                logger.save()
                if lightning.state.finished:  # Lightning itself finalizes what runs in a fit
                    logger.finalize("success")
        return meter

    def predict_all(self) -> list[Any]:
        """Give `predict` for every batch of the `predict` loader, or else of the `test` loader.

        With several devices each process predicts the whole, unless the loader has a
        DistributedSampler, or other means of its own to give shares; with ``ddp_spawn`` and
        ``ddp_fork`` this process predicts alone. What it draws is not missing from the training.
        """
        lightning, module = self.lightning_trainer, self.module
        given = self._loader("predict" if "predict" in self._loaders else "test")
        with in_this_process(lightning), isolate(), quiet_lightning():
            loader = AsGiven(whole(given, lightning.world_size))
            found = lightning.predict(module, dataloaders=loader, return_predictions=True)
        return list(found or [])
