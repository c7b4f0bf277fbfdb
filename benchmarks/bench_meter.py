"""Values recorded into a Meter and averaged by an AvgMeter, as every training step does."""

from __future__ import annotations

import collections
import collections.abc
from collections.abc import Callable
from typing import Any

import torch

from benchmarks.harness import Scale, measure, peer
from benchmarks.report import Goal, Growth, Report
from thexp_pl import AvgMeter, Meter

TEN = 10
SIZES = (1, TEN, 50, 200)
KINDS: dict[str, Callable[[float], Any]] = {"float": float, "0-d tensor": torch.tensor}
OURS, THEXP, METRICS = "Meter + AvgMeter", "thexp 1.1.10", "MeanMetric.update"
ADDED = "tensor.add_"
WHY = (
    "The floor is a dict entry for each value and an addition of floats; of tensors it is one"
    f" {ADDED}, the dearest of a step's work that cannot be spared, whereas thexp and torchmetrics"
    " add each value by itself. Our tensors are copied into one row by a single call of torch, and"
    " hundreds of rows are summed at once, with the rounding errors; what a step costs however few"
    " its values are is paid even for one, where we are hardly ahead of thexp."
)


def recorded(meter: Callable[[], Any], average: Any, values: dict[str, Any]) -> Callable[[], None]:
    """One step: a new Meter, its attributes, one update."""

    def step() -> None:
        step_meter = meter()
        for name, value in values.items():
            setattr(step_meter, name, value)
        average.update(step_meter)

    return step


def metric_each(mean_metric: Callable[[], Any], values: dict[str, Any]) -> Callable[[], None]:
    """The same with a torchmetrics.MeanMetric for each name."""
    metrics = [(mean_metric(), value) for value in values.values()]

    def step() -> None:
        for metric, value in metrics:
            metric.update(value)

    return step


def thexp_frame(absent: list[str]) -> Any:
    """Import thexp, which needs what Python 3.10 took out of `collections`."""
    for name in ("Callable", "Iterable", "Mapping", "MutableMapping", "Sequence"):
        if not hasattr(collections, name):
            setattr(collections, name, getattr(collections.abc, name))
    return peer("thexp.frame", absent)


def named(who: str, kind: str, size: int) -> str:
    """Name a case."""
    return f"{who}, {size} {kind}{'s' if size > 1 else ''}"


def report(scale: Scale) -> Report:
    """Measure floats and tensors; the sum of one tensor is there to read other machines by."""
    absent: list[str] = []
    thexp, torchmetrics = thexp_frame(absent), peer("torchmetrics", absent)
    total = torch.zeros(())
    cases: dict[str, Callable[[], object]] = {ADDED: lambda: total.add_(1.0)}
    goals = []
    for kind, make in KINDS.items():
        for size in SIZES:
            values = {f"value{index}": make(index / size) for index in range(size)}
            ours, theirs, metrics = (named(who, kind, size) for who in (OURS, THEXP, METRICS))
            cases[ours] = recorded(Meter, AvgMeter(), values)
            if thexp is not None:
                cases[theirs] = recorded(thexp.Meter, thexp.AvgMeter(), values)
            if torchmetrics is not None:
                cases[metrics] = metric_each(torchmetrics.MeanMetric, values)
            limits = (1 / 3, 1 / 10) if size == TEN else (1, 1)
            goals += [Goal(ours, theirs, limits[0]), Goal(ours, metrics, limits[1])]
    growths = [
        Growth(f"{who}, {kind}s", "values", {size: named(who, kind, size) for size in SIZES})
        for kind in KINDS
        for who in (OURS, THEXP, METRICS)
    ]
    seconds = measure(cases, scale)
    return Report("The values of a step", seconds, goals, absent, growths=growths, why=WHY)
