"""Saving and loading, as methods of the facade Trainer."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.trainer.states import TrainerStatus

from thexp_pl.callbacks.progress import (
    completed_batches,
    completed_epochs,
    full_state,
    last_step,
    sidecar_info,
    weights_state,
)
from thexp_pl.errors import CheckpointError, RecordError, TrainerError
from thexp_pl.loggers.lineage import note_load, note_resume, origin_of, run_of_checkpoint
from thexp_pl.record.again import take_checkpoint
from thexp_pl.saver import checkpoint_path
from thexp_pl.saver.choosing import BEST, LAST, NotFoundError
from thexp_pl.strategies.attendance import call_roll
from thexp_pl.trainer.hooked import TrainerCallbacks
from thexp_pl.trainer.processes.world import on_rank_zero
from thexp_pl.trainer.state.checkpoint_state import (
    check_optimizers,
    check_weights,
    completed,
    read_checkpoint,
    restore_progress,
)

__all__ = ["TrainerCheckpoints"]

Which = int | str | Path
Info = dict[str, Any]


class TrainerCheckpoints(TrainerCallbacks):
    """The `save_*` and `load_*` methods; numbers are completed epochs."""

    def save_checkpoint(self, info: Info | None = None, replacement: bool = False) -> Path | None:
        """Save all that training needs to go on, as one of the rotating checkpoints.

        Args:
            info: Values for the sidecar, besides the epoch and the metrics.
            replacement: Overwrite this epoch's checkpoint instead of adding one.

        Returns:
            The file; None within `train_batch`, where the save waits until the batch is done.

        Raises:
            CheckpointError: If it cannot be written; of a save that had to wait, a warning.
        """
        return self._save(self.saver.save_checkpoint, full_state, info, replacement)

    def save_keypoint(self, info: Info | None = None, replacement: bool = False) -> Path | None:
        """Save as `save_checkpoint` does, as a keypoint that no rotation removes."""
        return self._save(self.saver.save_keypoint, full_state, info, replacement)

    def save_model(self, info: Info | None = None, replacement: bool = False) -> Path | None:
        """Save the modules' weights alone; otherwise as `save_checkpoint`."""
        return self._save(self.saver.save_model, weights_state, info, replacement)

    def load_checkpoint(self, which: Which, byindex: bool = False) -> Info:
        """Restore a checkpoint: attributes and progress; `train` then goes on from it.

        Args:
            which: A number of completed epochs, an index with ``byindex=True``, a path, also of a
                file that a ModelCheckpoint of Lightning's has written, or one of the words of
                `thexp_pl.checkpoint_path`: ``last`` and ``best`` of this run, or else of its
                experiment, ``RUN@NAME``.
            byindex: Take `which` as an index into ``saver.find_checkpoints()``.

        Returns:
            The values of its sidecar.

        Raises:
            CheckpointError: If it is missing, damaged, or from another kind of trainer.
        """
        return self._restore(self._path(self.saver.checkpoint_path, which, byindex), goes_on=True)

    def load_keypoint(self, which: Which, byindex: bool = False) -> Info:
        """Restore a keypoint; `train` then goes on from it. See `load_checkpoint`."""
        return self._restore(self._path(self.saver.keypoint_path, which, byindex), goes_on=True)

    def load_model(self, which: Which, byindex: bool = False) -> Info:
        """Restore the weights of a model file; training starts anew. See `load_checkpoint`."""
        return self._restore(self._path(self.saver.model_path, which, byindex), goes_on=False)

    def load_latest_checkpoint(self) -> Info | None:
        """Restore the newest checkpoint of the experiment that is not damaged.

        Looked for in the trainer's own run first, then in the experiment's latest one and in those
        before it. `train` goes on from it, in the midst of an epoch where it was saved there. Where
        it is of the own run, the metrics that came after it are passed over from then on.

        Returns:
            The values of its sidecar; None, with a warning, where there is none: the trainer
            stays as it is.

        Raises:
            CheckpointError: If it is from another kind of trainer.

        Source: thexp's ``load_latast_checkpoint``, which is another name of it.
        """
        try:
            path = self._path(self.saver.checkpoint_path, "last", byindex=False)
        except NotFoundError as error:
            warnings.warn(f"{error}; nothing is restored", UserWarning, stacklevel=2)
            return None
        return self._restore(path, goes_on=True)

    load_latast_checkpoint = load_latest_checkpoint

    def _path(self, find: Callable[[Which, bool], Path], which: Which, byindex: bool) -> Path:
        """Find a file; all ranks take rank 0's, which alone knows what is still being written."""
        call_roll()
        return on_rank_zero(lambda: self._found(find, which, byindex))

    def _found(self, find: Callable[[Which, bool], Path], which: Which, byindex: bool) -> Path:
        if isinstance(which, str) and not byindex and not Path(which).exists():
            experiment = self.experiment
            if which in (LAST, BEST):
                with contextlib.suppress(NotFoundError, RecordError):  # it has saved none yet
                    return checkpoint_path(f"{experiment.key}@{which}", root=experiment.root)
                return checkpoint_path(which, experiment=experiment.name, root=experiment.root)
            if "@" in which:
                return checkpoint_path(which)
        return find(which, byindex)

    def _save(
        self,
        save: Callable[..., Path],
        make_state: Callable[[pl.Trainer], Info],
        info: Info | None,
        replacement: bool,
    ) -> Path | None:
        run = self._started()
        if run.in_batch:
            run.waiting.append(partial(self._save, save, make_state, info, replacement))
            return None
        lightning = self._connected()
        state, values = make_state(lightning), {**sidecar_info(lightning), **(info or {})}
        epoch, step = completed_epochs(lightning), completed_batches(lightning)
        path = on_rank_zero(lambda: save(epoch, state, values, replacement, step=step))
        if self.experiment.is_open:
            self.experiment.log_event("checkpoint", path=path, run=run_of_checkpoint(path))
        return path

    def _restore(self, path: Path, goes_on: bool) -> Info:
        if goes_on and self.lightning_trainer.state.status == TrainerStatus.RUNNING:
            raise TrainerError(f"{path.name} cannot be loaded while train() runs; load it before")
        state, info = read_checkpoint(path, self.saver)
        weights = state.get("state_dict") if isinstance(state, dict) else None
        wanted = {"loops", "optimizer_states"} if goes_on else set()
        if not isinstance(weights, dict) or not wanted <= state.keys():
            kind = "a checkpoint" if goes_on else "a model"
            raise CheckpointError(
                f"{path} is not {kind} of a Trainer; states of your own, and thexp's old files, "
                "are read by saver.load_checkpoint(path) and load_state_dict (docs/from-thexp.md)"
            )
        misfit = f"{path} does not fit {type(self).__name__}"
        found = self.module.adopt()
        weights = state["state_dict"] = completed(self.module, weights)
        check_weights(self.module, weights, misfit)
        if goes_on:
            check_optimizers(found.optimizers, state, misfit)
            self._go_on_from(state)
        else:
            self.module.load_state_dict(weights)
        if goes_on and self._started().is_recorded_here:
            self._started().origin = origin_of(self.experiment, path, state)
        if self.experiment.is_open:
            note_load(self.experiment, path)
        self.logger.info(f"loaded {path}")
        return info

    def _go_on_from(self, state: dict[str, Any]) -> None:
        """Restore a state that fits: attributes and progress."""
        self.module.on_load_checkpoint(state)
        optimizers = self.module.adopt().optimizers.values()
        for optimizer, saved in zip(optimizers, state["optimizer_states"], strict=True):
            optimizer.load_state_dict(saved)
        restore_progress(self.lightning_trainer, state)
        self._started().loaded = state
        self._show_progress()
        self.module.load_state_dict(state["state_dict"])

    def _note_going_on(self) -> None:
        """Record that training goes on, in a run that had ended too, and from what was loaded."""
        run = self._started()
        if not run.is_recorded_here:
            return
        run.experiment.open_again()
        if run.experiment.is_open:  # else the first value that is logged is one warning
            run.experiment.params = self.params.settings()
            if run.origin is not None:
                note_resume(run.experiment, run.origin, is_one_training=True)
        run.origin = None

    def _show_progress(self) -> None:
        """Have the parameters say where training stands: the epoch to come, the last batch done."""
        lightning = self.lightning_trainer
        in_epoch: Any = lightning.fit_loop.epoch_loop.batch_progress.current
        self.params.eidx = completed_epochs(lightning) + 1
        self.params.idx = max(in_epoch.processed - 1, 0)
        self.params.global_step = last_step(lightning)

    def _go_on_as_told(self) -> None:
        """Go on from the checkpoint that the process is told of, which its first training does."""
        path = take_checkpoint()
        if path:
            if self._started().loaded is not None:
                self.logger.info("what was loaded before gives way to what is resumed")
            self.load_checkpoint(path)

    def _connected(self) -> pl.Trainer:
        """Give the Lightning Trainer with the module attached, as saving needs before a fit."""
        lightning = self.lightning_trainer
        if lightning.strategy.lightning_module is None:
            lightning.strategy.connect(self.module)
        return lightning
