"""What `train_batch` and `test_eval_logic` return, as a Meter and as numbers to record."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from lightning_fabric.utilities.apply_func import move_data_to_device
from torchmetrics import Metric

from thexp_pl.callbacks.gather import gathered
from thexp_pl.callbacks.joined import computed, joined, metrics_in
from thexp_pl.errors import TrainerError
from thexp_pl.meter import AvgMeter, Meter

__all__ = ["as_meter", "numbers", "of_all_ranks", "own_metrics"]


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
    elif isinstance(result, Generator):
        raise TrainerError(
            f"{method} returned a generator, for it has a `yield`, and nothing of it has run; "
            "return a Meter, a dict or None"
        )
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


def of_all_ranks(meter: Meter, rank: int, samples: int, *, is_shared: bool) -> Meter:
    """Agree on the values of an evaluation; called on all ranks.

    Args:
        meter: This rank's.
        rank: Its number.
        samples: How many it has evaluated on.
        is_shared: Whether those were a share: then numbers are joined, those of an AvgMeter by what
            it has counted and others by the samples. Everything else, and all values where each
            rank has evaluated the whole, is rank 0's.

    Returns:
        The Meter, with values that are the same on all ranks; its Metrics are computed.

    Raises:
        TrainerError: A Metric is in the Meters of some ranks only.
    """
    metrics = metrics_in(meter) if isinstance(meter, AvgMeter) else {}
    if not is_shared:
        with own_metrics(metrics.values()):
            meter.update({name: metric.compute() for name, metric in metrics.items()})
    own = {"sums": _sums(meter), "samples": samples, "metrics": sorted(metrics)}
    told = gathered(own, rank, alone=False)
    if not is_shared:
        _put(meter, [told[0]])
        return meter
    # rank 0 at the end: of what is no number its value stays
    _put(meter, [told[number] for number in sorted(told, reverse=True)])
    meter.update(computed(metrics, {number: one["metrics"] for number, one in told.items()}))
    return meter


@contextmanager
def own_metrics(metrics: Iterable[Metric]) -> Iterator[None]:
    """Have Metrics keep to what this process has seen: all have seen the same.

    Args:
        metrics: Metrics that would synchronise when they are computed.
    """
    kept = [(metric, metric.distributed_available_fn) for metric in metrics]
    for metric, _ in kept:
        metric.distributed_available_fn = _is_alone
    try:
        yield
    finally:
        for metric, function in kept:
            metric.distributed_available_fn = function


def _is_alone() -> bool:
    return False


def _sums(meter: Meter) -> Any:
    if not isinstance(meter, AvgMeter):
        counted = AvgMeter()
        counted.update(meter)
        meter = counted
    return move_data_to_device(meter.state_dict(), "cpu")  # fit for another process


def _put(meter: Meter, told: list[dict[str, Any]]) -> None:
    """Put the values that ranks have told in place of this one's."""
    if isinstance(meter, AvgMeter):
        meter.load_state_dict(joined(one["sums"] for one in told).state_dict())
        return
    untold, formats = meter.__getstate__()
    for name in _sums(meter):
        del untold[name]
    meter.__setstate__(({**_values(told), **untold}, formats))


def _values(told: list[dict[str, Any]]) -> dict[str, Any]:
    values = [{name: kept["last"] for name, kept in one["sums"].items()} for one in told]
    if len(values) == 1:
        return values[0]
    nobody_counts = not any(one["samples"] for one in told)
    means = AvgMeter()
    for own, one in zip(values, told, strict=True):
        means.update(own, weight=one["samples"] or float(nobody_counts))
    return dict(means.items())
