"""Running a training piece by piece, as methods of the facade Trainer."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Any

import torch
from lightning_fabric.utilities.optimizer import _optimizer_to_device
from pytorch_lightning.strategies.launchers import _MultiProcessingLauncher
from pytorch_lightning.trainer.states import TrainerStatus

from thexp_pl.callbacks.empty_hooks import passed_over
from thexp_pl.callbacks.progress import completed_batches, completed_epochs, full_state
from thexp_pl.callbacks.saver import LEFTOVERS_KEY
from thexp_pl.data import DataBundler
from thexp_pl.errors import CheckpointError, TrainerError, UsageError
from thexp_pl.meter import Meter
from thexp_pl.params import Params
from thexp_pl.trainer.evaluating import TrainerEvaluation
from thexp_pl.trainer.interrupting import Interruption
from thexp_pl.trainer.module import TrainBatchModule
from thexp_pl.trainer.pausing import pausing_after
from thexp_pl.trainer.processes.world import check_restart
from thexp_pl.trainer.quiet import quiet_lightning
from thexp_pl.trainer.results import as_meter
from thexp_pl.trainer.shortfall import begins_again, why_short
from thexp_pl.trainer.state.checkpoint_state import restore_progress, settle_progress
from thexp_pl.trainer.stepping.raw_steps import fresh_casts

__all__ = ["TrainerFlow"]


class TrainerFlow(TrainerEvaluation):
    """What runs a part of a training, and what ends one.

    Setting `train_epoch_toggle` ends the epoch after this batch: its means, evaluation and
    checkpoint are those of what was done. Setting `train_toggle` ends the training after this
    epoch; set both to end it after this batch. On several devices one rank's word counts for all.
    Either is False again once it is obeyed.

    Source: thexp's ``Trainer``.
    """

    def __init__(self, params: Params, options: dict[str, Any]) -> None:
        super().__init__(params, options)
        self._toggles = {"train_toggle": False, "train_epoch_toggle": False}
        self._modes: list[tuple[torch.nn.Module, bool]] = []  # before change_mode(False)
        self._failed_epoch: str | None = None  # to be said when an epoch that failed begins again

    @property
    def train_toggle(self) -> bool:
        """Whether the training ends after this epoch; True ends it."""
        return self._toggles["train_toggle"]

    @train_toggle.setter
    def train_toggle(self, value: bool) -> None:
        self._toggles["train_toggle"] = _checked("train_toggle", value)

    @property
    def train_epoch_toggle(self) -> bool:
        """Whether this epoch ends after this batch; True ends it."""
        return self._toggles["train_epoch_toggle"]

    @train_epoch_toggle.setter
    def train_epoch_toggle(self, value: bool) -> None:
        self._toggles["train_epoch_toggle"] = _checked("train_epoch_toggle", value)

    # -- batches ---------------------------------------------------------------------------------

    def train_step(self, steps: int) -> None:
        """Train a number of batches from where training stands, whatever ``params.epoch`` says.

        Afterwards training stands there, in the midst of an epoch perhaps, and the next `train` or
        `train_step` goes on as if nothing had come between, with the same random draws. An epoch
        that comes to its end is ended as in `train`; the end of the training, with what is
        evaluated and saved then, is `train`'s, or that of a step which comes to the end of
        ``params.epoch``. Where `max_steps`, `max_time`, a toggle or a callback ends the training
        before, fewer batches are trained, and a line says so.

        Args:
            steps: How many batches.

        Raises:
            TrainerError: As `train`; or the processes are spawned or forked for each training.
            UsageError: It is no number of batches.

        Source: thexp's ``train_step``.
        """
        if type(steps) is not int or steps < 1:
            raise UsageError(f"train_step({steps!r}): give a number of batches, 1 or more")
        if isinstance(self.lightning_trainer.strategy.launcher, _MultiProcessingLauncher):
            raise TrainerError(
                "train_step: where it pauses is lost with processes that are spawned or forked; "
                "take strategy='ddp'"
            )
        self._go_on_as_told()
        lightning, epochs = self.lightning_trainer, self._epochs()
        enough = epochs if epochs == -1 else max(epochs, completed_epochs(lightning) + 1)
        before = completed_batches(lightning)
        self._fit(enough, until=before + steps)
        trained = completed_batches(lightning) - before
        if trained < steps:
            self.logger.info(f"train_step({steps}) trained {trained}: {why_short(lightning)}")

    def feed_batchdata(self, batch: Any = None) -> Any:
        """Give a batch on the device; training's place in the data stays where it is.

        Args:
            batch: The batch; None for a first one of the `train` loader, made anew.
        """
        lightning = self.lightning_trainer
        if batch is None:
            batch = DataBundler().add(self.train_dataloader).choice_batch()
        batch = lightning.precision_plugin.convert_input(batch)
        device = lightning.strategy.root_device
        return self.module.transfer_batch_to_device(batch, device, 0)

    def train_on_batch(self, batch: Any) -> Meter:
        """Run `train_batch` on one batch, outside a training.

        It changes the weights and the optimizers and nothing else: no batch is counted, no hook of
        a callback is called, and nothing is recorded.

        Args:
            batch: The batch, on any device.

        Returns:
            What `train_batch` returned.

        Raises:
            TrainerError: A training runs; or there are several devices or scaled gradients, under
                which a single batch would be wrong: `train_step` trains there.

        Source: thexp's ``train_on_batch``.
        """
        lightning, run = self.lightning_trainer, self._outside("train_on_batch")
        if lightning.world_size > 1 or getattr(lightning.precision_plugin, "scaler", None):
            raise TrainerError(
                "train_on_batch knows neither several devices nor float16's scaled gradients; "
                "call train_step(1)"
            )
        self._put_on(lightning.strategy.root_device)
        lightning.precision_plugin.convert_module(self.module)
        self._modes_of_training()
        params, batch = self.params, self.feed_batchdata(batch)
        with run.batch(), lightning.precision_plugin.forward_context(), fresh_casts():
            given = params.eidx, params.idx, params.global_step, batch, params, self.device
            meter = as_meter(self.train_batch(*given), "train_batch")  # type: ignore[attr-defined]
        run.save_waiting()
        return meter

    # -- what the trainer holds ------------------------------------------------------------------

    def to(self, device: str | torch.device) -> None:
        """Move the modules, tensors and optimizers' states, to work with them by hand.

        To train, evaluate or predict, they go back to the device of the run, ``params.device``. In
        `initial_trainer` it moves what has been made so far.

        Args:
            device: The device.

        Raises:
            TrainerError: A training runs.
            UsageError: There is no such device, or none that holds values.
        """
        if not self._is_being_made:
            self._outside("to")
        try:
            found = torch.empty(0, device=device).device
        except (RuntimeError, AssertionError, TypeError) as error:
            reason = str(error).partition("\n")[0]
            raise UsageError(f"to({device!r}): nothing can be moved there: {reason}") from error
        if found.type == "meta":
            raise UsageError("to('meta'): all values would be lost; use 'cpu', 'cuda:0' or 'mps'")
        self._put_on(found)

    def change_mode(self, train: bool = True) -> None:
        """Put all modules into train mode or into eval mode.

        A training that begins puts those that this put into eval mode back into the mode in which
        they were before.

        Args:
            train: Which.
        """
        module = self._present_module()
        module.adopt()
        if train:
            self._modes = []
        elif not self._modes:
            self._modes = [(one, one.training) for one in module.modules()]
        module.train(train)

    def _put_on(self, device: torch.device) -> None:
        module = self._present_module()
        found = module.adopt()
        module.to(device)
        for optimizer in found.optimizers.values():
            _optimizer_to_device(optimizer, device)

    def _present_module(self) -> TrainBatchModule:
        """Give the module; within `initial_trainer` one of what has been made so far."""
        facade: Any = self
        return TrainBatchModule(facade) if self._is_being_made else self.module

    def _modes_of_training(self) -> None:
        while self._modes:
            module, training = self._modes.pop()
            module.training = training

    # -- a fit -----------------------------------------------------------------------------------

    def _fit(self, epochs: int, until: int | None = None) -> None:
        """Have Lightning train until so many epochs, or batches of all epochs, are done."""
        lightning, module, loader = self.lightning_trainer, self.module, self.train_dataloader
        self._outside("train")
        check_restart(lightning)
        if not lightning.fast_dev_run:  # type: ignore[attr-defined]  # set elsewhere
            lightning.fit_loop.max_epochs = epochs
        lightning.should_stop = False  # as newer releases of Lightning begin
        self._note_going_on()
        self._modes_of_training()
        if self._failed_epoch:
            self.logger.warn(self._failed_epoch)
            self._failed_epoch = None
        interruption = Interruption(lightning, self.experiment, self._place)
        stepping: AbstractContextManager[None] = nullcontext()
        if until is not None:
            stepping = pausing_after(lightning, until, interruption.stand)
        with interruption.taken():
            try:
                empty = passed_over(lightning.callbacks)  # type: ignore[attr-defined]  # as above
                with quiet_lightning(), empty, stepping, interruption.pausing():
                    lightning.fit(module, train_dataloaders=loader)
            except BaseException:
                self._begin_again()
                raise
            finally:
                module.release_optimizers()
            self._show_progress()
            where = self._stand_still(interruption)
        interruption.leave(where, is_saved=self._is_saved())

    def _stand_still(self, interruption: Interruption) -> str:
        """Keep where a fit that ended early stands, for the next one, and say where that is."""
        if interruption.place is not None:
            self._stand_at(interruption.place)
        where = interruption.where(self.params.idx + 1)
        if interruption.in_midst:
            self._begin_again()
        return where

    def _begin_again(self) -> None:
        self._failed_epoch = begins_again(self.lightning_trainer, is_saved=self._is_saved())
        settle_progress(self.lightning_trainer)

    def _is_saved(self) -> bool:
        with suppress(CheckpointError):  # the folder is gone
            return bool(self.saver.find_checkpoints())
        return False

    def _stand_at(self, place: dict[str, Any]) -> None:
        self._started().loaded = place
        restore_progress(self.lightning_trainer, place)
        self._show_progress()

    def _go_on_from(self, state: dict[str, Any]) -> None:
        super()._go_on_from(state)
        self._failed_epoch = None

    def _place(self) -> dict[str, Any]:
        """Give what the next fit goes on from; called in a fit, on all ranks."""
        place = full_state(self.lightning_trainer)
        if LEFTOVERS_KEY in place:
            place[LEFTOVERS_KEY]["rows"] = None  # at a pause they are logged
        return place

    def _epochs(self) -> int:
        epochs = self.params.epoch
        if type(epochs) is not int or epochs < -1:
            raise TrainerError(f"epoch={epochs!r}: give a number of epochs, or -1 for no end")
        return epochs

    def _outside(self, method: str) -> Any:
        """Give the run, in which no training goes on."""
        if self.lightning_trainer.state.status == TrainerStatus.RUNNING:
            raise TrainerError(f"{method} cannot be called while a training runs; call it after")
        return self._started()


def _checked(name: str, value: bool) -> bool:
    if not isinstance(value, bool):
        raise UsageError(f"{name} must be True or False, not {value!r}")
    return value
