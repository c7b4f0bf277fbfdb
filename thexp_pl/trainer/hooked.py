"""The callbacks of a facade Trainer."""

from __future__ import annotations

import pytorch_lightning as pl

from thexp_pl.errors import TrainerError
from thexp_pl.trainer.parts import TrainerParts

__all__ = ["TrainerCallbacks"]


class TrainerCallbacks(TrainerParts):
    """What adds and removes callbacks."""

    def add_callback(self, callback: pl.Callback) -> None:
        """Add a Lightning callback; of each class there is one, the newest.

        Args:
            callback: The callback, ours or Lightning's.

        Raises:
            TrainerError: If it is no Lightning callback, or the Lightning Trainer is made already.
        """
        if not isinstance(callback, pl.Callback):
            raise TrainerError(
                f"a {type(callback).__name__} is no callback; subclass pytorch_lightning.Callback"
            )
        if self._run is not None and self._run.lightning is not None:
            raise TrainerError("callbacks are hooked in initial_callback, before the run begins")
        others = [one for one in self._callbacks if type(one) is not type(callback)]
        self._callbacks = [*others, callback]
