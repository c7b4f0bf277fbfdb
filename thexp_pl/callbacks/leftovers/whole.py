"""All that Lightning leaves out, of every rank, as one part of a checkpoint."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import GradientAccumulationScheduler
from torch.utils._pytree import tree_map_only

from thexp_pl.callbacks.gather import gathered, has_failed
from thexp_pl.callbacks.leftovers.gradients import restore_gradients, saved_gradients
from thexp_pl.callbacks.leftovers.means import (
    restore_means,
    restore_metrics,
    saved_means,
    saved_metrics,
)
from thexp_pl.callbacks.leftovers.plateau import pending_steps, take_pending_steps
from thexp_pl.callbacks.progress import metrics_of
from thexp_pl.errors import CheckpointError
from thexp_pl.saver.sidecar import world_size

__all__ = ["collect", "is_within_epoch", "restore", "restore_callback_metrics"]


def collect(trainer: pl.Trainer, pl_module: pl.LightningModule) -> dict[str, Any]:
    """Give what a Lightning checkpoint of this moment lacks; call it on all ranks.

    These are gradients that wait for an optimizer's step (under manual optimisation where
    `watch_steps` is at work, else between the batches of an accumulation; in one process only),
    `trainer.callback_metrics`, the steps of a ReduceLROnPlateau that come next, and, within an
    epoch, the running means of `self.log(on_epoch=True)` and the counts of torchmetrics.

    Args:
        trainer: The Trainer, in a hook of a fit. Where an error ends it, no other rank is asked.
        pl_module: Its module.

    Returns:
        Tensors and plain values; the tensors are those in use, not copies, on one rank.
    """
    alone = has_failed(trainer)
    within = is_within_epoch(trainer)
    own = {
        "metrics": metrics_of(trainer),
        "gradients": saved_gradients(trainer, pl_module),
        "plateau": pending_steps(trainer),
        "within_epoch": within,
        "means": saved_means(trainer) if within else {},
        "torchmetrics": saved_metrics(trainer, pl_module) if within else {},
    }
    if world_size() > 1:  # another rank could not take a tensor of this one's device
        own = tree_map_only(torch.Tensor, torch.Tensor.cpu, own)
    return {
        "world_size": world_size(),
        "ranks": gathered(own, trainer.global_rank, alone=alone),
    }


def restore(trainer: pl.Trainer, pl_module: pl.LightningModule, state: Mapping[str, Any]) -> None:
    """Restore what `collect` gave.

    With another number of ranks than was saved the running means of an epoch begin anew.

    Args:
        trainer: The Trainer, right after the module's own `on_train_start`.
        pl_module: Its module.
        state: What was saved.

    Raises:
        CheckpointError: It is none of `collect`, or of another training.
    """
    with _refusal():
        own = _own(trainer, state)
        _restore_metrics(trainer, pl_module, own)
        _restore_own(trainer, pl_module, own, is_whole=state["world_size"] == world_size())


def restore_callback_metrics(
    trainer: pl.Trainer, pl_module: pl.LightningModule, state: Mapping[str, Any]
) -> None:
    """Restore the metrics alone, to a fit that had nothing left to do.

    Args:
        trainer: The Trainer, once the fit has ended.
        pl_module: Its module.
        state: What `collect` gave.

    Raises:
        CheckpointError: It is none of `collect`.
    """
    with _refusal():
        _restore_metrics(trainer, pl_module, _own(trainer, state))


@contextlib.contextmanager
def _refusal() -> Iterator[None]:
    try:
        yield
    except (LookupError, TypeError, AttributeError) as error:
        raise CheckpointError(
            "the checkpoint's metrics, means and gradients do not fit this training "
            f"({type(error).__name__}: {error}); it was saved by other code"
        ) from error


def _own(trainer: pl.Trainer, state: Mapping[str, Any]) -> Mapping[str, Any]:
    saved, rank = state["ranks"], trainer.global_rank
    own: Mapping[str, Any] = saved[rank if rank in saved else min(saved, default=rank)]
    return own


def _restore_metrics(
    trainer: pl.Trainer, pl_module: pl.LightningModule, own: Mapping[str, Any]
) -> None:
    device = pl_module.device
    metrics = {name: value.to(device, copy=True) for name, value in own["metrics"].items()}
    trainer._logger_connector._callback_metrics.update(metrics)


def _restore_own(
    trainer: pl.Trainer, pl_module: pl.LightningModule, own: Mapping[str, Any], *, is_whole: bool
) -> None:
    restore_gradients(trainer, own["gradients"])
    take_pending_steps(trainer, own["plateau"])
    if not own["within_epoch"]:
        return
    # at the end of an epoch that it goes on with, Lightning would take no step of a
    # ReduceLROnPlateau, for want of the metrics
    trainer.fit_loop._restarting = False
    callbacks: list[Any] = trainer.callbacks  # type: ignore[attr-defined]  # set elsewhere
    for callback in callbacks:
        # it counts at an epoch's start, which Lightning leaves out
        if isinstance(callback, GradientAccumulationScheduler):
            callback.on_train_epoch_start(trainer, pl_module)
    if is_whole:
        restore_means(trainer, pl_module, own["means"])
        restore_metrics(pl_module, own["torchmetrics"])


def is_within_epoch(trainer: pl.Trainer) -> bool:
    """Say whether an epoch has begun and its end is still to come."""
    epochs: Any = trainer.fit_loop.epoch_progress.current
    return bool(epochs.processed < epochs.ready)
