"""What the Meters of all ranks say together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from torchmetrics import Metric

from thexp_pl.errors import TrainerError
from thexp_pl.meter import AvgMeter, Meter

__all__ = ["computed", "joined", "metrics_in", "numbers_of"]

Sums = dict[str, dict[str, Any]]


def numbers_of(average: AvgMeter) -> Sums:
    """Give the state of an AvgMeter, of its numbers alone."""
    state = average.state_dict()
    return {name: _with_number(kept) for name, kept in state.items() if kept["count"]}


def joined(all_sums: Iterable[Mapping[str, Any]]) -> AvgMeter:
    """Merge states of AvgMeters, in this order: of what is no number the last one's stays.

    Args:
        all_sums: What `AvgMeter.state_dict` gave, in the same order on every rank, so that all have
            the same bits.
    """
    result = AvgMeter()
    for sums in all_sums:
        one = AvgMeter()
        one.load_state_dict(sums)
        result.merge(one)
    return result


def metrics_in(meter: Meter) -> dict[str, Metric]:
    """Give the torchmetrics Metrics of a Meter that were updated, by name."""
    return {
        name: value
        for name, value in meter.items()
        if isinstance(value, Metric) and value.update_called
    }


def computed(metrics: Mapping[str, Metric], names: Mapping[int, Iterable[str]]) -> dict[str, Any]:
    """Compute Metrics, which synchronise then: on all ranks in the same order.

    Args:
        metrics: This rank's.
        names: By rank the names of its Metrics.

    Returns:
        The results by name.

    Raises:
        TrainerError: One is on some ranks only; the others would be waited for.
    """
    for name in sorted({name for each in names.values() for name in each}):
        without = [rank for rank, each in names.items() if name not in each]
        if without:
            raise TrainerError(
                f"the Metric {name!r} synchronises on all ranks, and was not updated on ranks "
                f"{without}: update it and put it into the Meter on every rank, or on none"
            )
    return {name: metrics[name].compute() for name in sorted(metrics)}


def _with_number(kept: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out a last value that is no number, such as a large tensor."""
    is_number = isinstance(kept["last"], (int, float))
    return {**kept, "last": kept["last"] if is_number else None}
