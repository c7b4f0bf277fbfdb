"""A fit that ends between two batches, in the midst of an epoch if need be, to go on later.

Lightning ends a fit with the end of an epoch. Here it leaves its loops between two batches, as its
own Tuner does; what a checkpoint of that moment holds is what the next fit goes on from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.utilities.exceptions import _TunerExitException

from thexp_pl.callbacks import SaverCallback
from thexp_pl.callbacks.progress import completed_batches, completed_epochs

__all__ = ["in_place_of", "pausing_after", "pausing_when"]


@contextmanager
def pausing_after(trainer: pl.Trainer, batches: int, keep: Callable[[], None]) -> Iterator[None]:
    """Have a fit pause when a number of batches are done; one that ends at the same place ends.

    As long as batches are to come, `max_epochs` makes room for another epoch.

    Args:
        trainer: The Lightning Trainer, whose next fit it is.
        batches: How many, of all epochs that were ever trained.
        keep: As for `pausing_when`.
    """
    fit: Any = trainer.fit_loop
    after_epoch = fit.on_advance_end

    def on_epoch_end() -> None:
        after_epoch()
        if completed_batches(trainer) < batches and fit.max_epochs != -1:
            fit.max_epochs = max(fit.max_epochs, completed_epochs(trainer) + 1)

    with (
        in_place_of(fit, "on_advance_end", on_epoch_end),
        pausing_when(trainer, lambda: completed_batches(trainer) >= batches, keep),
    ):
        yield


@contextmanager
def pausing_when(
    trainer: pl.Trainer, is_due: Callable[[], bool], keep: Callable[[], None]
) -> Iterator[None]:
    """Have a fit pause after a batch; one that ends at the same place ends.

    A pause calls neither `on_train_end` nor, in the midst of an epoch, `on_train_epoch_end`.

    Args:
        trainer: The Lightning Trainer, whose next fit it is.
        is_due: Asked after each batch and each epoch, on all ranks alike.
        keep: Called at the pause, in the fit and on all ranks: it keeps what the next fit needs.
    """
    fit: Any = trainer.fit_loop
    after_batch, after_epoch = fit.epoch_loop.on_advance_end, fit.on_advance_end

    def pause_if_due(is_ending: bool) -> None:
        if is_due() and not is_ending:
            keep()
            for callback in trainer.callbacks:  # type: ignore[attr-defined]  # set elsewhere
                if isinstance(callback, SaverCallback):
                    callback.pause()
            raise _TunerExitException

    def on_batch_end(fetcher: Any) -> None:
        after_batch(fetcher)
        # `done` alone is false after the first batch of a fit that goes on in an epoch
        pause_if_due(fit.epoch_loop._is_training_done or fit.epoch_loop.done)

    def on_epoch_end() -> None:
        after_epoch()
        pause_if_due(fit.done)

    with (
        in_place_of(fit.epoch_loop, "on_advance_end", on_batch_end),
        in_place_of(fit, "on_advance_end", on_epoch_end),
    ):
        yield


@contextmanager
def in_place_of(owner: object, name: str, function: Callable[..., Any]) -> Iterator[None]:
    """Have an object call a function where it calls a method of its own.

    Args:
        owner: The object.
        name: The method, or what another `in_place_of` has put in its place.
        function: The function.
    """
    before = vars(owner).get(name)
    setattr(owner, name, function)
    try:
        yield
    finally:
        if before is None:
            delattr(owner, name)
        else:
            setattr(owner, name, before)
