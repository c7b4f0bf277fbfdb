"""User-written ``loss.backward()`` and ``optim.step()``, sent through Lightning.

Raw calls pass Lightning's precision, strategy and hooks by. While `train_batch` runs, therefore,
`Tensor.backward` becomes the module's `manual_backward`; while a fit runs, each optimizer's own
`step` goes through its `LightningOptimizer`. The methods of the optimizer instances are replaced,
not the attributes that hold them: aliases in lists and dicts, schedulers and `load_state_dict` keep
meaning the same optimizer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import MethodType
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    import pytorch_lightning as pl
    from pytorch_lightning.core.optimizer import LightningOptimizer
    from torch.optim import Optimizer

__all__ = ["RawSteps"]


class RawSteps:
    """The redirection of one LightningModule's raw calls.

    Args:
        module: The module whose `train_batch` is redirected.
    """

    def __init__(self, module: pl.LightningModule) -> None:
        self._module = module
        self._lightning_optimizers: list[LightningOptimizer] = []
        self._undo: list[Callable[[], None]] = []

    def patch_optimizers(self, lightning_optimizers: list[LightningOptimizer]) -> None:
        """Send each optimizer's `step` through Lightning until `unpatch_optimizers`."""
        self.unpatch_optimizers()
        self._lightning_optimizers = lightning_optimizers
        for lightning_optimizer in lightning_optimizers:
            self._undo.append(_patch(lightning_optimizer.optimizer, lightning_optimizer))

    def unpatch_optimizers(self) -> None:
        """Give the optimizers their own `step` back."""
        self._lightning_optimizers = []
        while self._undo:
            self._undo.pop()()

    @contextmanager
    def train_batch(self) -> Iterator[None]:
        """Redirect `Tensor.backward` for one `train_batch`, and count the batch when it is done.

        Lightning's `trainer.global_step` then counts batches, as thexp's does: with several
        optimizers, with steps taken every n-th batch only, and without any.
        """
        trainer: Any = self._module.trainer
        profiler = trainer.profiler
        for lightning_optimizer in self._lightning_optimizers:
            lightning_optimizer._on_before_step = partial(profiler.start, "optimizer_step")
            lightning_optimizer._on_after_step = partial(profiler.stop, "optimizer_step")
        original = torch.Tensor.backward
        torch.Tensor.backward = _redirected(original, self._module)  # type: ignore[method-assign]
        try:
            yield
        finally:
            torch.Tensor.backward = original  # type: ignore[method-assign]
        steps = trainer.fit_loop.epoch_loop.manual_optimization.optim_step_progress
        steps.increment_ready()
        steps.increment_completed()


def _patch(optimizer: Optimizer, lightning_optimizer: LightningOptimizer) -> Callable[[], None]:
    original = optimizer.step
    was_own = vars(optimizer).get("step")  # a scheduler's wrapper, on the instance
    inside = False

    def step(_self: Optimizer, closure: Callable[[], Any] | None = None, **kwargs: Any) -> Any:
        nonlocal inside
        if inside:  # Lightning's plugins call the optimizer back
            return original(closure, **kwargs) if closure else original(**kwargs)
        inside = True
        try:
            return lightning_optimizer.step(closure, **kwargs)
        finally:
            inside = False

    if hasattr(original, "_wrapped_by_lr_sched"):  # torch's schedulers look for their own wrapper
        step._wrapped_by_lr_sched = True  # type: ignore[attr-defined]
    # MethodType and not a closure: a scheduler made later looks for `step.__func__`
    optimizer.step = MethodType(step, optimizer)  # type: ignore[method-assign]

    def undo() -> None:
        del optimizer.step
        if was_own is not None:
            optimizer.step = was_own  # type: ignore[method-assign]

    return undo


def _redirected(original: Callable[..., None], module: pl.LightningModule) -> Callable[..., None]:
    inside = False

    def backward(tensor: torch.Tensor, *args: Any, **kwargs: Any) -> None:
        nonlocal inside
        if inside:  # Lightning's plugins call the tensor's own backward in the end
            original(tensor, *args, **kwargs)
            return
        inside = True
        try:
            module.manual_backward(tensor, *args, **kwargs)
        finally:
            inside = False

    return backward
