"""Saving and loading, as methods of the facade Trainer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from thexp_pl.callbacks.saver import full_state, weights_state
from thexp_pl.errors import CheckpointError
from thexp_pl.trainer.parts import TrainerParts

__all__ = ["TrainerCheckpoints"]

Which = int | str | Path


class TrainerCheckpoints(TrainerParts):
    """The `save_*` and `load_*` methods; numbers are completed epochs."""

    def save_checkpoint(
        self, info: dict[str, Any] | None = None, replacement: bool = False
    ) -> Path:
        """Save all that training needs to go on, as one of the rotating checkpoints.

        Args:
            info: Values for the sidecar, besides the epoch.
            replacement: Overwrite this epoch's checkpoint instead of adding one.

        Returns:
            The file.
        """
        state = full_state(self._connected())
        return self.saver.save_checkpoint(self._epoch(), state, self._info(info), replacement)

    def save_keypoint(self, info: dict[str, Any] | None = None, replacement: bool = False) -> Path:
        """Save as `save_checkpoint` does, as a keypoint that no rotation removes."""
        state = full_state(self._connected())
        return self.saver.save_keypoint(self._epoch(), state, self._info(info), replacement)

    def save_model(self, info: dict[str, Any] | None = None, replacement: bool = False) -> Path:
        """Save the modules' weights alone."""
        state = weights_state(self._connected())
        return self.saver.save_model(self._epoch(), state, self._info(info), replacement)

    def load_checkpoint(self, which: Which, byindex: bool = False) -> dict[str, Any]:
        """Restore a checkpoint; `train` then goes on from it.

        Args:
            which: A number of completed epochs, an index with ``byindex=True``, or a path.
            byindex: Take `which` as an index into ``saver.find_checkpoints()``.

        Returns:
            The values of its sidecar.

        Raises:
            CheckpointError: If it is missing, damaged, or from another kind of trainer.
        """
        return self._restore(self.saver.checkpoint_path(which, byindex), goes_on=True)

    def load_keypoint(self, which: Which, byindex: bool = False) -> dict[str, Any]:
        """Restore a keypoint; `train` then goes on from it. See `load_checkpoint`."""
        return self._restore(self.saver.keypoint_path(which, byindex), goes_on=True)

    def load_model(self, which: Which, byindex: bool = False) -> dict[str, Any]:
        """Restore the weights of a model file; training starts anew. See `load_checkpoint`."""
        return self._restore(self.saver.model_path(which, byindex), goes_on=False)

    def _restore(self, path: Path, goes_on: bool) -> dict[str, Any]:
        state, info = self.saver.load_state_dict(path)
        weights = state.get("state_dict") if isinstance(state, dict) else None
        if not isinstance(weights, dict) or (goes_on and "optimizer_states" not in state):
            wanted = "a checkpoint" if goes_on else "a model"
            raise CheckpointError(f"{path.name} is not {wanted} of a Trainer")
        found = self.module.adopt()
        try:
            self.module.load_state_dict(weights)
        except RuntimeError as error:  # other modules, or other shapes
            reason = " ".join(str(error).split())
            raise CheckpointError(
                f"{path.name} does not fit {type(self).__name__}: {reason}"
            ) from None
        if goes_on:
            self.module.on_load_checkpoint(state)
            optimizers = found.optimizers.values()
            for optimizer, saved in zip(optimizers, state["optimizer_states"], strict=True):
                optimizer.load_state_dict(saved)
            self.params.eidx = int(info.get("eidx", state["epoch"])) + 1
            self._started().resume_from = path
        self.logger.info(f"loaded {path}")
        return info

    def _connected(self) -> pl.Trainer:
        """Give the Lightning Trainer with the module attached, as saving needs before a fit."""
        lightning = self.lightning_trainer
        if not _is_attached(lightning):
            lightning.strategy.connect(self.module)
            lightning.strategy.optimizers = list(self.module.adopt().optimizers.values())
        return lightning

    def _epoch(self) -> int:
        progress: Any = self.lightning_trainer.fit_loop.epoch_progress.current
        return int(progress.processed)

    def _info(self, info: dict[str, Any] | None) -> dict[str, Any]:
        return {"eidx": self._epoch(), **(info or {})}


def _is_attached(lightning: pl.Trainer) -> bool:
    return lightning.strategy.lightning_module is not None
