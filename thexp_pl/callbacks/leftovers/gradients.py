"""Gradients that no optimizer has stepped with yet."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytorch_lightning as pl
import torch
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_post_hook

from thexp_pl.errors import CheckpointError
from thexp_pl.saver.sidecar import world_size

__all__ = ["restore_gradients", "saved_gradients", "watch_steps"]

# On a gradient: its version when an optimizer had stepped with it. Whatever is added later changes
# the version, and a gradient that comes after `zero_grad` is another tensor.
_MARK = "_thexp_pl_stepped"


def watch_steps(pl_module: pl.LightningModule) -> Callable[[], None]:
    """Note which gradients have been stepped with, where the module optimises by hand.

    Args:
        pl_module: The module that is trained.

    Returns:
        What ends it.
    """
    if pl_module.automatic_optimization:  # Lightning itself knows when it accumulates
        return lambda: None
    handle = register_optimizer_step_post_hook(_mark)
    return lambda: handle.remove()


def _mark(optimizer: Optimizer, args: Any, kwargs: Any) -> None:
    for parameter in _parameters(optimizer):
        if parameter.grad is not None:
            setattr(parameter.grad, _MARK, parameter.grad._version)


def saved_gradients(
    trainer: pl.Trainer, pl_module: pl.LightningModule
) -> list[list[torch.Tensor | None] | None]:
    """Give the gradients that wait for a step, on one device only.

    Where several processes train, each has a part of a sum that is made at the step.

    Returns:
        By optimizer one tensor (or None) for each parameter; None for an optimizer without any.
    """
    if world_size() > 1:
        return []
    if pl_module.automatic_optimization and not trainer.fit_loop._should_accumulate():
        return []
    return [_waiting(optimizer) for optimizer in trainer.optimizers]


def _waiting(optimizer: Optimizer) -> list[torch.Tensor | None] | None:
    gradients = [
        gradient.detach()
        if gradient is not None and getattr(gradient, _MARK, None) != gradient._version
        else None
        for gradient in (parameter.grad for parameter in _parameters(optimizer))
    ]
    return gradients if any(gradient is not None for gradient in gradients) else None


def restore_gradients(trainer: pl.Trainer, saved: list[list[torch.Tensor | None] | None]) -> None:
    """Put saved gradients back.

    Raises:
        CheckpointError: The optimizers are others than were saved.
    """
    for optimizer, gradients in zip(trainer.optimizers, saved, strict=False):
        if gradients is None:
            continue
        parameters = _parameters(optimizer)
        if len(parameters) != len(gradients) or not all(map(_fits, parameters, gradients)):
            raise CheckpointError(
                f"the checkpoint holds gradients of other parameters than this "
                f"{type(optimizer).__name__} has; it was saved by other code"
            )
        for parameter, gradient in zip(parameters, gradients, strict=True):
            if gradient is not None:
                # a copy: what was loaded may be the state of a later training too
                parameter.grad = gradient.to(parameter.device, copy=True)


def _fits(parameter: torch.Tensor, gradient: torch.Tensor | None) -> bool:
    return gradient is None or gradient.shape == parameter.shape


def _parameters(optimizer: Optimizer) -> list[torch.Tensor]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]
