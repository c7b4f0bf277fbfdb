"""The run of a logger, in whatever process the logger finds itself."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from thexp_pl.errors import UsageError
from thexp_pl.record import Experiment

__all__ = ["RunHandle"]


class RunHandle:
    """Begins a run when it is first asked for, and goes on with it in spawned and forked processes.

    In a process that it was pickled to, the run is opened only when it is asked for, which rank 0
    alone does: a run has one writer.

    Args:
        experiment: The run, which may be running already.
    """

    def __init__(self, experiment: Experiment) -> None:
        self.root: Path = experiment.root
        self.name: str = experiment.name
        self.begun: bool = experiment.is_open
        self._experiment = experiment
        self._elsewhere = False  # whether another process began it

    def open(self) -> Experiment:
        """Give the run.

        Returns:
            It, as this process can record it.

        Raises:
            RecordError: It cannot begin.
            UsageError: It was given when it had ended already.
        """
        is_elsewhere, self._elsewhere = self._elsewhere, False
        if not self.begun:
            try:
                self._experiment.start_exp()
            finally:  # a start that was interrupted has ended the run
                self.begun = self._experiment.has_started
        elif is_elsewhere:
            with contextlib.suppress(UsageError):  # it has ended
                self._experiment.go_on()
        return self._experiment

    def mark_forked(self) -> None:
        """Have the run opened anew in this process, which was forked to train."""
        self._elsewhere = self.begun

    def running_here(self) -> Experiment | None:
        """Give the run if this process records it, without beginning or opening it."""
        return self._experiment if self._experiment.is_open else None

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_elsewhere": self.begun}
