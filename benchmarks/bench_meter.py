"""Ten values recorded into a Meter and averaged by an AvgMeter, as every training step does."""

from __future__ import annotations

import collections
import collections.abc
from collections.abc import Callable
from typing import Any

import torch

from benchmarks.harness import Goal, Report, measure, peer
from thexp_pl import AvgMeter, Meter

NAMES = [f"value{index}" for index in range(10)]
VALUES: dict[str, list[Any]] = {
    "floats": [index / 10 for index in range(10)],
    "0-d tensors": [torch.tensor(index / 10) for index in range(10)],
}
OURS, THEXP, METRICS = "Meter + AvgMeter", "thexp 1.1.10", "10 MeanMetric.update"


def recorded(meter: Callable[[], Any], average: Any, values: list[Any]) -> Callable[[], object]:
    """One step: a new Meter, ten attributes, one update."""

    def step() -> None:
        step_meter = meter()
        for name, value in zip(NAMES, values, strict=True):
            setattr(step_meter, name, value)
        average.update(step_meter)

    return step


def ten_metrics(mean_metric: Callable[[], Any], values: list[Any]) -> Callable[[], object]:
    """The same with a torchmetrics.MeanMetric for each name."""
    metrics = [mean_metric() for _ in NAMES]

    def step() -> None:
        for metric, value in zip(metrics, values, strict=True):
            metric.update(value)

    return step


def thexp_frame(absent: list[str]) -> Any:
    """Import thexp, which needs what Python 3.10 took out of `collections`."""
    for name in ("Callable", "Iterable", "Mapping", "MutableMapping", "Sequence"):
        if not hasattr(collections, name):
            setattr(collections, name, getattr(collections.abc, name))
    return peer("thexp.frame", absent)


def report(repeats: int) -> Report:
    """Measure floats and tensors; the sum of one tensor is there to read other machines by."""
    absent: list[str] = []
    thexp, torchmetrics = thexp_frame(absent), peer("torchmetrics", absent)
    total = torch.zeros(())
    cases: dict[str, Callable[[], object]] = {"tensor.add_": lambda: total.add_(1.0)}
    goals = []
    for kind, values in VALUES.items():
        ours, theirs, metrics = (f"{who}, {kind}" for who in (OURS, THEXP, METRICS))
        cases[ours] = recorded(Meter, AvgMeter(), values)
        if thexp is not None:
            cases[theirs] = recorded(thexp.Meter, thexp.AvgMeter(), values)
        if torchmetrics is not None:
            cases[metrics] = ten_metrics(torchmetrics.MeanMetric, values)
        goals += [Goal(ours, theirs, 1 / 3), Goal(ours, metrics, 1 / 10)]
    return Report("Ten values of one step", measure(cases, repeats), goals, absent)
