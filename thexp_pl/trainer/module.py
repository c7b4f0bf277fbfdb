"""The LightningModule that runs a facade Trainer's `train_batch`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.trainer import call
from torch.optim import Optimizer

from thexp_pl.callbacks.gather import has_failed
from thexp_pl.errors import TrainerError
from thexp_pl.saver.sidecar import world_size
from thexp_pl.strategies import ManualDDPStrategy
from thexp_pl.trainer.attributes import Attributes, find_attributes, load_others, save_others
from thexp_pl.trainer.checkpoint_state import (
    ATTRIBUTES_KEY,
    LATER_KEY,
    OPTIMIZERS_KEY,
    PARAMS_KEY,
    plain,
)
from thexp_pl.trainer.raw_steps import RawSteps
from thexp_pl.trainer.results import as_meter

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
        run: Its run.
    """

    def __init__(self, facade: Trainer, run: Run) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.facade = facade
        self._run = run
        self._raw_steps = RawSteps(self)
        self._made_first = set(find_attributes(vars(facade)).others)

    def adopt(self) -> Attributes:
        """Take up the facade's modules of this moment, and give all that was found.

        Raises:
            TrainerError: If a name is one of LightningModule's own, or an optimizer holds what no
                attribute holds.
        """
        found = find_attributes(vars(self.facade))
        for name in [name for name in self._modules if name not in found.modules]:
            del self._modules[name]
        for name, module in found.modules.items():
            if hasattr(type(self), name) or name in vars(self):
                raise TrainerError(
                    f"a module cannot be called self.{name}: a LightningModule has a '{name}' of "
                    "its own; use another name"
                )
            self._modules[name] = module
        found.check_optimizers()
        return found

    # -- a fit -----------------------------------------------------------------------------------

    def setup(self, stage: str) -> None:
        """Restore the callbacks' states of a checkpoint that was loaded."""
        if stage == "fit":
            save_others(self.adopt().others)  # what cannot be saved is told before the first epoch
            state, self._run.loaded = self._run.loaded, None
            if state is not None:
                call._call_callbacks_on_load_checkpoint(self.trainer, state)
                call._call_callbacks_load_state_dict(self.trainer, state)

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

    def training_step(self, batch: Any, batch_idx: int) -> dict[str, Any]:
        """Run `train_batch` on one batch, with the progress as thexp counts it."""
        params = self.facade.params
        params.eidx = self.current_epoch + 1
        params.idx = batch_idx
        params.global_step = self.trainer.fit_loop.total_batch_idx
        with self._run.batch(), self._raw_steps.train_batch():
            try:
                result = self.facade.train_batch(
                    params.eidx, batch_idx, params.global_step, batch, params, self.device
                )
            except StopIteration as error:  # Lightning would take it for a batch well done
                raise TrainerError(
                    "train_batch let a StopIteration out: an iterator that it calls next() on is "
                    "at its end; make it anew there"
                ) from error
        return {"meter": as_meter(result, "train_batch")}

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Carry out what `train_batch` asked to be saved."""
        self._run.save_waiting()

    def release_optimizers(self) -> None:
        """Give the optimizers their own `step` back, also after a fit that failed."""
        self._raw_steps.unpatch_optimizers()

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
            others = find_attributes(vars(self.facade)).others.values()
            tensors = [one for one in others if isinstance(one, torch.Tensor)]
            strategy.share([*self.buffers(), *tensors])

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the settings, and the schedulers, tensors and numbers among the attributes."""
        self.share_state()
        found = self.adopt()
        checkpoint[PARAMS_KEY] = plain(self.facade.params.settings())
        checkpoint[ATTRIBUTES_KEY] = save_others(found.others)
        checkpoint[LATER_KEY] = [name for name in found.others if name not in self._made_first]
        checkpoint[OPTIMIZERS_KEY] = list(found.optimizers)
        if "optimizer_states" in checkpoint:  # Lightning's may be those of the epoch's beginning
            state_of = self.facade.lightning_trainer.strategy.optimizer_state
            checkpoint["optimizer_states"] = [state_of(one) for one in found.optimizers.values()]

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
        return self
