"""Checkpoints while training, and the final model."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Checkpoint

from thexp_pl.callbacks.due import Schedule
from thexp_pl.callbacks.empty_hooks import call_again, pass_over
from thexp_pl.callbacks.hook import Hookable
from thexp_pl.callbacks.leftovers import EarlyStops, restore_callback_metrics, write_rows
from thexp_pl.callbacks.monitored import Monitored
from thexp_pl.callbacks.preemption import note_signal
from thexp_pl.callbacks.refusals import (
    refuse_another,
    refuse_sharded,
    refuse_twin,
    refuse_unfound_last,
)
from thexp_pl.callbacks.saved_fit import SavedFit
from thexp_pl.callbacks.store import Store, modules_of
from thexp_pl.errors import UsageError, near_miss
from thexp_pl.loggers import find_run_logger
from thexp_pl.loggers.going_on import follow_rerun
from thexp_pl.loggers.rank_zero import settle_rank
from thexp_pl.saver import Saver

__all__ = ["SaverCallback"]

LEFTOVERS_KEY = "thexp_pl_leftovers"  # in a checkpoint


class SaverCallback(Hookable, Checkpoint):
    """Saves while a training runs, so that it can be killed at any moment and go on.

    The files lie in ``modules/`` of the run that a `RunLogger` records, else below the Lightning
    Trainer's `default_root_dir`. They are Lightning checkpoints with thexp's names and a JSON
    sidecar each: ``0000003.ckpt`` after three epochs, ``1000003.ckpt`` for the second one saved
    then, ``keep.0000003.ckpt`` for a keypoint, ``model.0000010.pth`` with the final weights. With
    `fast_dev_run` nothing is saved.

    A checkpoint is made where it holds all there is: after the LightningModule's own hook, not in
    the midst of an accumulation of gradients, and not before a validation that is due. What is due
    elsewhere waits: for the end of the accumulation, of the validation, or of the epoch.

    SIGTERM, SIGUSR1 and Ctrl-C end the training with a checkpoint: after the batch, or the
    validation, that is running, and on all ranks alike, whichever the signal came to. The process
    ends with 128 plus the signal's number, and after Ctrl-C as Lightning ends it; the record says
    ``interrupted``. A second signal acts at once. Handlers that others have installed are called
    once the checkpoint is written; that of SLURM's automatic requeueing then goes its own way.

    Another exception leaves ``emergency.<rank>.ckpt`` on every rank: what the rank held in the
    midst of it, loaded by its path alone, and neither counted nor removed as a checkpoint.
    Processes that Lightning spawns or forks leave none.

    A training that an EarlyStopping has stopped stays so when its last checkpoint is loaded, unless
    that callback is made with another patience, threshold or `min_delta`.

    Args:
        max_to_keep: How many checkpoints to keep, besides the best ones; None keeps all.
        every_n_epochs: Save after every n-th epoch, and after the last; None: the last alone.
        every_n_batches: Save after every n-th batch, counted over all epochs, too.
        keypoint_every: Save a keypoint, which is never removed, after every n-th epoch, too.
        monitor: A metric of `trainer.callback_metrics`; the best checkpoints by it are kept, of
            those that it was measured for. ``ckpt_path="best"`` loads the best one, and without
            `monitor` the newest.
        mode: Whether the smallest ("min") or the largest ("max") is the best.
        keep_best: How many of the best are kept.
        background: Write while the training goes on; it waits only for a copy of the state. What
            is not written yet when the process is killed is lost, and the file before stays.
        on_error: What a checkpoint that cannot be written means: ``"continue"``, one warning and
            the earlier ones stay; ``"stop"``, a CheckpointError after the next batch.
        on_signal: Whether signals end the training with a checkpoint.
        emergency: Whether an exception leaves emergency files.

    Raises:
        UsageError: An argument is none of these; when a fit begins, that the strategy saves
            shards, or that the Trainer has two of these callbacks.
        CheckpointError: When a fit begins with ``ckpt_path="last"``, which Lightning does not
            find; `thexp_pl.checkpoint_path` does.
    """

    def __init__(
        self,
        max_to_keep: int | None = 3,
        every_n_epochs: int | None = 1,
        every_n_batches: int | None = None,
        keypoint_every: int | None = None,
        monitor: str | None = None,
        mode: Literal["min", "max"] = "min",
        keep_best: int = 1,
        *,
        background: bool = True,
        on_error: Literal["continue", "stop"] = "continue",
        on_signal: bool = True,
        emergency: bool = True,
    ) -> None:
        if max_to_keep is not None and (type(max_to_keep) is not int or max_to_keep < 1):
            raise UsageError(f"max_to_keep must be 1 or more, or None for all, not {max_to_keep!r}")
        if type(keep_best) is not int or keep_best < 1:
            raise UsageError(f"keep_best must be 1 or more, not {keep_best!r}")
        if monitor is not None and (not isinstance(monitor, str) or not monitor):
            raise UsageError(f"monitor must be the name of a metric, or None, not {monitor!r}")
        for name, switch in (
            ("background", background),
            ("on_signal", on_signal),
            ("emergency", emergency),
        ):
            if not isinstance(switch, bool):
                raise UsageError(f"{name} must be True or False, not {switch!r}")
        follow_rerun()
        _check_word("mode", mode, ("min", "max"))
        _check_word("on_error", on_error, ("continue", "stop"))
        self.max_to_keep = max_to_keep
        self.every_n_epochs = every_n_epochs
        self.monitor = monitor
        self.mode = mode
        self.keep_best = keep_best
        self.background = background
        self.on_error = on_error
        self.on_signal = on_signal
        self.emergency = emergency
        self.every_n_batches = every_n_batches
        self.keypoint_every = keypoint_every
        self._new_schedule()  # wrong numbers are told here
        self._store: Store | None = None
        self._fit: SavedFit | None = None
        self._leftovers: dict[str, Any] | None = None
        self._best_model_path = ""

    @property
    def saver(self) -> Saver | None:
        """The Saver of the fit, from its setup on; None on other ranks than 0."""
        return None if self._store is None else self._store.saver

    @property
    def best_model_path(self) -> str:
        """The best checkpoint, or without a monitor the newest, once all of them are written.

        Lightning reads it for ``ckpt_path="best"``. Empty where there is none.
        """
        if self._store is not None and self._store.saver is not None:
            self._best_model_path = self._store.best_path(self.monitor is not None)
        return self._best_model_path

    @best_model_path.setter
    def best_model_path(self, path: str) -> None:
        # what Lightning does after a training in spawned processes
        self._best_model_path = path

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Open the Saver where the run's modules lie."""
        refuse_twin(trainer)
        settle_rank(trainer)
        if stage != "fit":
            return
        self._store, self._leftovers, self._best_model_path = None, None, ""
        if trainer.fast_dev_run:  # type: ignore[attr-defined]  # set elsewhere
            return
        refuse_another(trainer, SaverCallback)
        refuse_sharded(trainer)
        refuse_unfound_last(trainer)
        pass_over(self, trainer)
        self._store = self._open(trainer)
        self._stops = EarlyStops(trainer)

    def _open(self, trainer: pl.Trainer) -> Store:
        if not trainer.is_global_zero:
            return Store(None, self.on_error)
        logger = find_run_logger(trainer)
        if logger is not None:
            logger.experiment.open_again()  # what is saved is recorded, and what it replaces too
            logger.experiment.hold_exp_part("modules", [".ckpt", ".pth"])
        options: dict[str, Any] = {"background": self.background}
        if logger is not None:
            options["on_commit"] = logger.log_checkpoint
            options["rows"] = logger.experiment.kept_rows
        return Store(self.open_saver(*modules_of(trainer), **options), self.on_error)

    def open_saver(self, folder: Path, run_key: str | None, **options: Any) -> Saver:
        """Open a Saver that keeps in a folder what this callback keeps there.

        Args:
            folder: The folder; made if it is missing.
            run_key: The run to name in the sidecars, or None.
            **options: ``background``, ``on_commit`` and ``rows``, as in `Saver`.

        Raises:
            CheckpointError: As `Saver`.
        """
        saver = Saver(folder, self.max_to_keep, run_key=run_key, **options)
        if self.monitor is not None:
            saver.keep_best(self.monitor, self.mode, self.keep_best)
        return saver

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Take the place from which training goes on as saved, and the signals from now on."""
        if self._store is not None:
            schedule = self._new_schedule()
            self._fit = SavedFit(trainer, self._store, schedule, self._monitored(), self._stops)
            self._fit.begin(pl_module, self._leftovers, on_signal=self.on_signal)
            self._leftovers = None

    def on_train_batch_start(self, *args: Any, **kwargs: Any) -> None:
        """End a training that a signal asked to end, now that all of the last batch is logged."""
        if self._fit is not None:
            self._fit.leave()

    def on_train_epoch_start(self, *args: Any, **kwargs: Any) -> None:
        """End such a training after the last epoch's end."""
        if self._fit is not None:
            self._fit.leave()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Save a checkpoint or a keypoint where this epoch is due."""
        if self._fit is not None:
            self._fit.after_epoch()

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Save the last epoch, where that is still to be done, and the final weights."""
        if self._fit is not None:
            self._fit.finish()
            # other ranks look for the best checkpoint too
            self._best_model_path = trainer.strategy.broadcast(self.best_model_path)
            self.pause()

    def pause(self) -> None:
        """Let go of a fit that leaves its loops: signals mean again what they mean outside one.

        One that waits is answered.
        """
        if self._fit is not None:
            fit, self._fit = self._fit, None
            fit.end()

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Restore the metrics where nothing was left to train."""
        if self._store is not None and self._leftovers is not None:
            restore_callback_metrics(trainer, pl_module, self._leftovers)
            write_rows(trainer, self._leftovers.get("rows"))
            self._leftovers = None

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        """Write what this rank holds to a file of its own, unless a signal was the reason."""
        if self._fit is not None:
            self._fit.abandon(emergency=self.emergency)
            self._fit = None
        if self._store is not None:
            self._store.abandon()
        call_again(self)
        note_signal(trainer, exception)

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Add what Lightning leaves out, to whatever checkpoint is made while a fit runs."""
        if self._fit is not None:
            checkpoint[LEFTOVERS_KEY] = self._fit.leftovers(pl_module)

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Keep that until training starts."""
        self._leftovers = checkpoint.get(LEFTOVERS_KEY)

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Write all that waits, and let the Saver go."""
        call_again(self)
        if stage == "fit" and self._store is not None:
            self._store.close()

    def _monitored(self) -> Monitored:
        return Monitored(self.monitor)

    def _new_schedule(self) -> Schedule:
        return Schedule(self.every_n_epochs, self.every_n_batches, self.keypoint_every)

    def __getstate__(self) -> dict[str, Any]:
        # to a process that trains: the Saver of an earlier fit is none of its
        return {**vars(self), "_store": None, "_fit": None, "_leftovers": None}


def _check_word(name: str, value: str, words: tuple[str, ...]) -> None:
    if value not in words:
        known = " or ".join(map(repr, words))
        raise UsageError(f"{name} must be {known}, not {value!r}{near_miss(str(value), words)}")
