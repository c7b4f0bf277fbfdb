"""The LightningModule that runs a facade Trainer's `train_batch`."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from inspect import signature
from typing import TYPE_CHECKING, Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.trainer import call
from torch import nn
from torch.optim import Optimizer

from thexp_pl.callbacks import MeterCallback
from thexp_pl.callbacks.gather import has_failed
from thexp_pl.callbacks.leftovers import is_within_epoch
from thexp_pl.callbacks.preemption import agreed
from thexp_pl.callbacks.saver import LEFTOVERS_KEY
from thexp_pl.errors import TrainerError
from thexp_pl.saver.sidecar import world_size
from thexp_pl.strategies import ManualDDPStrategy
from thexp_pl.trainer.asked.lightning_callbacks import refuse_averaging, refuse_callbacks
from thexp_pl.trainer.processes.launchers import CopyLauncher
from thexp_pl.trainer.results import as_meter
from thexp_pl.trainer.state.attributes import (
    Attributes,
    find_attributes,
    left_out,
    load_others,
    save_others,
)
from thexp_pl.trainer.state.checkpoint_state import (
    ATTRIBUTES_KEY,
    LATER_KEY,
    OPTIMIZERS_KEY,
    PARAMS_KEY,
    plain,
)
from thexp_pl.trainer.stepping.raw_steps import RawSteps

if TYPE_CHECKING:
    from thexp_pl.trainer.facade import Trainer
    from thexp_pl.trainer.run import Run

__all__ = ["PARAMS_KEY", "TrainBatchModule"]


class TrainBatchModule(pl.LightningModule):
    """A module whose training step is the facade's `train_batch`.

    The facade's modules become its submodules under their own names, so that a checkpoint's
    `state_dict` reads as the trainer does: ``model.fc.weight``.

    Args:
        facade: The trainer whose attributes and methods it uses.
    """

    def __init__(self, facade: Trainer) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.facade = facade
        self._raw_steps = RawSteps(self)
        self._made_first = set(find_attributes(vars(facade)).others)

    @property
    def _run(self) -> Run:
        return self.facade._started()

    def __setattr__(self, name: str, value: Any) -> None:
        # Lightning notes each hook that it calls, many a batch, and Module asks whether it is one
        if name == "_current_fx_name":
            vars(self)[name] = value
        else:
            super().__setattr__(name, value)

    def __deepcopy__(self, memo: dict[int, Any]) -> nn.Module:
        # for an average of the weights: there is one run, with its locks and open files
        copied = nn.Module()
        copied._modules = copy.deepcopy(self._modules, memo)
        return copied

    def adopt(self) -> Attributes:
        """Take up the facade's modules of this moment, and give all that was found.

        Raises:
            TrainerError: If a name is one of LightningModule's own, or an optimizer holds what no
                attribute holds.
        """
        found = find_attributes(vars(self.facade))
        modules = found.tree()
        for name in [name for name in self._modules if name not in modules]:
            del self._modules[name]
        for name, module in modules.items():
            if hasattr(type(self), name) or name in vars(self):
                raise TrainerError(
                    f"a module cannot be called self.{name}: a LightningModule has a '{name}' of "
                    "its own; use another name"
                )
            self._modules[name] = module
        found.check_optimizers()
        return found

    # -- a fit -----------------------------------------------------------------------------------

    def configure_callbacks(self) -> list[pl.Callback]:
        """Refuse what cannot work here, also where it was given to the Lightning Trainer itself."""
        callbacks: list[Any] = self.trainer.callbacks  # type: ignore[attr-defined]  # set elsewhere
        refuse_callbacks(callbacks)
        refuse_averaging(callbacks, self, self.adopt())
        return []

    def setup(self, stage: str) -> None:
        """Restore the callbacks' states of a checkpoint that was loaded."""
        if stage == "fit":
            save_others(self.adopt())  # what cannot be saved is told before the first epoch
            state, self._run.loaded = self._run.loaded, None
            if state is not None:
                call._call_callbacks_on_load_checkpoint(self.trainer, state)
                call._call_callbacks_load_state_dict(self.trainer, state)
                plugin = self.trainer.precision_plugin
                if (saved := state.get(type(plugin).__qualname__)) is not None:  # the loss's scale
                    plugin.load_state_dict(saved)

    def configure_optimizers(self) -> list[Optimizer]:
        """Give Lightning the optimizers found in the facade's attributes."""
        return list(self.adopt().optimizers.values())

    def on_fit_start(self) -> None:
        """Redirect the optimizers, which the strategy has set up by now."""
        self.share_state()
        self._raw_steps.patch_optimizers(self.trainer.strategy._lightning_optimizers)

    def on_train_epoch_start(self) -> None:
        """Follow the facade where it has other modules or optimizers than before."""
        strategy, optimizers = self.trainer.strategy, self.configure_optimizers()
        if list(map(id, optimizers)) != list(map(id, strategy.optimizers)):
            strategy.optimizers = optimizers
            self._raw_steps.patch_optimizers(strategy._lightning_optimizers)
        self._begin_epoch()

    def on_train_start(self) -> None:
        """Tell the facade's callbacks of an epoch that goes on in its midst."""
        if is_within_epoch(self.trainer):
            self._begin_epoch()

    def _begin_epoch(self) -> None:
        self.facade.params.eidx = self.current_epoch + 1
        self.facade._calls.begin_epoch(self.facade.params.eidx)

    def on_before_backward(self, loss: torch.Tensor) -> None:
        """Refuse what is new on several devices, where the strategy would not know of it."""
        if world_size() > 1:
            held = {id(one) for one in (*self.children(), *self.trainer.strategy.optimizers)}
            for name, value in vars(self.facade).items():
                is_trained = isinstance(value, (nn.Module, Optimizer)) and name[0] != "_"
                if is_trained and id(value) not in held:
                    raise TrainerError(
                        f"self.{name} is new in the midst of an epoch, and several devices take up "
                        "what is new at its beginning; make it before"
                    )

    def training_step(self, batch: Any, batch_idx: int) -> dict[str, Any]:
        """Run `train_batch` on one batch, with the progress as thexp counts it."""
        params = self.facade.params
        eidx, step = self.current_epoch + 1, self.trainer.fit_loop.total_batch_idx
        params.eidx, params.idx, params.global_step = eidx, batch_idx, step
        with self._run.batch(), self._raw_steps.train_batch():
            try:
                result = self.train_batch(eidx, batch_idx, step, batch, params, self.device)
            except StopIteration as error:  # Lightning would take it for a batch well done
                raise TrainerError(
                    "train_batch let a StopIteration out: an iterator that it calls next() on is "
                    "at its end; make it anew there"
                ) from error
        if self.trainer.is_last_batch:  # Lightning steps none where train_batch steps by itself
            for config in self.trainer.lr_scheduler_configs:  # a callback's: ours are attributes
                config.scheduler.step()  # type: ignore[call-arg]
        return {"meter": as_meter(result, "train_batch")}

    def train_batch(self, *args: Any) -> Any:
        """Call the facade's; a callback may put its own in this one's place."""
        return self.facade.train_batch(*args)

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """End the epoch where that is asked for, and save what `train_batch` asked to be saved."""
        if self._obeys("train_epoch_toggle"):
            # the word by which Lightning, and all that saves, knows an epoch's last batch
            self.trainer.fit_loop.epoch_loop.batch_progress.is_last_batch = True
        self._run.save_waiting()

    def on_train_epoch_end(self) -> None:
        """Tell the facade's callbacks of the means; end the training where that is asked for."""
        callbacks: list[Any] = self.trainer.callbacks  # type: ignore[attr-defined]  # set elsewhere
        means = [one.average for one in callbacks if isinstance(one, MeterCallback)]
        self.facade._calls.end_epoch(means[0] if means else None)
        if self._obeys("train_toggle"):
            self.trainer.should_stop = True

    def _obeys(self, toggle: str) -> bool:
        """Say whether a toggle of the facade is set on any rank, and set it back."""
        (is_set,) = agreed(self.trainer, int(getattr(self.facade, toggle)))
        setattr(self.facade, toggle, False)
        return bool(is_set)

    def note_clipped(self, parameters: Iterable[torch.Tensor]) -> None:
        """Note that the gradients of parameters were changed rightly since the backward."""
        self._raw_steps.clipped(parameters)

    def on_train_end(self) -> None:
        """Keep where training stands for the process that has spawned or forked this one."""
        launcher = self.trainer.strategy.launcher
        if isinstance(launcher, CopyLauncher):
            launcher.keep_state(self.trainer)

    def release_optimizers(self) -> None:
        """Give the optimizers their own `step` back, also after a fit that failed."""
        self._raw_steps.unpatch_optimizers()

    @property  # type: ignore[misc]  # it is set on the facade
    def example_input_array(self) -> Any:
        """The facade's attribute of that name, with which Lightning tries `forward` out."""
        return getattr(self.facade, "example_input_array", None)

    def forward(self, batch: Any) -> Any:
        """Give the facade's prediction for one batch."""
        return self.facade.predict(batch)

    def predict_step(self, batch: Any, batch_idx: int) -> Any:
        """Give the facade's prediction for one batch."""
        return self.facade.predict(batch)

    # -- checkpoints -----------------------------------------------------------------------------

    def share_state(self) -> None:
        """Make buffers and tensor attributes on all ranks those of rank 0; called on all ranks.

        Parameters are the same as it is. What a rank alone has gathered in the others would be
        missing from a checkpoint, which holds rank 0's.
        """
        if world_size() == 1:
            return
        trainer = self.facade.lightning_trainer
        strategy = trainer.strategy
        if isinstance(strategy, ManualDDPStrategy) and not has_failed(trainer):
            others = find_attributes(vars(self.facade)).others.items()
            tensors = {name: one for name, one in others if isinstance(one, torch.Tensor)}
            shared = strategy.share({**dict(self.named_buffers()), **tensors})
            for name in shared.keys() - dict(self.named_buffers()).keys():
                if shared[name] is not tensors.get(name):  # of another shape here, or missing
                    setattr(self.facade, name, shared[name])

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the settings, and what of the attributes is neither module nor optimizer."""
        self.share_state()
        found = self.adopt()
        checkpoint[PARAMS_KEY] = plain(self.facade.params.settings())
        checkpoint[ATTRIBUTES_KEY] = save_others(found)
        self.facade._warn_of(left_out(vars(self.facade), found))
        checkpoint[LATER_KEY] = [name for name in found.others if name not in self._made_first]
        checkpoint[OPTIMIZERS_KEY] = list(found.optimizers)
        if "optimizer_states" in checkpoint:  # Lightning's may be those of the epoch's beginning
            state_of = self.facade.lightning_trainer.strategy.optimizer_state
            checkpoint["optimizer_states"] = [state_of(one) for one in found.optimizers.values()]
        waiting = self._run.loaded or {}
        if "callbacks" in checkpoint:  # what no fit has taken up yet is still what holds
            kept = ("callbacks", LEFTOVERS_KEY)
            checkpoint.update({name: waiting[name] for name in kept if name in waiting})

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restore what `on_save_checkpoint` added."""
        states, later = checkpoint.get(ATTRIBUTES_KEY, {}), checkpoint.get(LATER_KEY, ())
        load_others(self.facade, self.adopt().others, states, later)

    def _apply(self, fn: Callable[[torch.Tensor], torch.Tensor], recurse: bool = True) -> Any:
        # what `to`, `cpu` and `cuda` come down to: the facade's plain tensors move as well,
        # in place, for an optimizer may hold them
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        for value in find_attributes(vars(self.facade)).others.values():
            if isinstance(value, torch.Tensor):
                value.data = fn(value.data)
                if value.is_leaf and value.grad is not None:
                    value.grad.data = fn(value.grad.data)
        return self


# Lightning reads the signature at every batch, four times as fast where it is kept
TrainBatchModule.training_step.__signature__ = signature(TrainBatchModule.training_step)  # type: ignore[attr-defined]
