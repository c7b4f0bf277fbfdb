"""The running means of an epoch in progress: `self.log(..., on_epoch=True)` and torchmetrics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from operator import attrgetter
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.trainer.connectors.logger_connector.result import (
    _Metadata,
    _ResultMetric,
    _Sync,
)
from torchmetrics import Metric

__all__ = ["restore_means", "restore_metrics", "saved_means", "saved_metrics"]

_META = (
    "fx",
    "name",
    "prog_bar",
    "logger",
    "on_step",
    "on_epoch",
    "enable_graph",
    "add_dataloader_idx",
    "dataloader_idx",
    "metric_attribute",
)


def saved_means(trainer: pl.Trainer) -> dict[str, dict[str, Any]]:
    """Give what `self.log` has summed in this epoch's training steps.

    Returns:
        By Lightning's key the arguments of `self.log`, and the tensors ``value`` and
        ``cumulated_batch_size`` where it was no Metric that was logged. A value that is reduced
        over some of the ranks only is left out.
    """
    results: Mapping[str, Any] = trainer.fit_loop.epoch_loop._results
    means = {}
    for key, metric in results.items():
        meta = metric.meta
        if metric.has_reset or not meta.on_epoch or meta.sync.group is not None:
            continue
        means[key] = {name: getattr(meta, name) for name in _META} | {
            "reduce_fx": meta.reduce_fx.__name__,
            "sync_dist": meta.sync.should,
            "rank_zero_only": meta.sync.rank_zero_only,
        }
        for name in ("value", "cumulated_batch_size") if metric.is_tensor else ():
            if hasattr(metric, name):
                means[key][name] = getattr(metric, name).detach()
    return means


def restore_means(
    trainer: pl.Trainer, pl_module: pl.LightningModule, saved: Mapping[str, Mapping[str, Any]]
) -> None:
    """Go on with the sums of an epoch in progress.

    Args:
        trainer: The Trainer, before its first batch.
        pl_module: Its module, which has the Metrics that were logged.
        saved: What `saved_means` gave.
    """
    results = trainer.fit_loop.epoch_loop._results
    for key, one in saved.items():
        metric = _ResultMetric(_metadata(trainer, one), is_tensor="value" in one)
        metric._update_count = 1  # else torchmetrics warns that there is nothing to compute
        if metric.is_tensor:
            for name in ("value", "cumulated_batch_size"):
                if name in one:
                    setattr(metric, name, one[name].to(pl_module.device, copy=True))
        else:
            metric.value = attrgetter(one["metric_attribute"])(pl_module)
        results[key] = metric
    # or Lightning takes the first batch for the first of an epoch, and begins all sums anew
    trainer._logger_connector._first_loop_iter = False


def _metadata(trainer: pl.Trainer, saved: Mapping[str, Any]) -> _Metadata:
    meta = _Metadata(**{name: saved[name] for name in _META}, reduce_fx=saved["reduce_fx"])
    meta.sync = _Sync(
        _should=saved["sync_dist"],
        fn=trainer.strategy.reduce,
        rank_zero_only=saved["rank_zero_only"],
    )
    return meta


# -- torchmetrics --------------------------------------------------------------------------------


def saved_metrics(trainer: pl.Trainer, pl_module: pl.LightningModule) -> dict[str, dict[str, Any]]:
    """Give what the module's own Metrics have counted; a module's `state_dict` leaves it out.

    Those of a validation that is about to end are left out: Lightning resets them next.

    Returns:
        By the Metric's name ``updates`` and ``states``: tensors, or lists of them.
    """
    done = set()
    if trainer.validating or trainer.sanity_checking:
        validated = trainer.fit_loop.epoch_loop.val_loop._results.values()
        done = {id(result.value) for result in validated}
    return {
        name: {
            "updates": metric._update_count,
            "states": {state: getattr(metric, state) for state in metric._defaults},
        }
        for name, metric in _metrics(pl_module)
        if metric._update_count and id(metric) not in done
    }


def restore_metrics(pl_module: pl.LightningModule, saved: Mapping[str, Mapping[str, Any]]) -> None:
    """Go on with what the module's Metrics had counted.

    Args:
        pl_module: The module.
        saved: What `saved_metrics` gave; of a Metric that is no more there, nothing is restored.
    """
    for name, metric in _metrics(pl_module):
        for state, value in saved.get(name, {}).get("states", {}).items():
            moved = (
                [one.to(metric.device, copy=True) for one in value]
                if isinstance(value, list)
                else value.to(metric.device, copy=True)
            )
            setattr(metric, state, moved)
        if name in saved:
            metric._update_count = saved[name]["updates"]
            metric._computed = None


def _metrics(pl_module: pl.LightningModule) -> Iterator[tuple[str, Metric]]:
    for name, module in pl_module.named_modules():
        if isinstance(module, Metric):
            yield name, module
