"""`RunLogger`: the Lightning Logger that records a run."""

from __future__ import annotations

import os
import sys
import warnings
from argparse import Namespace
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lightning_fabric.loggers.logger import rank_zero_experiment
from lightning_utilities.core.rank_zero import rank_zero_only
from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities.exceptions import SIGTERMException

from thexp_pl.params import Params
from thexp_pl.record import Experiment
from thexp_pl.record.ending import status_of
from thexp_pl.record.faults import RecorderWarning
from thexp_pl.record.run_writer import plain_params

if TYPE_CHECKING:
    import pytorch_lightning as pl

__all__ = ["RunLogger", "find_run_logger"]


class RunLogger(Logger):
    """Records a Lightning run in a folder of its own: parameters, metrics, checkpoints, the end.

    The run begins when something is first recorded, on rank 0 only, and ends with the process, or
    at once when the training fails or is interrupted; what comes after that end is not recorded,
    with one warning.

    Args:
        save_dir: The root folder of the experiments.
        name: The experiment; by default the script's name.
        experiment: A run that something else, such as the facade Trainer, has begun; `save_dir`
            and `name` are then its own.

    Raises:
        ExperimentNameError: If the name cannot be that of a folder.
        RecordError: If the root cannot be a folder.

    >>> import tempfile
    >>> logger = RunLogger(tempfile.mkdtemp(), name="digits")
    >>> logger.log_metrics({"loss": 0.5, "epoch": 0}, step=7)
    >>> logger.experiment.metrics["loss"]["last"]
    0.5
    >>> logger.experiment.end_exp()
    """

    def __init__(
        self,
        save_dir: str | os.PathLike[str] = "./experiment",
        name: str | None = None,
        *,
        experiment: Experiment | None = None,
    ) -> None:
        super().__init__()
        self._experiment = Experiment(save_dir, name) if experiment is None else experiment
        self._begun = experiment is not None
        self._warned = False

    @property
    @rank_zero_experiment
    def experiment(self) -> Experiment:
        """The record of the run, begun when it is first asked for; a dummy on other ranks."""
        if not self._begun:
            self._begun = True
            self._experiment.start_exp()
        return self._experiment

    @property
    def name(self) -> str:
        """The experiment's name."""
        return self._experiment.name

    @property
    def version(self) -> str | None:
        """The run's key; None on other ranks than 0."""
        return self.experiment.key if _is_rank_zero() else None

    @property
    def save_dir(self) -> str:
        """The root folder of the experiments."""
        return str(self._experiment.root)

    @property
    def log_dir(self) -> str | None:
        """The run's folder; None on other ranks than 0."""
        return str(self.experiment.path) if _is_rank_zero() else None

    @rank_zero_only
    def log_hyperparams(
        self, params: dict[str, Any] | Namespace | Params, *args: Any, **kwargs: Any
    ) -> None:
        """Add to the run's parameters: a dict, a Namespace, a dataclass or Params.

        Raises:
            UsageError: It is none of these.
        """
        if isinstance(params, Params):
            params = params.settings()  # the progress is no parameter
        self.experiment.params = {**self.experiment.params, **plain_params(params)}

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Record metrics; an entry ``epoch`` says to which epoch they belong.

        Args:
            metrics: Numbers by name, NaN and the infinities included.
            step: The step, counted from 0.

        Raises:
            UsageError: A value is no number.
        """
        if self._is_open():
            values = dict(metrics)
            epoch = values.pop("epoch", None)
            self.experiment.log_metrics(step, None if epoch is None else int(epoch), values)

    @rank_zero_only
    def log_checkpoint(self, path: str | os.PathLike[str]) -> None:
        """Note in the run's journal that a checkpoint was saved.

        Args:
            path: The file.
        """
        if self._is_open():
            self.experiment.log_event("checkpoint", path=os.fspath(path))

    def after_save_checkpoint(self, checkpoint_callback: Any) -> None:
        """Note the file that a ModelCheckpoint of Lightning's has just saved."""
        path = getattr(checkpoint_callback, "_last_checkpoint_saved", "")
        if path:
            self.log_checkpoint(path)

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """End the run where the training failed or was interrupted.

        After a success it stays open: the same process may go on to test.

        Args:
            status: Lightning's word; what really ended the training is the exception in flight.
        """
        if status != "failed" or not self._begun:
            return
        exception = sys.exc_info()[1]
        if isinstance(exception, SIGTERMException):
            self._experiment.finish("interrupted", exception, "SIGTERM")
        else:
            ended = "failed" if exception is None else status_of(exception)
            self._experiment.finish(ended, exception)

    def _is_open(self) -> bool:
        is_open: bool = self.experiment.running
        if not is_open and not self._warned:
            self._warned = True
            warnings.warn(
                f"the run {self._experiment.key} has ended: what comes now is not recorded; make "
                "a new RunLogger, or a new facade Trainer, for another run",
                RecorderWarning,
                stacklevel=3,
            )
        return is_open


def _is_rank_zero() -> bool:
    return getattr(rank_zero_only, "rank", 0) == 0


def find_run_logger(trainer: pl.Trainer) -> RunLogger | None:
    """Give the RunLogger among a Lightning Trainer's loggers, or None."""
    return next((logger for logger in trainer.loggers if isinstance(logger, RunLogger)), None)
