"""The interrupt of a notebook's kernel: a training pauses at it, and goes on with the next `train`.

Lightning ends the process at a Ctrl-C (`sys.exit`), which is right for a script. In a notebook the
trainer is still there in the next cell.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.trainer import call
from pytorch_lightning.trainer.states import TrainerStatus
from pytorch_lightning.utilities.exceptions import _TunerExitException

from thexp_pl.callbacks.preemption import Signals
from thexp_pl.callbacks.progress import completed_epochs
from thexp_pl.record import Experiment
from thexp_pl.record.output import in_notebook
from thexp_pl.runs.run import read_run
from thexp_pl.trainer.pausing import in_place_of, pausing_when
from thexp_pl.trainer.shortfall import way_back

__all__ = ["Interruption", "TrainingInterruptedError"]

_AT_PLACE = Signals.answer.__code__
_SIGNAL = signal.SIGINT
_MIDST = "in the midst of a batch"
_NOTICE = "interrupt: training pauses after this batch or evaluation; once more ends it at once\n"


class TrainingInterruptedError(KeyboardInterrupt):
    """What ends a cell whose training was interrupted; a notebook shows its message alone."""

    def _render_traceback_(self) -> list[str]:  # IPython asks for it
        return [str(self)]


class Interruption:
    """Whether a fit in a notebook was interrupted, and where it stood.

    The first interrupt has it pause after the batch or evaluation that runs, once a SaverCallback
    has saved it; a second one ends it at once, and while it pauses changes nothing. Elsewhere than
    in a notebook's main thread, and where Lightning has other processes train, nothing is taken.

    Args:
        trainer: The Lightning Trainer.
        experiment: The record of the run, which says ``interrupted`` until it goes on.
        keep: Gives what the next fit goes on from; called in the fit.
    """

    def __init__(
        self, trainer: pl.Trainer, experiment: Experiment, keep: Callable[[], dict[str, Any]]
    ) -> None:
        self._trainer, self._experiment, self._keep = trainer, experiment, keep
        self._pid = os.getpid()
        self._is_taken = self._is_asked = False
        self.place: dict[str, Any] | None = None  # what `keep` gave
        self.in_midst = False  # whether it ended in the midst of something

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Take the interrupts that come, until where the fit stands is kept."""
        if not _can_be_taken(self._trainer):
            yield
            return
        self._is_taken = True
        previous = signal.signal(_SIGNAL, self)
        try:
            yield
        finally:
            signal.signal(_SIGNAL, previous)

    @contextmanager
    def pausing(self) -> Iterator[None]:
        """Have the fit that is run pause where an interrupt was taken."""
        if not self._is_taken:
            yield
            return
        run = self._trainer.fit_loop.run
        with (
            pausing_when(self._trainer, lambda: self._is_asked, self._pause),
            in_place_of(self._trainer.fit_loop, "run", lambda: self._until_stopped(run)),
        ):
            yield
        if self.in_midst or (self._is_asked and self.place is not None):
            self._note_again()

    def stand(self) -> None:
        """Keep where the fit stands; called in it."""
        self.place = self._keep()

    def where(self, batch: int) -> str:
        """Say where the fit stands that was left: ``after batch 3 of epoch 2``, or in its midst.

        Args:
            batch: The last batch of the epoch that was done, from 1.

        Returns:
            Where; empty where the fit ended by itself.
        """
        if self.place is None and not self.in_midst:
            return ""
        epochs: Any = self._trainer.fit_loop.epoch_progress.current
        if epochs.processed == epochs.ready:
            return f"after epoch {epochs.processed}"
        within = f"epoch {completed_epochs(self._trainer) + 1}"
        return f"{_MIDST} of {within}" if self.in_midst else f"after batch {batch} of {within}"

    def leave(self, where: str, *, is_saved: bool) -> None:
        """End the cell where the fit was interrupted.

        Args:
            where: What `where` gave.
            is_saved: Whether the run has a checkpoint.

        Raises:
            TrainingInterruptedError: It was.
        """
        follows = "train() goes on from there"
        if not where:
            where, follows = "as it ended", "nothing is left to train"
        elif where.startswith(_MIDST):
            follows = f"train() begins that epoch again; {way_back(is_saved=is_saved)}"
        if self._is_asked or self.in_midst:
            raise TrainingInterruptedError(f"training interrupted {where}; {follows}")

    @property
    def notice(self) -> str:
        """What is printed when an interrupt is taken; nothing where it is not the first."""
        return "" if self._is_asked else _NOTICE

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Take an interrupt.

        A SaverCallback that has taken the signal calls this where all is saved; and at a second
        one, in the midst of anything. Without it, Python calls.
        """
        if os.getpid() != self._pid:  # a loader's worker
            return
        is_at_place = frame is not None and frame.f_code is _AT_PLACE
        if not is_at_place and self.place is None:
            if self._is_asked or signal.getsignal(_SIGNAL) is not self:
                raise KeyboardInterrupt
            with suppress(OSError):  # print may be interrupted
                os.write(2, _NOTICE.encode())
        self._is_asked = True

    def _pause(self) -> None:
        self.stand()
        self._note()

    def _note(self) -> None:
        self._experiment.pause("interrupted", _SIGNAL.name)

    def _note_again(self) -> None:
        """Note it where what a callback recorded as it was torn down has opened the run again."""
        run = self._experiment
        if run.is_open and read_run(run.paths).status != "interrupted":
            run.go_on()
            self._note()

    def _until_stopped(self, run: Callable[[], None]) -> None:
        """Run the loops, and have a stop in their midst end the fit and not the process."""
        try:
            run()
        except KeyboardInterrupt as error:
            self.in_midst = self.place is None
            self._trainer.state.status = TrainerStatus.INTERRUPTED
            call._call_callback_hooks(self._trainer, "on_exception", error)
            self._note()
            raise _TunerExitException from error


def _can_be_taken(trainer: pl.Trainer) -> bool:
    return (
        in_notebook()
        and trainer.world_size == 1
        and trainer.strategy.launcher is None
        and threading.current_thread() is threading.main_thread()
        and signal.getsignal(_SIGNAL) is signal.default_int_handler
    )
