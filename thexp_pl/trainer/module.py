"""The LightningModule that runs a facade Trainer's `train_batch`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import pytorch_lightning as pl
import torch
from torch.optim import Optimizer

from thexp_pl.errors import TrainerError
from thexp_pl.meter import Meter
from thexp_pl.params.plain import to_plain
from thexp_pl.trainer.attributes import Attributes, find_attributes, load_others, save_others
from thexp_pl.trainer.raw_steps import RawSteps

if TYPE_CHECKING:
    from thexp_pl.trainer.facade import Trainer

__all__ = ["PARAMS_KEY", "TrainBatchModule"]

PARAMS_KEY = "thexp_pl_params"  # the checkpoint's key for the settings
_OTHERS = "thexp_pl_attributes"  # the checkpoint's key for what Lightning does not save by itself


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
            if name not in self._modules and hasattr(self, name):
                raise TrainerError(
                    f"a module cannot be called self.{name}: a LightningModule has a '{name}' of "
                    "its own; use another name"
                )
            self._modules[name] = module
        found.check_optimizers()
        return found

    def configure_optimizers(self) -> list[Optimizer]:
        """Give Lightning the optimizers found in the facade's attributes."""
        return list(self.adopt().optimizers.values())

    def on_fit_start(self) -> None:
        """Redirect the optimizers, which the strategy has set up by now."""
        self._raw_steps.patch_optimizers(self.trainer.strategy._lightning_optimizers)

    def release_optimizers(self) -> None:
        """Undo `on_fit_start`, also after a fit that failed."""
        self._raw_steps.unpatch_optimizers()

    def training_step(self, batch: Any, batch_idx: int) -> dict[str, Any]:
        """Run `train_batch` on one batch, with the progress as thexp counts it."""
        params = self.facade.params
        params.eidx = self.current_epoch + 1
        params.idx = batch_idx
        params.global_step = self.trainer.fit_loop.total_batch_idx
        with self._raw_steps.train_batch():
            meter = self.facade.train_batch(
                params.eidx, batch_idx, params.global_step, batch, params, self.device
            )
        return {"meter": _as_meter(meter)}

    def predict_step(self, batch: Any, batch_idx: int) -> Any:
        """Give the facade's prediction for one batch."""
        return self.facade.predict(batch)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the settings, and the schedulers, tensors and numbers among the attributes."""
        checkpoint[PARAMS_KEY] = to_plain(self.facade.params.settings())
        checkpoint[_OTHERS] = save_others(self.adopt().others)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restore what `on_save_checkpoint` added."""
        load_others(self.facade, self.adopt().others, checkpoint.get(_OTHERS, {}))

    def _apply(self, fn: Callable[[torch.Tensor], torch.Tensor], recurse: bool = True) -> Any:
        # what `to`, `cpu` and `cuda` come down to: the facade's plain tensors move as well,
        # in place, for an optimizer may hold them
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        for value in find_attributes(vars(self.facade)).others.values():
            if isinstance(value, torch.Tensor):
                value.data = fn(value.data)
        return self


def _as_meter(result: Any) -> Meter:
    """Take what `train_batch` returned: a Meter, names and values, or nothing."""
    if isinstance(result, Meter):
        return result
    meter = Meter()
    if isinstance(result, Mapping):
        meter.update(result)
    elif result is not None:
        raise TrainerError(
            f"train_batch returned a {type(result).__name__}; return a Meter, a dict or None"
        )
    return meter
