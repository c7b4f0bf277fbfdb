"""The gradients that one backward has touched, averaged over all ranks."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from enum import IntEnum

import torch

from thexp_pl.strategies.exchange import Exchange
from thexp_pl.strategies.flat import buckets, joined, put_back

__all__ = ["Touch", "TouchedGradients", "average"]

_AT_ONCE = 2  # messages under way while the next one is made ready: gloo's threads


class Touch(IntEnum):
    """What a backward has done to a gradient; of several ranks the most counts."""

    NONE = 0
    DENSE = 1
    SPARSE = 2


class TouchedGradients:
    """Which gradients a backward has changed, seen from before it.

    Autograd adds to a gradient in place, which raises its version, or makes another tensor.

    Args:
        parameters: The parameters that may have gradients.
    """

    def __init__(self, parameters: Sequence[torch.Tensor]) -> None:
        self._parameters = parameters
        # the tensors, and not their ids: one that is let go of leaves its id to the next
        self._before = [_standing(parameter.grad) for parameter in parameters]

    def touched(self) -> list[Touch]:
        """Say of each parameter what has become of its gradient."""
        pairs = zip(self._parameters, self._before, strict=True)
        return [_touch(parameter.grad, *before) for parameter, before in pairs]


def _standing(gradient: torch.Tensor | None) -> tuple[torch.Tensor | None, int]:
    return gradient, 0 if gradient is None else gradient._version


def _touch(now: torch.Tensor | None, before: torch.Tensor | None, version: int) -> Touch:
    if now is None or (now is before and now._version == version):
        return Touch.NONE
    return Touch.DENSE if now.layout is torch.strided else Touch.SPARSE


def average(parameters: Iterable[torch.Tensor], exchange: Exchange) -> None:
    """Put the mean over all ranks in place of each parameter's gradient.

    A rank without a gradient takes part with zeros: the loss did not depend on it there.

    Args:
        parameters: The same ones on all ranks, with dense gradients or none.
        exchange: The way to the other ranks.
    """
    under_way: deque[tuple[list[torch.Tensor], torch.Tensor, Callable[[], None]]] = deque()
    with torch.no_grad():
        for bucket in buckets([_gradient(parameter) for parameter in parameters]):
            row = joined(bucket)
            row.div_(exchange.size)  # before the sum: float16 would overflow
            under_way.append((bucket, row, exchange.begin_sum(row)))
            if len(under_way) > _AT_ONCE:
                _finish(*under_way.popleft())
        for sent in under_way:
            _finish(*sent)


def _finish(bucket: list[torch.Tensor], row: torch.Tensor, wait: Callable[[], None]) -> None:
    wait()
    put_back(bucket, row)


def _gradient(parameter: torch.Tensor) -> torch.Tensor:
    if parameter.grad is None:
        parameter.grad = torch.zeros_like(parameter)
    gradient = parameter.grad.detach()
    return torch.view_as_real(gradient) if gradient.is_complex() else gradient
