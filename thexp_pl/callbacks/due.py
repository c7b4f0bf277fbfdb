"""When a training is at a place from which it can go on exactly, and which saves are due there."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl

from thexp_pl.errors import UsageError

__all__ = ["Schedule", "at_last_batch", "can_go_on_from_here", "ends_here", "validation_is_due"]


class Schedule:
    """Which saves are due, counted in batches and epochs that are done.

    A save that falls due where none can be made waits for the next place where one can; a place is
    saved once, however many rules ask for it.

    Args:
        every_n_epochs: After every n-th epoch; None for none.
        every_n_batches: After every n-th batch of all epochs; None for none.
        keypoint_every: A keypoint after every n-th epoch; None for none.

    Raises:
        UsageError: One of these is no positive number.

    >>> schedule = Schedule(every_n_epochs=1, every_n_batches=3)
    >>> schedule.begin(batches=0)
    >>> schedule.count_batch(3)
    >>> schedule.take(3), schedule.take(3)
    (True, False)
    """

    def __init__(
        self,
        every_n_epochs: int | None = 1,
        every_n_batches: int | None = None,
        keypoint_every: int | None = None,
    ) -> None:
        self._every_n_epochs = _period("every_n_epochs", every_n_epochs)
        self._every_n_batches = _period("every_n_batches", every_n_batches)
        self._keypoint_every = _period("keypoint_every", keypoint_every)
        self._is_due = False
        self._saved_at: int | None = None

    def begin(self, batches: int) -> None:
        """Take the place from which training goes on as saved.

        Args:
            batches: How many of all epochs are done.
        """
        self._is_due, self._saved_at = False, batches

    def count_batch(self, batches: int) -> None:
        """Take notice of a batch that is done."""
        if self._every_n_batches is not None and batches % self._every_n_batches == 0:
            self.ask()

    def count_epoch(self, epochs: int) -> bool:
        """Take notice of an epoch that is done, and say whether a keypoint is due.

        Args:
            epochs: How many are done.
        """
        if self._every_n_epochs is not None and epochs % self._every_n_epochs == 0:
            self.ask()
        return self._keypoint_every is not None and epochs % self._keypoint_every == 0

    def ask(self) -> None:
        """Have the next place saved."""
        self._is_due = True

    @property
    def is_due(self) -> bool:
        """Whether the next place is to be saved."""
        return self._is_due

    def take(self, batches: int) -> bool:
        """Say whether to save at this place, which then counts as saved.

        Args:
            batches: How many of all epochs are done.
        """
        is_due = self._is_due and batches != self._saved_at
        self._is_due = False
        if is_due:
            self._saved_at = batches
        return is_due


def _period(name: str, value: int | None) -> int | None:
    if value is not None and (type(value) is not int or value < 1):
        raise UsageError(f"{name} must be 1 or more, or None for never, not {value!r}")
    return value


def can_go_on_from_here(trainer: pl.Trainer) -> bool:
    """Say whether a checkpoint of this moment, at a batch's end, would hold all there is.

    In the midst of an accumulation it would lack the gradients; after an epoch's last batch, what
    is done at the epoch's end.
    """
    return not trainer.fit_loop._should_accumulate() and not at_last_batch(trainer)


def at_last_batch(trainer: pl.Trainer) -> bool:
    """Say whether the batch that is done is the last of its epoch."""
    return trainer.fit_loop.epoch_loop._num_ready_batches_reached()


def validation_is_due(trainer: pl.Trainer) -> bool:
    """Say whether a validation follows this batch; going on from before it would leave it out."""
    loop: Any = trainer.fit_loop
    return bool(loop.epoch_loop._should_check_val_fx(loop._data_fetcher))


def ends_here(trainer: pl.Trainer) -> bool:
    """Say whether no further batch follows: at a limit of steps or epochs, or stopped early."""
    loop: Any = trainer.fit_loop
    if loop.max_steps not in (None, -1) and loop.epoch_loop.global_step >= loop.max_steps:
        return True
    epochs = loop.epoch_progress.current.processed
    if loop.max_epochs not in (None, -1) and epochs >= loop.max_epochs:
        return True
    return bool(trainer.should_stop and loop._can_stop_early)
