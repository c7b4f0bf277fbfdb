"""A facade Trainer made from a checkpoint, without a run: to predict, or to be trained on."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from pytorch_lightning.utilities.model_helpers import _restricted_classmethod
from torch import nn
from torch.optim import Optimizer

from thexp_pl.console import Logger
from thexp_pl.errors import CheckpointError, ParamsError, UsageError, near_miss
from thexp_pl.loggers.lineage import note_load
from thexp_pl.params import BaseParams
from thexp_pl.params.flags import apply_values
from thexp_pl.saver import checkpoint_path
from thexp_pl.saver.choosing import BEST, LAST
from thexp_pl.trainer.asked.devices import device_options
from thexp_pl.trainer.flow import TrainerFlow
from thexp_pl.trainer.module import TrainBatchModule
from thexp_pl.trainer.state.attributes import load_others
from thexp_pl.trainer.state.checkpoint_state import (
    ATTRIBUTES_KEY,
    LATER_KEY,
    PARAMS_KEY,
    check_weights,
    completed,
    read_checkpoint,
)
from thexp_pl.trainer.state.containers import leaves

if TYPE_CHECKING:
    from thexp_pl.trainer.run import Run

__all__ = ["TrainerRestoring"]

_Self = TypeVar("_Self", bound="TrainerRestoring")


@dataclass
class _Restored:
    """What `load_from_checkpoint` has made.

    Args:
        path: The checkpoint.
        module: The LightningModule with the weights in.
        modes: Which of the modules `initial_trainer` left in train mode.
    """

    path: Path
    module: TrainBatchModule
    modes: dict[nn.Module, bool]


class TrainerRestoring(TrainerFlow):
    """`load_from_checkpoint`, and the run that may follow it."""

    _restored: _Restored | None = None
    _console: Logger | None = None

    @_restricted_classmethod
    def load_from_checkpoint(
        cls: type[_Self],  # noqa: N805 - a class method, refused on instances
        checkpoint_path: str | os.PathLike[str],
        map_location: str | torch.device | None = None,
        weights_only: bool | None = None,
        **params: Any,
    ) -> _Self:
        """Make a trainer with the weights of a checkpoint in; nothing is recorded or written.

        The parameters are the checkpoint's. `initial_trainer` makes the modules, in eval mode then;
        weights, tensors, numbers and what else has a `state_dict` are the checkpoint's. Optimizers
        and their schedulers are new. `predict` and `module` can be used at once.

        To train on from these weights, call `initial_exp` and `train`: a run that begins with its
        first epoch, without making anything anew. To go on with the run that was interrupted, use
        `load_checkpoint` after `initial_exp`.

        Args:
            checkpoint_path: A file of the Saver's (``.ckpt``, ``.pth``) or of Lightning's
                ModelCheckpoint, or ``RUN@CHECKPOINT`` as in `thexp_pl.checkpoint_path`.
            map_location: The device, for ``params.device`` too; by default that which the
                parameters have by themselves on this machine, whatever the checkpoint's was.
            weights_only: False lets the file run any code; only do that with one you trust.
            **params: Parameters that are to be others than the checkpoint's.

        Returns:
            The trainer.

        Raises:
            CheckpointError: It is missing, damaged, or from another kind of trainer.
            TypeError: It is called on an instance, which it would leave as it is.
            UsageError: It names no file, there is no such parameter or no such device.

        Source: Lightning's ``LightningModule.load_from_checkpoint``.
        """
        path = _found(checkpoint_path)
        state = _read(path, weights_only is not False)
        make: Any = cls
        trainer: _Self = make(_params(make.params_class()(), state, path, map_location, params))
        trainer._restore_from(path, state)
        return trainer

    @property
    def logger(self) -> Logger:
        """The console Logger, which also writes ``logs/`` of the run, once there is one."""
        return self._console if self._run is None and self._console else super().logger

    @property
    def module(self) -> TrainBatchModule:
        """The LightningModule that runs `train_batch`."""
        if self._run is None and self._restored is not None:
            return self._restored.module
        return super().module

    @property
    def _is_being_made(self) -> bool:
        """Whether `initial_trainer` runs."""
        is_restoring = self._run is None and self._console is not None and self._restored is None
        return is_restoring or (super()._is_being_made and self._restored is None)

    def _restore_from(self, path: Path, state: Mapping[str, Any]) -> None:
        facade: Any = self
        device_options(self.params, {"devices": 1})  # refuses a device that is not there
        self._console = Logger()
        facade.initial_trainer(self.params)
        module = TrainBatchModule(facade)
        found = module.adopt()
        weights = completed(module, state["state_dict"])
        check_weights(module, weights, f"{path} does not fit {type(self).__name__}")
        states = {
            name: one
            for name, one in state.get(ATTRIBUTES_KEY, {}).items()
            if not _schedules(found.others.get(name))
        }
        load_others(self, found.others, states, state.get(LATER_KEY, ()))
        module.load_state_dict(weights)
        module.to(torch.device(self.params.device))
        modes = {one: one.training for one in module.modules()}
        self._restored = _Restored(path, module.eval(), modes)

    def _make_module(self, run: Run) -> TrainBatchModule:
        """Have `initial_trainer` make everything, unless `load_from_checkpoint` did before."""
        facade: Any = self
        restored = self._restored
        if restored is None:
            facade.initial_trainer(self.params)
            module = TrainBatchModule(facade)
            module.adopt()
            return module
        for one, is_training in restored.modes.items():
            one.training = is_training
        restored.module.adopt()
        if run.experiment.is_open:
            note_load(run.experiment, restored.path)
        run.logger.info(f"loaded {restored.path}")
        return restored.module


def _schedules(value: Any) -> bool:
    """Tell whether it is a scheduler, or a list or dict with one."""
    held = [getattr(one, "optimizer", None) for _, one in leaves(value, "")]
    return any(isinstance(one, Optimizer) for one in held)


# -- the file ------------------------------------------------------------------------------------


def _found(which: Any) -> Path:
    if which in (LAST, BEST):
        raise UsageError(
            f"{which!r} is that of an experiment, and here is none yet: give a path, or "
            f"'RUN@{which}'"
        )
    return checkpoint_path(which)


def _read(path: Path, weights_only: bool) -> dict[str, Any]:
    """Read a state onto the CPU, whichever device it was saved from."""
    state, _ = read_checkpoint(path, weights_only=weights_only)
    if not isinstance(state, dict) or not isinstance(state.get("state_dict"), dict):
        raise CheckpointError(f"{path} is neither a checkpoint nor a model of a Trainer")
    return state


def _params(
    params: BaseParams,
    state: Mapping[str, Any],
    path: Path,
    map_location: Any,
    given: Mapping[str, Any],
) -> BaseParams:
    """Lay a checkpoint's parameters beneath those that were given."""
    saved = state.get(PARAMS_KEY)
    if not isinstance(saved, dict):
        raise CheckpointError(f"{path} holds no parameters of a thexp_pl.Trainer")
    try:
        # where to compute is a matter of the machine
        apply_values(params, [(name, value) for name, value in saved.items() if name != "device"])
    except ParamsError as error:
        raise CheckpointError(f"the parameters in {path} do not fit: {error}") from None
    if map_location is not None:
        if not isinstance(map_location, (str, torch.device)):
            raise UsageError(
                f"map_location={map_location!r} is no device; give one, such as 'cpu' or 'cuda:0'"
            )
        params["device"] = str(map_location)
    known = params.flat()
    for name in params.update(given).flat():
        if name not in known and name.rpartition(".")[0] not in known:
            raise UsageError(f"there is no parameter {name!r}{near_miss(name, known)}")
    return params
