"""Values that lead from one number to another while a training runs: ramp-ups and decays.

Each is called with a step and gives a number: a weight of a loss, a momentum, a learning rate. As a
factor of a learning rate it makes a scheduler of torch's. What torch has by itself stays there:
`LinearLR`, `CosineAnnealingLR`, `CosineAnnealingWarmRestarts`, `ExponentialLR`, `MultiStepLR`,
`OneCycleLR`, and `SequentialLR` and `ChainedScheduler` to have several, these here among them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from numbers import Real
from typing import TYPE_CHECKING, Any

from thexp_pl.errors import UsageError

if TYPE_CHECKING:
    from torch.optim import Optimizer
    from torch.optim.lr_scheduler import LambdaLR

__all__ = ["CosineRamp", "LinearRamp", "SigmoidRamp"]


@dataclass(frozen=True)
class LinearRamp:
    """A straight line from `start` to `end`; a decay where `end` is the smaller one.

    Args:
        steps: How long it takes, at least 1: batches or epochs, as it is called.
        start: The value at step 0 and before.
        end: The value at `steps` and from then on.

    Raises:
        UsageError: A value is no such number.

    >>> ramp = LinearRamp(4, end=2.0)
    >>> [ramp(step) for step in (0, 1, 2, 4, 9)]
    [0.0, 0.5, 1.0, 2.0, 2.0]
    """

    steps: int
    start: float = 0.0
    end: float = 1.0

    def __post_init__(self) -> None:
        if type(self.steps) is not int or self.steps < 1:
            raise UsageError(f"steps={self.steps!r}: give a whole number from 1")
        for name, value in (("start", self.start), ("end", self.end)):
            _check_number(name, value)
        _check_number("end - start", self.end - self.start)

    def __call__(self, step: Any) -> float:
        """Give the value at a step.

        Args:
            step: A real number, from 0; parts of a step count as well.

        Raises:
            UsageError: It is no number.
        """
        if not isinstance(step, Real) or math.isnan(step):
            raise UsageError(f"step={step!r}: give a number")
        share = min(max(float(step), 0.0), self.steps) / self.steps
        value = self.start + (self.end - self.start) * self._risen(share)
        low, high = sorted((self.start, self.end))
        return float(min(max(value, low), high))  # whatever was rounded

    def lr_scheduler(self, optimizer: Optimizer, last_epoch: int = -1) -> LambdaLR:
        """Make a scheduler that multiplies the learning rates of an optimizer by the values.

        Its state holds this schedule's numbers and can be saved; loaded, it goes on with them.

        Args:
            optimizer: The optimizer.
            last_epoch: As torch's schedulers take it.

        >>> import torch
        >>> optim = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.5)
        >>> scheduler = CosineRamp(10, start=1.0, end=0.0).lr_scheduler(optim)
        >>> for _ in range(5):
        ...     optim.step()
        ...     scheduler.step()
        >>> optim.param_groups[0]["lr"]
        0.25
        """
        from torch.optim.lr_scheduler import LambdaLR  # torch takes long to import

        return LambdaLR(optimizer, replace(self), last_epoch)  # loading a state writes into it

    def _risen(self, share: float) -> float:
        """Give which part of the way is done when this share of the steps is."""
        return share


@dataclass(frozen=True)
class CosineRamp(LinearRamp):
    """Half a wave of the cosine from `start` to `end`: flat at both.

    Args:
        steps: As in `LinearRamp`.
        start: As in `LinearRamp`.
        end: As in `LinearRamp`.

    Raises:
        UsageError: A value is no such number.

    Source: as a decay, I. Loshchilov and F. Hutter, SGDR, ICLR 2017, without restarts; torch's
    ``CosineAnnealingLR`` is the same up to its ``T_max`` and rises again after it.

    >>> decay = CosineRamp(4, start=1.0, end=0.0)
    >>> [round(decay(step), 3) for step in range(5)]
    [1.0, 0.854, 0.5, 0.146, 0.0]
    """

    def _risen(self, share: float) -> float:
        return (1 - math.cos(math.pi * share)) / 2


@dataclass(frozen=True)
class SigmoidRamp(LinearRamp):
    """A curve of the shape of a sigmoid, ``exp(-sharpness * (1 - step / steps)**2)`` of the way.

    At step 0 a part of ``exp(-sharpness)`` is done already. A decay is the mirror image,
    ``exp(-sharpness * (step / steps)**2)``: when its steps are done that part is left, and stays.

    Args:
        steps: As in `LinearRamp`.
        start: As in `LinearRamp`; what a ramp-up comes from.
        end: As in `LinearRamp`; what a decay goes towards.
        sharpness: Above 0.

    Raises:
        UsageError: A value is no such number.

    Source: S. Laine and T. Aila, Temporal Ensembling for Semi-Supervised Learning, ICLR 2017: a
    sharpness of 5 for the ramp-up of a weight, of 12.5 for the decay of a learning rate.

    >>> ramp = SigmoidRamp(80)
    >>> [round(ramp(step), 4) for step in (0, 40, 80)]
    [0.0067, 0.2865, 1.0]
    """

    sharpness: float = 5.0

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_number("sharpness", self.sharpness)
        if self.sharpness <= 0:
            raise UsageError(f"sharpness={self.sharpness!r}: give a number above 0")

    def _risen(self, share: float) -> float:
        if self.end >= self.start:
            return math.exp(-self.sharpness * (1 - share) ** 2)
        return 1 - math.exp(-self.sharpness * share**2)


def _check_number(name: str, value: object) -> None:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value):  # type: ignore[arg-type]  # a number by then
        raise UsageError(f"{name}={value!r}: give a finite number")
