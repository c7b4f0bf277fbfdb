"""That an EarlyStopping has stopped a training, which is no part of its checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import EarlyStopping

__all__ = ["EarlyStops"]

_SETTINGS = (
    "patience",
    "min_delta",
    "check_finite",
    "stopping_threshold",
    "divergence_threshold",
)


class EarlyStops:
    """The EarlyStopping callbacks of a fit, as they were made.

    Lightning forgets `trainer.should_stop`: a training that was stopped would train on.

    Args:
        trainer: The Trainer, whose callbacks no checkpoint has been loaded to; that sets their
            patience.
    """

    def __init__(self, trainer: pl.Trainer) -> None:
        self._made = {
            callback.state_key: {name: _plain(getattr(callback, name)) for name in _SETTINGS}
            for callback in _early_stopping(trainer)
        }

    def stopped(self, trainer: pl.Trainer) -> dict[str, dict[str, Any]]:
        """Give those that have stopped the training.

        Returns:
            By state key how each was made; where `min_epochs` lets the training go on, too.
        """
        if not trainer.should_stop:
            return {}
        return {
            callback.state_key: self._made[callback.state_key]
            for callback in _early_stopping(trainer)
            if callback.state_key in self._made and _has_stopped(callback)
        }

    def stop_again(self, trainer: pl.Trainer, stopped: object, *, within: bool) -> None:
        """Stop a training where one of those that had stopped it is there again, made alike.

        Args:
            trainer: The Trainer, as its training starts.
            stopped: What `stopped` gave; of anything else, nothing is stopped.
            within: Whether it goes on within an epoch, whose end is still to come.
        """
        if not isinstance(stopped, Mapping):
            return
        if not any(stopped.get(key) == made for key, made in self._made.items()):
            return
        if within:
            _after_reset(trainer.fit_loop.epoch_loop, trainer)
        else:
            trainer.should_stop = True


def _after_reset(loop: Any, trainer: pl.Trainer) -> None:
    """Stop once the epoch goes on: sooner, and Lightning would leave out its end."""
    reset = loop.reset

    def reset_and_stop() -> None:
        loop.reset = reset
        reset()
        trainer.should_stop = True

    loop.reset = reset_and_stop


def _early_stopping(trainer: pl.Trainer) -> list[EarlyStopping]:
    callbacks: list[Any] = trainer.callbacks  # type: ignore[attr-defined]  # set elsewhere
    return [callback for callback in callbacks if isinstance(callback, EarlyStopping)]


def _has_stopped(callback: EarlyStopping) -> bool:
    reason = getattr(callback, "stopping_reason", None)  # since Lightning 2.6
    if reason is not None:
        return bool(reason.value)
    return callback.stopped_epoch > 0 or callback.wait_count >= callback.patience


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, bool) else float(value)
