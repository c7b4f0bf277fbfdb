"""What `train_batch` and `test_eval_logic` return, as a Meter and as numbers to record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from thexp_pl.errors import TrainerError
from thexp_pl.meter import AvgMeter, Meter

__all__ = ["as_meter", "numbers"]


def as_meter(result: Any, method: str) -> Meter:
    """Take what a method returned: a Meter, names and values, or nothing.

    Args:
        result: What it returned.
        method: Its name, for the message.

    Raises:
        TrainerError: It is something else, such as a generator: the method has a ``yield``.

    >>> as_meter({"loss": 0.5}, "train_batch")
    @loss=0.5000
    """
    if isinstance(result, Meter):
        return result
    meter = Meter()
    if isinstance(result, Mapping):
        meter.update(result)
    elif result is not None:
        raise TrainerError(
            f"{method} returned a {type(result).__name__}; return a Meter, a dict or None"
        )
    return meter


def numbers(meter: Meter, prefix: str) -> dict[str, float]:
    """Give the numbers of a Meter, the means of an AvgMeter.

    Args:
        meter: The values.
        prefix: What their names begin with, followed by an underscore.

    >>> numbers(as_meter({"loss": 0.5, "name": "x"}, "test_eval_logic"), "eval")
    {'eval_loss': 0.5}
    """
    items = meter.means().items() if isinstance(meter, AvgMeter) else meter.numeral_items()
    return {f"{prefix}_{name}": float(value) for name, value in items}
