"""The thexp-style Trainer: `train_batch` and its kin, run by a Lightning Trainer."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, get_type_hints

import pytorch_lightning as pl
import torch

from thexp_pl.callbacks import EvalCallback, LoggerCallback, MeterCallback, SaverCallback
from thexp_pl.console import Logger
from thexp_pl.errors import TrainerError, UsageError
from thexp_pl.loggers import RunLogger
from thexp_pl.meter import Meter
from thexp_pl.params import BaseParams, Params
from thexp_pl.record import Experiment
from thexp_pl.rnd import RndManager
from thexp_pl.saver import Saver
from thexp_pl.trainer.checkpoints import TrainerCheckpoints
from thexp_pl.trainer.devices import device_options, refuse_unsupported
from thexp_pl.trainer.evaluation import evaluate
from thexp_pl.trainer.module import TrainBatchModule
from thexp_pl.trainer.parts import Run
from thexp_pl.trainer.quiet import quiet_lightning

__all__ = ["Trainer"]


class Trainer(TrainerCheckpoints):
    """A training in thexp's style; Lightning runs the loop.

    Subclass it and write `initial_trainer` and `train_batch`; the latter calls
    ``loss.backward()``, ``optim.step()`` and ``optim.zero_grad()`` itself. Every attribute that is
    a module, an optimizer, a tensor, an array, a number or has a `state_dict` is moved to the
    device and stored in checkpoints; names with a leading underscore are left alone.

    Args:
        params: The parameters; if None those of the class that `initial_trainer` names
            (``params: MyParams``), else ``Params()``.
        **options: Options of `pytorch_lightning.Trainer`. `callbacks` and `logger` are added to
            the trainer's own; `max_epochs` sets ``params.epoch``; `accelerator` must agree with
            ``params.device``.

    Source: thexp's ``Trainer``.
    """

    def __init__(self, params: BaseParams | None = None, **options: Any) -> None:
        super().__init__(self.params_class()() if params is None else params, **options)

    # -- what a subclass writes ------------------------------------------------------------------

    def initial_trainer(self, params: Any) -> None:
        """Make models, optimizers and data, as attributes and by `regist_databundler`.

        Args:
            params: The trainer's parameters.
        """
        raise TrainerError(f"{type(self).__name__} needs a method initial_trainer(self, params)")

    def train_batch(
        self,
        eidx: int,
        idx: int,
        global_step: int,
        batch_data: Any,
        params: Any,
        device: torch.device,
    ) -> Meter | dict[str, Any] | None:
        """Train on one batch: forward, backward, step.

        Args:
            eidx: The epoch, from 1.
            idx: The batch of the epoch, from 0.
            global_step: The batch of the training, from 0.
            batch_data: What the loader gave, already on the device.
            params: The trainer's parameters.
            device: The device.

        Returns:
            The values to record.
        """
        raise TrainerError(
            f"{type(self).__name__} needs a method "
            "train_batch(self, eidx, idx, global_step, batch_data, params, device)"
        )

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

    def initial_callback(self) -> None:
        """Hook the callbacks; override it to replace these two."""
        EvalCallback(1, 5).hook(self)
        LoggerCallback().hook(self)

    # -- setting up ------------------------------------------------------------------------------

    def initial_exp(self, exps_dir: str | Path = "./experiment", name: str | None = None) -> None:
        """Start the recorded run: its folder, logger and saver, then the callbacks and the trainer.

        Args:
            exps_dir: The root folder of the experiments.
            name: The experiment; by default the name that ``params.build_exp_name`` made, else
                the class's.

        Raises:
            RecordError: If the folder cannot be made or the name cannot be a folder's.
            TrainerError: If the run has already begun, or for options under which a user-written
                backward would silently go wrong: several devices, float16 mixed precision.
            UsageError: If the device is not on this machine or contradicts `accelerator`.
        """
        if self._run is not None:
            raise TrainerError("initial_exp was already called; a trainer records one run")
        refuse_unsupported(self._options)
        if self._options.get("max_epochs") is not None:
            self.params.epoch = self._options["max_epochs"]
        devices = device_options(self.params, self._options)
        self._run = self._start_run(Experiment(exps_dir, name or self._experiment_name()))
        self.initial_callback()
        self.initial_trainer(self.params)
        self._run.module = TrainBatchModule(self)
        self._run.module.adopt()
        with quiet_lightning():
            self._run.lightning = self._lightning_trainer(devices)

    @classmethod
    def params_class(cls) -> type[BaseParams]:
        """Give the Params class that `initial_trainer` names: ``params: MyParams``; else `Params`.

        Raises:
            UsageError: If the annotation cannot be read.
        """
        try:
            hint = get_type_hints(cls.initial_trainer).get("params")
        except NameError as error:
            raise UsageError(f"{cls.__name__}.initial_trainer: {error}; import it") from None
        return hint if isinstance(hint, type) and issubclass(hint, BaseParams) else Params

    def _experiment_name(self) -> str:
        has_name = self.params.has_exp_name()
        return self.params.get_exp_name() if has_name else type(self).__name__

    def _start_run(self, experiment: Experiment) -> Run:
        experiment.params = self.params.settings()
        logs = experiment.hold_exp_part("logs", [".log"])
        modules = experiment.hold_exp_part("modules", [".ckpt", ".pth"])
        states = experiment.hold_exp_part("rnd", [".pt"])
        experiment.start_exp()
        logger = Logger()
        logger.add_log_dir(logs)
        return Run(experiment, logger, Saver(modules, run_key=experiment.key), RndManager(states))

    def _lightning_trainer(self, devices: dict[str, Any]) -> pl.Trainer:
        options = {name: value for name, value in self._options.items() if value is not None}
        callbacks = [*self._callbacks, *_listed(options.pop("callbacks", None))]
        loggers = [one for one in _listed(options.pop("logger", None)) if one is not True]
        taken = {type(callback) for callback in callbacks}
        # the means must be there before anything else at the epoch's end reads them
        own: list[pl.Callback] = [MeterCallback()]
        if options.get("enable_checkpointing") is not False:
            own.append(SaverCallback())
        defaults = {
            "enable_progress_bar": False,
            "enable_model_summary": False,
            "num_sanity_val_steps": 0,
        }
        settled = {
            **devices,
            "max_epochs": self.params.epoch,
            "logger": [RunLogger(experiment=self.experiment), *loggers],
            "callbacks": [*(one for one in own if type(one) not in taken), *callbacks],
        }
        return pl.Trainer(**{**defaults, **options, **settled})

    # -- running ---------------------------------------------------------------------------------

    def train(self) -> None:
        """Train until ``params.epoch`` epochs are done, going on from a loaded checkpoint."""
        run, lightning, module = self._started(), self.lightning_trainer, self.module
        lightning.fit_loop.max_epochs = self.params.epoch
        self.experiment.params = self.params.settings()
        resume_from, run.resume_from = run.resume_from, None
        try:
            with quiet_lightning():
                lightning.fit(
                    module, train_dataloaders=self.train_dataloader, ckpt_path=resume_from
                )
        finally:
            module.release_optimizers()
        self.params.eidx = lightning.current_epoch + 1

    def eval(self) -> Meter | None:
        """Evaluate on the `eval` loader and record the values as ``eval_<name>``."""
        return self._evaluate_and_record("eval")

    def test(self) -> Meter | None:
        """Evaluate on the `test` loader and record the values as ``test_<name>``."""
        return self._evaluate_and_record("test")

    def evaluate(self, stage: str) -> Meter | None:
        """Run `test_eval_logic` on the loader of a stage and show the values; nothing is recorded.

        Args:
            stage: ``"eval"`` or ``"test"``.

        Returns:
            The values, or None (with a line in the log) where there is no such logic or loader.
        """
        if type(self).test_eval_logic is Trainer.test_eval_logic:
            self._say_once(f"{stage} is skipped: {type(self).__name__} has no test_eval_logic")
            return None
        if stage not in self._loaders:
            self._say_once(f"{stage} is skipped: no '{stage}' loader was registered")
            return None
        meter = evaluate(self, self._loaders[stage])
        self.logger.info(meter, prefix=stage)
        return meter

    def _evaluate_and_record(self, stage: str) -> Meter | None:
        meter = self.evaluate(stage)
        if meter is not None:
            lightning = self.lightning_trainer
            values = {f"{stage}_{name}": float(value) for name, value in meter.numeral_items()}
            for logger in lightning.loggers:
                logger.log_metrics(
                    {**values, "epoch": lightning.current_epoch}, lightning.fit_loop.total_batch_idx
                )
        return meter

    def predict_all(self) -> list[Any]:
        """Give `predict` for every batch of the `predict` loader, or else of the `test` loader."""
        loader = self._loader("predict" if "predict" in self._loaders else "test")
        return list(self.lightning_trainer.predict(self.module, dataloaders=loader) or [])


def _listed(value: Any) -> list[Any]:
    if value is None or value is False:
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]
