"""The curves of a training in the cell of a notebook, while it runs."""

from __future__ import annotations

import time
import warnings
from typing import Any

import pytorch_lightning as pl

from thexp_pl.callbacks.hook import Hookable
from thexp_pl.callbacks.progress import completed_batches, completed_epochs
from thexp_pl.callbacks.refusals import refuse_twin
from thexp_pl.errors import UsageError
from thexp_pl.loggers import find_run_logger
from thexp_pl.notebook.cell import Cell, Pace
from thexp_pl.notebook.drawing import headed, panels
from thexp_pl.notebook.growing import GrowingCurves
from thexp_pl.record import Experiment
from thexp_pl.record.output import in_notebook

__all__ = ["NotebookCallback"]

_AFTER_EPOCH = 0.5  # seconds: many epochs may end in one
_PATIENCE = 20  # drawing takes a twentieth of the time at most


class NotebookCallback(Hookable, pl.Callback):
    """Shows the curves that a `RunLogger` records, in the cell whose training it is.

    They are drawn anew in their place every `every` seconds, at the ends of epochs and when the
    training has ended, and seldom enough to take no more than a twentieth of the time. Elsewhere
    than in a notebook, and on several devices, nothing is drawn. What goes wrong with drawing is
    one warning. The facade Trainer has one in a notebook without being told;
    ``self.remove_callback(NotebookCallback)`` in its `initial_callback` does without.

    Args:
        every: The fewest seconds from one drawing to the next.

    Raises:
        UsageError: That is no number of seconds.
    """

    def __init__(self, every: float = 2.0) -> None:
        if isinstance(every, bool) or not isinstance(every, (int, float)) or not every > 0:
            raise UsageError(f"every={every!r}: give a number of seconds above 0")
        self.every = every
        self._drawing: _Drawing | None = None

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Refuse a second one."""
        refuse_twin(trainer)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Make the cell's drawing, which is empty or as the training is gone on with."""
        logger = find_run_logger(trainer)
        if in_notebook() and trainer.world_size == 1 and logger is not None:
            self._drawing = _Drawing(trainer, logger.experiment)
            self._draw_if_due(0)

    def on_train_batch_end(self, *args: Any, **kwargs: Any) -> None:
        """Draw, where it is time."""
        self._draw_if_due(self.every)

    def on_train_epoch_end(self, *args: Any, **kwargs: Any) -> None:
        """Draw the end of the epoch."""
        self._draw_if_due(min(self.every, _AFTER_EPOCH))

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Draw what the training came to, however it ended."""
        self._draw_if_due(0)
        self._drawing = None

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        """Draw what a training came to that failed."""
        self.teardown(trainer, pl_module, "fit")

    def _draw_if_due(self, every: float) -> None:
        drawing = self._drawing
        if drawing is None or (every and not drawing.pace.is_due(every)):
            return
        try:
            drawing.draw()
        except Exception as error:  # noqa: BLE001 - whatever it is, training is worth more
            self._drawing = None
            warnings.warn(
                f"the curves of this training are not shown: {type(error).__name__}: {error}",
                RuntimeWarning,
                stacklevel=2,
            )

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_drawing": None}


class _Drawing:
    """The drawing of one fit.

    Args:
        trainer: The Trainer.
        run: What it records.
    """

    def __init__(self, trainer: pl.Trainer, run: Experiment) -> None:
        self._trainer, self._run = trainer, run
        self._cell, self._curves = Cell(), GrowingCurves(run)
        self.pace = Pace(_PATIENCE)

    def draw(self) -> None:
        begun = time.monotonic()
        epochs, batches = self._trainer.max_epochs, completed_batches(self._trainer)
        of_all = f" of {epochs}" if epochs not in (None, -1) else ""
        state = (
            f"{completed_epochs(self._trainer)}{of_all} epochs, "
            f"{batches:,} {'batch' if batches == 1 else 'batches'}"
        )
        curves = self._curves.read()
        html = headed(self._run.name, self._run.key, state, panels(curves))
        self._cell.show(html, f"{self._run.key}: {state}")
        self.pace.note(begun)
