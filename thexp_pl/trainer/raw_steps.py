"""User-written ``loss.backward()`` and ``optim.step()``, sent through Lightning.

Raw calls pass Lightning's precision, strategy and progress by. While `train_batch` runs, therefore,
`Tensor.backward` becomes the module's `manual_backward`; while a fit runs, each optimizer's own
`step` goes through its `LightningOptimizer`. The methods of the optimizer instances are replaced,
not the attributes that hold them: aliases in lists and dicts, schedulers and `load_state_dict` keep
meaning the same optimizer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
        self._stepped_in_batch = False
        self._undo: list[Callable[[], None]] = []

    def patch_optimizers(self, lightning_optimizers: list[LightningOptimizer]) -> None:
        """Send each optimizer's `step` through Lightning until `unpatch_optimizers`."""
        for lightning_optimizer in lightning_optimizers:
            self._patch(lightning_optimizer.optimizer, lightning_optimizer)

    def unpatch_optimizers(self) -> None:
        """Give the optimizers their own `step` back."""
        while self._undo:
            self._undo.pop()()

    def _patch(self, optimizer: Optimizer, lightning_optimizer: LightningOptimizer) -> None:
        # a scheduler may already have put a counting wrapper on the instance
        original = optimizer.step
        was_own = vars(optimizer).get("step")
        inside = False

        def step(_self: Optimizer, closure: Callable[[], Any] | None = None, **kwargs: Any) -> Any:
            nonlocal inside
            if inside:  # Lightning's plugins call the optimizer back
                return original(closure, **kwargs) if closure else original(**kwargs)
            inside = True
            try:
                self._count_batch_once(lightning_optimizer)
                return lightning_optimizer.step(closure, **kwargs)
            finally:
                inside = False

        # MethodType and not a closure: torch's schedulers look for `step.__func__`
        optimizer.step = MethodType(step, optimizer)  # type: ignore[method-assign]

        def undo() -> None:
            del optimizer.step
            if was_own is not None:
                optimizer.step = was_own  # type: ignore[method-assign]

        self._undo.append(undo)

    def _count_batch_once(self, lightning_optimizer: LightningOptimizer) -> None:
        """Let Lightning count the first step of a batch only: two optimizers are one step."""
        if self._stepped_in_batch:
            lightning_optimizer._on_before_step = _nothing
            lightning_optimizer._on_after_step = _nothing
        self._stepped_in_batch = True

    @contextmanager
    def train_batch(self) -> Iterator[None]:
        """Redirect `Tensor.backward` for the time of one `train_batch`."""
        original = torch.Tensor.backward
        self._stepped_in_batch = False
        inside = False

        def backward(tensor: torch.Tensor, *args: Any, **kwargs: Any) -> None:
            nonlocal inside
            if inside:  # Lightning's plugins call the tensor's own backward in the end
                original(tensor, *args, **kwargs)  # type: ignore[no-untyped-call]
                return
            inside = True
            try:
                self._module.manual_backward(tensor, *args, **kwargs)
            finally:
                inside = False

        torch.Tensor.backward = backward  # type: ignore[assignment,method-assign]
        try:
            yield
        finally:
            torch.Tensor.backward = original  # type: ignore[method-assign]


def _nothing() -> None:
    return
