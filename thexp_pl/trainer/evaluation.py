"""Running a facade Trainer's `test_eval_logic` on its device, in eval mode, without gradients."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from thexp_pl.meter import Meter

if TYPE_CHECKING:
    from thexp_pl.trainer.facade import Trainer
    from thexp_pl.trainer.module import TrainBatchModule

__all__ = ["evaluate"]


class _OnDevice:
    """A loader whose batches arrive on the module's device."""

    def __init__(self, loader: Iterable[Any], module: TrainBatchModule) -> None:
        self._loader = loader
        self._module = module

    def __iter__(self) -> Iterator[Any]:
        for batch in self._loader:
            yield self._module.transfer_batch_to_device(batch, self._module.device, 0)

    def __len__(self) -> int:
        return len(self._loader)  # type: ignore[arg-type]

    def __getattr__(self, name: str) -> Any:  # .dataset, .batch_size and the like
        return getattr(self._loader, name)


def evaluate(trainer: Trainer, loader: Iterable[Any]) -> Meter | None:
    """Call `test_eval_logic` with all modules in eval mode and no gradients.

    Args:
        trainer: The facade Trainer, after `initial_exp`.
        loader: What it evaluates on.

    Returns:
        The values.
    """
    module, lightning = trainer.module, trainer.lightning_trainer
    module.adopt()
    module.to(lightning.strategy.root_device)
    # the precision plugin's context, so that bf16-mixed evaluates as it trains
    with _eval_mode(module), torch.no_grad(), lightning.precision_plugin.forward_context():
        return trainer.test_eval_logic(_OnDevice(loader, module), trainer.params)


@contextmanager
def _eval_mode(module: nn.Module) -> Iterator[None]:
    """Put a module and all below it into eval mode, and each back into its own mode after."""
    modes = [(each, each.training) for each in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for each, training in modes:
            each.training = training
