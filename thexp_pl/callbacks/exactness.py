"""Whether a training that goes on from its checkpoints ends with the same bits."""

from __future__ import annotations

import warnings
import weakref
from collections.abc import Iterator
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import BaseFinetuning, StochasticWeightAveraging

from thexp_pl.callbacks.positions import takes
from thexp_pl.data.standing import keeps_state

__all__ = ["tell_inexactness"]

_told: weakref.WeakSet[pl.Trainer] = weakref.WeakSet()


def tell_inexactness(trainer: pl.Trainer, *, keeps_states: bool) -> None:
    """Warn, once for a Trainer, that going on from a checkpoint will not be exact, and why.

    Args:
        trainer: The Trainer, whose train loaders are set up.
        keeps_states: Whether a callback keeps the random states.
    """
    reasons = list(_reasons(trainer, keeps_states))
    if reasons and trainer.is_global_zero and trainer not in _told:
        _told.add(trainer)
        # into Lightning, which then shows the line alone
        warnings.warn(
            f"resuming will not be exact: {'; '.join(reasons)}", UserWarning, stacklevel=4
        )


def _reasons(trainer: pl.Trainer, keeps_states: bool) -> Iterator[str]:
    if not keeps_states:
        yield "the random states are not saved (add RndCallback() to the callbacks)"
    callbacks: list[Any] = trainer.callbacks  # type: ignore[attr-defined]  # set elsewhere
    for callback in callbacks:
        if isinstance(callback, (BaseFinetuning, StochasticWeightAveraging)):
            yield (
                f"{type(callback).__name__} acts at an epoch's start, which Lightning leaves out"
                " when it goes on in the midst of one (save at epochs' ends only)"
            )
    loop: Any = trainer.fit_loop
    loaders = [] if loop._combined_loader is None else loop._combined_loader.flattened
    fetcher = loop._data_fetcher
    reads_ahead = getattr(fetcher, "prefetch_batches", 0) > 0 and fetcher.length is None
    found = (_reason(loader, reads_ahead) for loader in loaders)
    yield from dict.fromkeys(reason for reason in found if reason is not None)


def _reason(loader: Any, reads_ahead: bool) -> str | None:
    name = type(loader).__name__
    if not keeps_state(loader):
        return (
            f"the train loader, a {name}, does not keep its place in the data"
            " (give thexp_pl.data.exact(loader))"
        )
    if getattr(loader, "inexact", None) is not None:
        return str(loader.inexact)
    if reads_ahead and not takes(loader.state_dict, "ahead"):
        return (
            f"the train loader, a {name}, has no length, so that Lightning reads a batch ahead, and"
            " its state_dict takes no `ahead` (give a thexp_pl.data.ExactDataLoader)"
        )
    return None
