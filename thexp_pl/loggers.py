"""`RunLogger`: the Lightning Logger that records a run."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lightning_fabric.loggers.logger import rank_zero_experiment
from lightning_utilities.core.rank_zero import rank_zero_only
from pytorch_lightning.loggers import Logger

from thexp_pl.params import Params
from thexp_pl.record import Experiment

if TYPE_CHECKING:
    import pytorch_lightning as pl

__all__ = ["RunLogger", "find_run_logger"]


class RunLogger(Logger):
    """Records a Lightning run in a folder of its own: parameters, metrics, checkpoints, the end.

    The run begins when something is first recorded, on rank 0 only, and ends with the process, or
    at once when the training fails or is interrupted.

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
        """Add to the run's parameters: a dict, a Namespace, a dataclass or Params."""
        experiment = self.experiment
        before = experiment.params
        experiment.params = params
        experiment.params = {**before, **experiment.params}

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Record metrics; an entry ``epoch`` says to which epoch they belong.

        Args:
            metrics: Numbers by name, NaN and the infinities included.
            step: The step, counted from 0.
        """
        experiment = self.experiment
        if not experiment.running:  # a second fit after a failed one: the record is closed
            return
        values = {name: float(value) for name, value in metrics.items()}
        epoch = values.pop("epoch", None)
        experiment.log_metrics(step, None if epoch is None else int(epoch), values)

    def after_save_checkpoint(self, checkpoint_callback: Any) -> None:
        """Note in the run's journal that a checkpoint was saved."""
        path = getattr(checkpoint_callback, "last_model_path", "")
        if path and _is_rank_zero() and self.experiment.running:
            self.experiment.log_event("checkpoint", path=os.fspath(path))

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """End the run where the training failed or was interrupted.

        After a success it stays open: the same process may go on to test.

        Args:
            status: Lightning's word; what really ended the training is the exception in flight.
        """
        if status == "success" or not self._begun:
            return
        exception = sys.exc_info()[1]
        interrupted = isinstance(exception, (KeyboardInterrupt, SystemExit))
        self._experiment.finish("interrupted" if interrupted else "failed", exception)


def _is_rank_zero() -> bool:
    return getattr(rank_zero_only, "rank", 0) == 0


def find_run_logger(trainer: pl.Trainer) -> RunLogger | None:
    """Give the RunLogger among a Lightning Trainer's loggers, or None."""
    return next((logger for logger in trainer.loggers if isinstance(logger, RunLogger)), None)
