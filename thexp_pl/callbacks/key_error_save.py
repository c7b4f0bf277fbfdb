"""Ctrl-C that saves a keypoint and asks whether to go on."""

from __future__ import annotations

import signal
import threading
from functools import partial
from types import FrameType
from typing import Any

import pytorch_lightning as pl

from thexp_pl.callbacks.hook import Hookable
from thexp_pl.callbacks.preemption import Signals
from thexp_pl.callbacks.progress import (
    completed_batches,
    completed_epochs,
    full_state,
    sidecar_info,
)
from thexp_pl.callbacks.refusals import refuse_twin
from thexp_pl.callbacks.saver import SaverCallback
from thexp_pl.callbacks.terminal import ask, at_terminal, say
from thexp_pl.errors import UsageError
from thexp_pl.record.faults import Tolerant

__all__ = ["KeyErrorSave"]

_AT_PLACE = Signals.answer.__code__


class KeyErrorSave(Hookable, pl.Callback):
    """Saves a keypoint at Ctrl-C, and at a terminal asks whether to go on.

    It answers for the `SaverCallback`, which takes the signal and saves a checkpoint once the batch
    that runs is done: then the keypoint of the same moment is saved, and someone asked. After any
    answer but "y" the training ends as Ctrl-C ends it. So it does in a batch job, whose input is no
    terminal, and a line says so. A second Ctrl-C ends it at once, without the question.

    On several devices rank 0 asks, and the others wait for the answer for as long as their process
    group does.

    Raises:
        UsageError: When a fit begins, that no SaverCallback takes signals.

    Source: thexp's ``KeyErrorSave``.
    """

    def __init__(self) -> None:
        self._trainer: pl.Trainer | None = None
        self._previous: Any = None

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Put this in the place of what a Ctrl-C does, before a SaverCallback takes the signals."""
        refuse_twin(trainer)
        self._let_go()
        if stage != "fit" or trainer.fast_dev_run:  # type: ignore[attr-defined]  # set elsewhere
            return
        saver = _saver_of(trainer)
        if saver is None or not saver.on_signal:
            raise UsageError(
                "KeyErrorSave saves with the SaverCallback, and there is none that takes signals: "
                "give callbacks=[SaverCallback(), KeyErrorSave()]"
            )
        previous = signal.getsignal(signal.SIGINT)
        if threading.current_thread() is threading.main_thread() and callable(previous):
            self._trainer, self._previous = trainer, previous
            signal.signal(signal.SIGINT, self._on_interrupt)

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Give Ctrl-C back."""
        self._let_go()

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        """Give Ctrl-C back after a training that failed."""
        self._let_go()

    def _let_go(self) -> None:
        if self._trainer is not None and signal.getsignal(signal.SIGINT) == self._on_interrupt:
            signal.signal(signal.SIGINT, self._previous)
        self._trainer = None

    def _on_interrupt(self, number: int, frame: FrameType | None) -> None:
        # a SaverCallback calls it where all is saved, on all ranks; Python and a second Ctrl-C,
        # in the midst of anything
        trainer = self._trainer
        is_at_place = frame is not None and frame.f_code is _AT_PLACE
        if trainer is None or not is_at_place or not self._goes_on(trainer):
            self._previous(number, frame)

    def _goes_on(self, trainer: pl.Trainer) -> bool:
        """Save the keypoint, and find out whether the training is to go on; on all ranks."""
        _save_keypoint(trainer)
        answer = self._answer(trainer) if trainer.is_global_zero else None
        return bool(trainer.strategy.broadcast(answer))

    def _answer(self, trainer: pl.Trainer) -> bool:
        tell = partial(say, trainer.lightning_module)
        if not at_terminal():
            tell("Ctrl-C: a keypoint is saved; nobody can be asked here, so the training ends")
            return False
        tell("Ctrl-C: a keypoint is saved")
        return ask("go on with the training? [y/N] ") in ("y", "yes")

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_trainer": None, "_previous": None}


def _saver_of(trainer: pl.Trainer) -> SaverCallback | None:
    callbacks: list[Any] = trainer.callbacks  # type: ignore[attr-defined]  # set elsewhere
    return next((one for one in callbacks if isinstance(one, SaverCallback)), None)


def _save_keypoint(trainer: pl.Trainer) -> None:
    """Save what training goes on from; all ranks make the state, and rank 0 writes it."""
    state = full_state(trainer)
    info = {**sidecar_info(trainer), "reason": "Ctrl-C"}
    callback = _saver_of(trainer)
    if callback is not None and callback.saver is not None:
        epoch, step = completed_epochs(trainer), completed_batches(trainer)
        tolerant = Tolerant("the training")
        tolerant(callback.saver.save_keypoint, epoch, state, info, step=step)
        tolerant(callback.saver.flush)
