"""What trainings calculate again and again: how often a model is right, and weights over time.

`accuracy` is torchmetrics' own, for several k at once. `LinearRamp`, `CosineRamp` and `SigmoidRamp`
lead from one value to another, up or down, for the weight of a loss or for a learning rate.
"""

from __future__ import annotations

from thexp_pl.calculate.accuracy import accuracy
from thexp_pl.calculate.schedules import CosineRamp, LinearRamp, SigmoidRamp

__all__ = ["CosineRamp", "LinearRamp", "SigmoidRamp", "accuracy"]
