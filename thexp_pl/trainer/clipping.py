"""Clipping gradients between backward and step, in any precision and on any number of devices."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_, clip_grad_value_, get_total_norm
from torch.optim import Optimizer

from thexp_pl.errors import TrainerError
from thexp_pl.trainer.restoring import TrainerRestoring

__all__ = ["TrainerClipping"]

Clipped = Optimizer | nn.Module | torch.Tensor | Iterable[torch.Tensor]


class TrainerClipping(TrainerRestoring):
    """`clip_grad`."""

    def clip_grad(
        self,
        what: Clipped,
        max_norm: float | None = None,
        *,
        norm_type: float = 2.0,
        clip_value: float | None = None,
    ) -> torch.Tensor:
        """Clip the gradients of an optimizer or a module, and give their norm.

        Between backward and step, in every precision. On several devices the gradients are
        those of all of them by then. Without a GradScaler the same as
        `torch.nn.utils.clip_grad_norm_`, bit for bit; under 16-mixed, where a clipping by other
        means is refused, a step after an overflow is skipped as ever.

        Args:
            what: An optimizer, a module, a tensor or several tensors.
            max_norm: What the norm of all gradients together is brought down to; None: measure
                it only.
            norm_type: The p of the norm, or ``float("inf")``.
            clip_value: Instead of `max_norm`: what each number is kept between, minus it and plus.

        Returns:
            The norm before clipping, without dimensions and on the gradients' device; reading it
            as a number waits for the device. Not finite after an overflow; 0 without gradients.

        Raises:
            TrainerError: If `what` has no gradients by its kind, or a bound is negative or twofold.
        """
        parameters = _parameters(what)
        _check_bounds(max_norm, clip_value)
        gradients = [one.grad for one in parameters if one.grad is not None]
        if max_norm is None:
            norm = get_total_norm(gradients, norm_type)
        else:
            norm = clip_grad_norm_(parameters, max_norm, norm_type)
        if clip_value is not None and gradients:
            clip_grad_value_(parameters, clip_value)
        self.module.note_clipped(parameters)
        return norm


def _parameters(what: Any) -> list[torch.Tensor]:
    if isinstance(what, Optimizer):
        found = [one for group in what.param_groups for one in group["params"]]
    elif isinstance(what, nn.Module):
        found = list(what.parameters())
    elif isinstance(what, torch.Tensor):
        found = [what]
    else:
        found = list(what) if isinstance(what, Iterable) else [what]
    for one in found:
        if not isinstance(one, torch.Tensor):
            raise TrainerError(
                f"clip_grad: a {type(one).__name__} has no gradient; give an optimizer, a module, "
                "a tensor or several tensors"
            )
    return list(dict.fromkeys(found))  # what two modules share counts once


def _check_bounds(max_norm: float | None, clip_value: float | None) -> None:
    if max_norm is not None and clip_value is not None:
        raise TrainerError(
            f"clip_grad: max_norm={max_norm} and clip_value={clip_value} are two ways to clip; "
            "give one of them"
        )
    for name, bound in (("max_norm", max_norm), ("clip_value", clip_value)):
        if bound is not None and not bound >= 0:
            raise TrainerError(
                f"clip_grad: {name}={bound} would turn the gradients; give 0 or more"
            )
