"""The gradients that one backward has touched, averaged over all ranks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import distributed

from thexp_pl.errors import TrainerError

__all__ = ["TouchedGradients", "average"]

_BUCKET_BYTES = 25 * 2**20  # what is sent at once: the memory that averaging takes besides


class TouchedGradients:
    """Which gradients a backward has changed, seen from before it.

    Autograd adds to a gradient in place, which raises its version, or makes another tensor.

    Args:
        parameters: The parameters that may have gradients.
    """

    def __init__(self, parameters: Sequence[torch.Tensor]) -> None:
        self._parameters = parameters
        self._before = [_standing(parameter.grad) for parameter in parameters]

    def touched(self) -> list[bool]:
        """Say of each parameter whether its gradient is another than before."""
        pairs = zip(self._parameters, self._before, strict=True)
        return [_standing(parameter.grad) != before for parameter, before in pairs]


def _standing(gradient: torch.Tensor | None) -> tuple[int, int] | None:
    return None if gradient is None else (id(gradient), gradient._version)


def average(parameters: Iterable[torch.Tensor]) -> None:
    """Put the mean over all ranks in place of each parameter's gradient.

    A rank without a gradient takes part with zeros: the loss did not depend on it there.

    Args:
        parameters: The same ones on all ranks, on any one device.

    Raises:
        TrainerError: A gradient is sparse.
    """
    for bucket in _buckets([_gradient(parameter) for parameter in parameters]):
        _average_bucket(bucket)


def _gradient(parameter: torch.Tensor) -> torch.Tensor:
    if parameter.grad is None:
        parameter.grad = torch.zeros_like(parameter)
    if parameter.grad.is_sparse:
        raise TrainerError(
            f"a parameter of shape {tuple(parameter.shape)} has a sparse gradient, which several "
            "devices do not average; make its layer with sparse=False"
        )
    gradient = parameter.grad.detach()
    return torch.view_as_real(gradient) if gradient.is_complex() else gradient


def _buckets(gradients: Sequence[torch.Tensor]) -> Iterable[list[torch.Tensor]]:
    """Give gradients of one kind together, in an order that is the same on all ranks."""
    waiting: dict[tuple[torch.dtype, torch.device], list[torch.Tensor]] = {}
    sizes: dict[tuple[torch.dtype, torch.device], int] = {}
    for gradient in gradients:
        kind = gradient.dtype, gradient.device
        waiting.setdefault(kind, []).append(gradient)
        sizes[kind] = sizes.get(kind, 0) + gradient.numel() * gradient.element_size()
        if sizes[kind] >= _BUCKET_BYTES:
            sizes[kind] = 0
            yield waiting.pop(kind)
    yield from waiting.values()


def _average_bucket(gradients: list[torch.Tensor]) -> None:
    flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
    flat.div_(distributed.get_world_size())  # before the sum: float16 would overflow
    distributed.all_reduce(flat)
    parts = torch.split(flat, [gradient.numel() for gradient in gradients])
    for gradient, part in zip(gradients, parts, strict=True):
        gradient.copy_(part.view(gradient.shape))
