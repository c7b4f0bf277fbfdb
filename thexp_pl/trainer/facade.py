"""The thexp-style Trainer: `train_batch` and its kin, run by a Lightning Trainer."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_type_hints

import pytorch_lightning as pl
import torch

from thexp_pl.callbacks import EvalCallback, LoggerCallback, SaverCallback
from thexp_pl.errors import TrainerError, UsageError
from thexp_pl.meter import Meter
from thexp_pl.params import BaseParams, Params
from thexp_pl.record.ending import status_of
from thexp_pl.trainer.checkpoint_state import settle_progress
from thexp_pl.trainer.devices import device_options
from thexp_pl.trainer.flow import TrainerFlow
from thexp_pl.trainer.module import TrainBatchModule
from thexp_pl.trainer.options import check_options, listed, with_own_callbacks
from thexp_pl.trainer.quiet import quiet_lightning
from thexp_pl.trainer.run import Run, start_run
from thexp_pl.trainer.world import check_restart, connect

__all__ = ["Trainer"]


class Trainer(TrainerFlow):
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

    Raises:
        TrainerError: If the parameters are no Params; for an unknown option; for one under which a
            user-written backward would silently go wrong (several devices, float16 mixed
            precision) or which `train_batch` does by hand.

    Source: thexp's ``Trainer``.
    """

    def __init__(self, params: BaseParams | None = None, **options: Any) -> None:
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
        connect(devices, self.params)
        name = name or self._experiment_name()
        self._run = start_run(self.params, exps_dir, name, record, devices)
        try:
            self._set_up(self._run, devices)
        except BaseException as error:
            self._run.experiment.finish(status_of(error), error)
            raise

    def _set_up(self, run: Run, devices: dict[str, Any]) -> None:
        self.initial_callback()
        given = listed(self._options.get("callbacks"))
        taken = {type(callback) for callback in given}
        self._callbacks = [one for one in self._callbacks if type(one) not in taken] + given
        for callback in self._callbacks:
            if isinstance(callback, SaverCallback) and run.is_recorded_here:  # both keep the same
                run.saver = callback.open_saver(run.saver.dir, run.experiment.key)
        self.initial_trainer(self.params)
        run.module = TrainBatchModule(self, run)
        run.module.adopt()
        with quiet_lightning():
            run.lightning = self._lightning_trainer(run, devices)

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

    def _lightning_trainer(self, run: Run, devices: dict[str, Any]) -> pl.Trainer:
        options = {name: value for name, value in self._options.items() if value is not None}
        defaults = {
            "enable_progress_bar": False,
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

    def _epochs(self) -> int:
        epochs = self.params.epoch
        if type(epochs) is not int or epochs < -1:
            raise TrainerError(f"epoch={epochs!r}: give a number of epochs, or -1 for no end")
        return epochs

    # -- running ---------------------------------------------------------------------------------

    def train(self) -> None:
        """Train until ``params.epoch`` epochs are done, going on from a loaded checkpoint.

        Raises:
            TrainerError: If `initial_exp` was not called, no `train` loader was registered, or
                `train_batch` returns what is no Meter.
        """
        lightning, module, loader = self.lightning_trainer, self.module, self.train_dataloader
        check_restart(lightning)
        if not lightning.fast_dev_run:  # type: ignore[attr-defined]  # set elsewhere
            lightning.fit_loop.max_epochs = self._epochs()
        if self.experiment.is_open:  # else the first value that is logged is one warning
            self.experiment.params = self.params.settings()
        try:
            with quiet_lightning():
                lightning.fit(module, train_dataloaders=loader)
        except BaseException:
            settle_progress(lightning)
            raise
        finally:
            module.release_optimizers()
        self._show_progress()
