"""One tensor whose backward is that of several, as `torch.autograd.backward` takes them."""

from __future__ import annotations

from typing import Any

import torch
from torch.autograd.graph import GradientEdge

from thexp_pl.errors import TrainerError

__all__ = ["joined"]


def joined(tensors: Any, gradients: Any) -> tuple[torch.Tensor, torch.Tensor | None] | None:
    """Make one tensor of several, so that hooks, scaling and averaging happen once.

    Args:
        tensors: A tensor or several, of any shapes and devices.
        gradients: For each the gradient that it is multiplied by, of its shape; None for numbers.

    Returns:
        The tensor and its gradient; None where `torch.autograd.backward` would object.

    Raises:
        TrainerError: One of them is a GradientEdge, or one of several is complex.

    >>> weights = torch.tensor([1.0, 2.0], requires_grad=True)
    >>> total, _ = joined([weights * 3, weights.sum()], [torch.tensor([1.0, 10.0]), None])
    >>> total.backward()
    >>> weights.grad
    tensor([ 4., 31.])
    """
    those = (tensors,) if isinstance(tensors, (torch.Tensor, GradientEdge)) else tuple(tensors)
    if gradients is None or isinstance(gradients, torch.Tensor):
        by = (gradients,) * (len(those) if gradients is None else 1)
    else:
        by = tuple(gradients)
    if len(those) != len(by) or not those:
        return None
    for tensor in those:
        if isinstance(tensor, GradientEdge):
            raise TrainerError(
                "torch.autograd.backward: a GradientEdge has no value that could be scaled or "
                "shown to callbacks; give the tensor itself"
            )
    if len(those) == 1:
        return those[0], by[0]
    if any(one.is_complex() for one in those):
        raise TrainerError(
            "torch.autograd.backward: one of several tensors is complex; call backward for each"
        )
    pairs = list(zip(those, by, strict=True))
    if any(_is_wrong(tensor, gradient) for tensor, gradient in pairs):
        return None
    with torch.enable_grad():
        parts = [one.sum() if grad is None else (one * grad).sum() for one, grad in pairs]
        return torch.stack([part.to(parts[0].device) for part in parts]).sum(), None


def _is_wrong(tensor: torch.Tensor, gradient: torch.Tensor | None) -> bool:
    if gradient is None:
        return not tensor.requires_grad or tensor.numel() != 1
    return not tensor.requires_grad or tensor.shape != gradient.shape
