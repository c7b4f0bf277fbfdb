"""The thexp-style Trainer: `train_batch` and its kin, run by a Lightning Trainer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ProgressBar

from thexp_pl.callbacks import EvalCallback, LoggerCallback, NotebookCallback, SaverCallback
from thexp_pl.callbacks.progress import completed_batches, completed_epochs
from thexp_pl.errors import TrainerError
from thexp_pl.meter import Meter
from thexp_pl.params import BaseParams, Params
from thexp_pl.record.ending import status_of
from thexp_pl.record.output import in_notebook
from thexp_pl.trainer.asked.devices import device_options
from thexp_pl.trainer.asked.options import check_options, listed, with_own_callbacks
from thexp_pl.trainer.clipping import TrainerClipping
from thexp_pl.trainer.mixins import check_order, params_class_of
from thexp_pl.trainer.processes.launchers import use_own_launcher
from thexp_pl.trainer.processes.world import connect, failing_together
from thexp_pl.trainer.quiet import quiet_lightning
from thexp_pl.trainer.run import Run, start_run
from thexp_pl.trainer.shortfall import why_short

__all__ = ["Trainer"]


class Trainer(TrainerClipping):
    """A training in thexp's style; Lightning runs the loop.

    Subclass it and write `initial_trainer` and `train_batch`; the latter calls
    ``loss.backward()``, ``optim.step()`` and ``optim.zero_grad()`` itself. Every attribute that is
    a module, an optimizer, a tensor, an array, a number or has a `state_dict` is moved to the
    device and stored in checkpoints, and so are lists and dicts of such, though only modules are
    moved in these; names with a leading underscore are left alone.

    Args:
        params: The parameters; if None those of the class that `initial_trainer` names
            (``params: MyParams``), else ``Params()``.
        **options: Options of `pytorch_lightning.Trainer`. `callbacks` and `logger` are added to
            the trainer's own; `max_epochs` sets ``params.epoch``; `accelerator` must agree with
            ``params.device``.

    Raises:
        TrainerError: If the parameters are no Params; for an unknown option; for one under which a
            user-written backward would silently go wrong or which `train_batch` does by hand.

    Source: thexp's ``Trainer``.
    """

    def __init__(self, params: BaseParams | None = None, **options: Any) -> None:
        check_order(type(self), Trainer)
        check_options(options)
        params = self.params_class()() if params is None else params
        if not isinstance(params, Params):
            raise TrainerError(
                f"params: a {type(params).__name__} has no epoch, device and progress; give a "
                "thexp_pl.Params"
            )
        super().__init__(params, options)

    # -- what a subclass writes ------------------------------------------------------------------

    def initial_trainer(self, params: Any) -> None:
        """Make models, optimizers and data, as attributes and by `regist_databundler`.

        A mixin writes its part and calls ``super().initial_trainer(params)``.

        Args:
            params: The trainer's parameters.
        """
        if type(self).initial_trainer is Trainer.initial_trainer:
            name = type(self).__name__
            raise TrainerError(f"{name} needs a method initial_trainer(self, params)")

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

    def initial_callback(self) -> None:
        """Hook the callbacks; override it to replace these two."""
        EvalCallback(1, 5).hook(self)
        LoggerCallback().hook(self)

    # -- setting up ------------------------------------------------------------------------------

    def initial_exp(
        self, exps_dir: str | Path = "./experiment", name: str | None = None, **record: Any
    ) -> None:
        """Start the recorded run: its folder, logger and saver, then the callbacks and the trainer.

        Args:
            exps_dir: The root folder of the experiments.
            name: The experiment; by default the name that ``params.build_exp_name`` made, else
                the class's.
            **record: What else `RunLogger` takes: ``board``, ``code``, ``project``,
                ``max_file_mb``, ``console``, ``strict``.

        Raises:
            RecordError: If the folder cannot be made or the name cannot be a folder's.
            TrainerError: If the run has already begun.
            UsageError: If the device is not on this machine or contradicts `accelerator`, or there
                is no such option of a record.
        """
        if self._run is not None:
            raise TrainerError("initial_exp was already called; a trainer records one run")
        if self._options.get("max_epochs") is not None:
            self.params.epoch = self._options["max_epochs"]
        devices = device_options(self.params, self._options)
        connect(devices, self.params, self._options.get("plugins"))
        name = name or self._experiment_name()
        self._run = start_run(self.params, exps_dir, name, record, devices)
        try:
            with failing_together():
                self._set_up(self._run, devices)
        except BaseException as error:
            self._run.experiment.finish(status_of(error), error)
            raise

    def _set_up(self, run: Run, devices: dict[str, Any]) -> None:
        if in_notebook():
            NotebookCallback().hook(self)
        self.initial_callback()
        self._settle_callbacks(listed(self._options.get("callbacks")))
        for callback in self._callbacks:
            if isinstance(callback, SaverCallback) and run.is_recorded_here:  # both keep the same
                run.saver = callback.open_saver(
                    run.saver.dir, run.experiment.key, rows=run.experiment.kept_rows
                )
        run.module = self._make_module(run)
        with quiet_lightning():
            run.lightning = self._lightning_trainer(run, devices)
        # as Lightning when a fit begins; what is loaded or evaluated before is of its type then
        run.lightning.precision_plugin.convert_module(run.module)
        use_own_launcher(run.lightning)

    @classmethod
    def params_class(cls) -> type[BaseParams]:
        """Give the Params class that `initial_trainer` names: ``params: MyParams``; else `Params`.

        Where several mixins each name one, it is one class with the parameters of all.

        Raises:
            UsageError: If an annotation cannot be read.
            ParamsError: If the mixins' Params contradict one another.
        """
        return params_class_of(cls, Trainer)

    def _experiment_name(self) -> str:
        has_name = self.params.has_exp_name()
        return self.params.get_exp_name() if has_name else type(self).__name__

    def _lightning_trainer(self, run: Run, devices: dict[str, Any]) -> pl.Trainer:
        options = {name: value for name, value in self._options.items() if value is not None}
        defaults = {
            "enable_progress_bar": any(isinstance(one, ProgressBar) for one in self._callbacks),
            "enable_model_summary": False,
            "num_sanity_val_steps": 0,
        }
        settled = {
            **devices,
            "max_epochs": self._epochs(),
            "logger": [run.run_logger, *listed(options.get("logger"))],
            "callbacks": with_own_callbacks(
                self._callbacks, saves=options.get("enable_checkpointing") is not False
            ),
        }
        return pl.Trainer(**{**defaults, **options, **settled})

    # -- running ---------------------------------------------------------------------------------

    def train(self) -> None:
        """Train until ``params.epoch`` epochs are done, going on from a loaded checkpoint.

        In a notebook its curves are drawn in the cell, and the kernel's interrupt has it pause
        after the batch that runs; the next `train` then goes on as if nothing had come between.

        Raises:
            TrainerError: If `initial_exp` was not called, no `train` loader was registered, or
                `train_batch` returns what is no Meter.
            TrainingInterruptedError: In a notebook, that it was interrupted; a KeyboardInterrupt.
        """
        self._go_on_as_told()
        lightning, epochs = self.lightning_trainer, self._epochs()
        done = completed_epochs(lightning)
        if -1 != epochs <= done and not lightning.fast_dev_run:  # type: ignore[attr-defined]  # set elsewhere
            self.logger.info(f"nothing is left to train: {done} of {epochs} epochs are done")
        before = completed_batches(lightning)
        self._fit(epochs)
        if completed_batches(lightning) == before and not -1 != epochs <= done:
            self.logger.info(f"no batch was trained: {why_short(lightning)}")
