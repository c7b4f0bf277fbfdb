"""The saving of one fit: what happens at each place where it could go on from."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytorch_lightning as pl

from thexp_pl.callbacks.after import after_module_hook
from thexp_pl.callbacks.due import (
    Schedule,
    at_last_batch,
    can_go_on_from_here,
    ends_here,
    validation_is_due,
)
from thexp_pl.callbacks.emergency import write_emergency
from thexp_pl.callbacks.exactness import tell_inexactness
from thexp_pl.callbacks.leftovers import (
    EarlyStops,
    collect,
    coming_rows,
    is_within_epoch,
    restore,
    watch_steps,
    write_rows,
)
from thexp_pl.callbacks.monitored import Monitored
from thexp_pl.callbacks.preemption import Signals, agreed
from thexp_pl.callbacks.progress import (
    completed_batches,
    completed_epochs,
    full_state,
    weights_state,
)
from thexp_pl.callbacks.rnd import RndCallback
from thexp_pl.callbacks.store import Store
from thexp_pl.loggers import find_run_logger

__all__ = ["SavedFit"]


class SavedFit:
    """Saves what is due, and answers signals, at the ends of batches, validations and epochs.

    All of it happens on every rank at the same places: making a state may need all of them.

    Args:
        trainer: The Trainer, whose fit begins.
        store: Where the files go.
        schedule: What is due when.
        monitored: The metric of the best checkpoints.
        stops: The callbacks that may stop it.
    """

    def __init__(
        self,
        trainer: pl.Trainer,
        store: Store,
        schedule: Schedule,
        monitored: Monitored,
        stops: EarlyStops,
    ) -> None:
        self._trainer = trainer
        self._store = store
        self._schedule = schedule
        self._monitored = monitored
        self._stops = stops
        self._signals = Signals(trainer)
        self._undo: list[Callable[[], None]] = []
        self._asked = 0  # the signal that all ranks have agreed on, until it is answered
        self._ending: BaseException | None = None
        self._is_answered = False  # whether a signal ends it, and it is saved
        self._first_batch = trainer.fit_loop.total_batch_idx + 1

    def begin(
        self, module: pl.LightningModule, loaded: dict[str, Any] | None, *, on_signal: bool
    ) -> None:
        """Follow what the module itself does, and take the signals.

        Args:
            module: The module that is trained.
            loaded: What a checkpoint holds besides what Lightning restores, or None.
            on_signal: Whether to take them.
        """
        callbacks: list[Any] = self._trainer.callbacks  # type: ignore[attr-defined]  # set elsewhere
        keeps_states = any(isinstance(callback, RndCallback) for callback in callbacks)
        tell_inexactness(self._trainer, keeps_states=keeps_states)
        self._schedule.begin(completed_batches(self._trainer))
        self._undo = [
            after_module_hook(module, "on_train_batch_end", self._after_batch),
            after_module_hook(module, "on_validation_end", self._after_validation),
            watch_steps(module),
        ]
        if loaded is not None:
            restored = partial(self._restore, module, loaded)
            self._undo.append(after_module_hook(module, "on_train_start", restored))
        elif find_run_logger(self._trainer) is None and not completed_batches(self._trainer):
            self._store.warn_of_others()
        if on_signal:
            self._signals.install()

    def leftovers(self, module: pl.LightningModule) -> dict[str, Any]:
        """Give what a Lightning checkpoint of now lacks, which `begin` takes; on all ranks.

        Args:
            module: The module that is trained.
        """
        return {
            **collect(self._trainer, module),
            "measured": self._monitored.measured(self._trainer),
            "stopped": self._stops.stopped(self._trainer),
            "rows": coming_rows(self._trainer),
        }

    def _restore(self, module: pl.LightningModule, loaded: dict[str, Any]) -> None:
        restore(self._trainer, module, loaded)
        write_rows(self._trainer, loaded.get("rows"))
        self._monitored.go_on(self._trainer, loaded.get("measured"))
        within = is_within_epoch(self._trainer)
        self._stops.stop_again(self._trainer, loaded.get("stopped"), within=within)

    def _after_batch(self) -> None:
        self._schedule.count_batch(completed_batches(self._trainer))
        if ends_here(self._trainer):
            self._schedule.ask()
        self._at_place(self._is_whole_after_batch)

    def _is_whole_after_batch(self) -> bool:
        return not validation_is_due(self._trainer) and can_go_on_from_here(self._trainer)

    def _after_validation(self) -> None:
        if not self._trainer.sanity_checking:
            self._monitored.note(self._trainer)
            if ends_here(self._trainer):  # a callback may have stopped it
                self._schedule.ask()
            self._at_place(lambda: can_go_on_from_here(self._trainer))

    def after_epoch(self) -> None:
        """Save what is due at an epoch's end; an epoch that was cut short counts for nothing."""
        keypoint = False
        if at_last_batch(self._trainer):
            keypoint = self._schedule.count_epoch(completed_epochs(self._trainer))
        if ends_here(self._trainer):
            self._schedule.ask()
        self._monitored.warn_if_missing(self._trainer)
        self._at_place(lambda: True, keypoint)

    def _at_place(self, is_whole: Callable[[], bool], keypoint: bool = False) -> None:
        """Agree with the other ranks, and save where a checkpoint would hold all there is."""
        self._store.take_up_faults()
        signal, fault = agreed(self._trainer, self._signals.asked, self._store.fault is not None)
        if fault:
            self._store.raise_fault()
        if signal and not self._ending:
            self._asked = signal
            self._schedule.ask()
        # in this order: after most batches nothing is due, and Lightning is slow to answer
        if not (keypoint or self._asked or self._schedule.is_due) or not is_whole():
            return
        self._save(self._schedule.take(completed_batches(self._trainer)), keypoint)
        if self._asked:
            self._answer()

    def _answer(self) -> None:
        self._store.flush()
        self._trainer.strategy.barrier()  # a rank that ended sooner would have the others killed
        self._is_answered = True  # also where a handler of someone else raises
        self._ending = self._signals.answer(self._asked) or self._ending
        self._is_answered = self._ending is not None
        self._asked = 0

    def _save(self, checkpoint: bool, keypoint: bool) -> None:
        if not checkpoint and not keypoint:
            return
        # Here, and on all ranks: a fault in what others put into the checkpoint is none of ours.
        state, info = full_state(self._trainer), self._monitored.info(self._trainer)
        saver = self._store.saver
        if saver is not None and checkpoint:
            self._write(saver.save_checkpoint, state, info)
        if saver is not None and keypoint:
            self._write(saver.save_keypoint, state, info)

    def _write(self, save: Callable[..., object], state: Any, info: Any, **options: Any) -> None:
        epoch, step = completed_epochs(self._trainer), completed_batches(self._trainer)
        self._store(partial(save, epoch, state, info, step=step, **options))

    def leave(self) -> None:
        """End the training where a signal asked for that and it is saved.

        Raises:
            BaseException: What the signal asks for.
        """
        if self._ending is not None:
            raise self._ending

    def finish(self) -> None:
        """Save the end, where that is still to be done, and the weights; wait for all files."""
        self._schedule.ask()
        self._save(self._schedule.take(completed_batches(self._trainer)), keypoint=False)
        state, info = weights_state(self._trainer), self._monitored.info(self._trainer)
        if self._store.saver is not None:
            self._write(self._store.saver.save_model, state, info, replacement=True)
        self._store.flush()

    def end(self) -> None:
        """Let go of the module and the signals, once all is saved.

        Raises:
            CheckpointError: A file could not be written, and that is to stop the training.
            BaseException: What a signal that came in the end asks for.
        """
        try:
            faulty = self._store.fault is not None
            signal, fault = agreed(self._trainer, self._signals.asked, faulty)
            if signal:
                self._asked = signal
                self._answer()
        finally:  # also where a handler of someone else raises: else the next fit is told of it
            self._let_go()
        if fault:
            self._store.raise_fault()
        self.leave()

    def abandon(self, *, emergency: bool) -> None:
        """Let go after an exception, and keep what this rank holds; without the other ranks.

        Args:
            emergency: Whether to write the file, unless a signal was the reason.
        """
        self._let_go()
        has_trained = self._trainer.fit_loop.total_batch_idx >= self._first_batch
        if emergency and has_trained and not self._is_answered and not self._signals.hurried:
            write_emergency(self._trainer)

    def _let_go(self) -> None:
        self._signals.uninstall()
        while self._undo:
            self._undo.pop()()
