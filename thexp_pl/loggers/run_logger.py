"""`RunLogger`: the Lightning Logger that records a run."""

from __future__ import annotations

import contextlib
import os
import sys
import warnings
from argparse import Namespace
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lightning_fabric.loggers.logger import rank_zero_experiment
from lightning_utilities.core.rank_zero import rank_zero_only
from pytorch_lightning.loggers import Logger

from thexp_pl.errors import UsageError
from thexp_pl.loggers.going_on import follow_rerun
from thexp_pl.loggers.handle import RunHandle
from thexp_pl.loggers.hyperparameters import plain_hyperparameters
from thexp_pl.loggers.launching import launching_trainer
from thexp_pl.loggers.lineage import as_noted
from thexp_pl.loggers.rank_zero import is_rank_zero, settle_rank
from thexp_pl.loggers.ranks import Ranks, end, note_lost_worker
from thexp_pl.loggers.run_board import RunBoard
from thexp_pl.loggers.stage import note_stage
from thexp_pl.params import Params
from thexp_pl.record import Experiment
from thexp_pl.record.faults import RecorderWarning, Tolerant
from thexp_pl.record.paths import RunPaths

if TYPE_CHECKING:
    import pytorch_lightning as pl
    import torch
    from torch import nn

__all__ = ["RunLogger", "find_run_logger"]


class RunLogger(Logger):
    """Records a Lightning run in a folder of its own: parameters, metrics, checkpoints, the end.

    The run begins when something is first recorded, on rank 0 only, and ends with the process, or
    at once when the training fails or is interrupted; what comes after that end is not recorded,
    with one warning. It is one run on however many ranks; the others write their console and how
    they ended in its folder. Copied to processes that are spawned or forked to train, the logger
    goes on with the same run there.

    Args:
        save_dir: The root folder of the experiments.
        name: The experiment; by default the script's name.
        experiment: A run that something else, such as the facade Trainer, has made; its root, name
            and code are then its own.
        board: Whether TensorBoard's event files are written too, to ``board/``; the attribute of
            that name is what writes them, or None.
        log_graph: Whether the model's graph is shown there; it needs ``example_input_array``.
        code: Whether a snapshot of the project's code is kept.
        project: The folder of that code; by default the project that holds the script.
        max_file_mb: Larger files, in megabytes, are left out of the snapshot.
        console: Whether stdout and stderr are copied; None: yes, but not in a notebook.
        strict: Raise a RecordError for a fault of the recorder, in place of one warning.

    Raises:
        ExperimentNameError: If the name cannot be that of a folder.
        RecordError: If the root cannot be a folder.

    >>> import tempfile
    >>> logger = RunLogger(tempfile.mkdtemp(), name="digits", board=False, code=False)
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
        board: bool = True,
        log_graph: bool = False,
        code: bool = True,
        project: str | os.PathLike[str] | None = None,
        max_file_mb: float = 10.0,
        console: bool | None = None,
        strict: bool = False,
    ) -> None:
        super().__init__()
        follow_rerun()
        if experiment is None:
            experiment = Experiment(
                save_dir,
                name,
                code=code,
                project=project,
                max_file_mb=max_file_mb,
                console=console,
                strict=strict,
            )
        self._run = RunHandle(experiment)
        self._ranks = Ranks(console, strict)
        self._tolerant = Tolerant(f"the run of {self.name}", strict)
        self.board = RunBoard(self._tolerant) if board else None
        self._log_graph = log_graph
        self._warned = False

    @property
    @rank_zero_experiment
    def experiment(self) -> Experiment:
        """The record of the run, begun when it is first asked for; a dummy on other ranks."""
        return self._run.open()

    @property
    def name(self) -> str:
        """The experiment's name."""
        return self._run.name

    @property
    def version(self) -> str | None:
        """The run's key; on other ranks than 0 None until a training has begun."""
        paths = self._known_paths()
        return None if paths is None else paths.key

    @property
    def save_dir(self) -> str:
        """The root folder of the experiments."""
        return str(self._run.root)

    @property
    def log_dir(self) -> str | None:
        """The run's folder; on other ranks than 0 None until a training has begun."""
        paths = self._known_paths()
        return None if paths is None else str(paths.folder)

    @rank_zero_only
    def log_hyperparams(
        self, params: dict[str, Any] | Namespace | Params | None, *args: Any, **kwargs: Any
    ) -> None:
        """Add to the run's parameters: a dict, a Namespace, a dataclass or Params, nested or not.

        Raises:
            UsageError: It is none of these.
        """
        plain = plain_hyperparameters(params)
        if self._is_open():
            self.experiment.params = {**self.experiment.params, **plain}

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
            if self.board is not None:
                self.board.add_scalars(self.experiment, step, values)

    def log_graph(self, model: nn.Module, input_array: torch.Tensor | None = None) -> None:
        """Take notice of a training or test that begins; Lightning calls this on every rank.

        Args:
            model: The LightningModule, attached to its Trainer.
            input_array: What the graph is drawn for, in place of ``model.example_input_array``.
        """
        trainer: pl.Trainer | None = getattr(model, "_trainer", None)
        if trainer is not None:
            settle_rank(trainer)
            self.join_ranks(trainer)
        if not is_rank_zero() or not self._is_open():
            return
        if trainer is not None:
            self._tolerant(note_stage, self.experiment, trainer, model)
        if self.board is not None and self._log_graph:
            self.board.add_graph(self.experiment, model, input_array)

    def join_ranks(self, trainer: pl.Trainer) -> None:
        """Make one run of several ranks; to be called on all of them.

        Args:
            trainer: The Trainer, whose processes are connected.
        """
        if is_rank_zero():
            self._ranks.join(trainer, self.experiment if self._is_open() else None)
        else:
            self._ranks.join(trainer, None)
            self._end_stray(trainer)

    @rank_zero_only
    def log_checkpoint(self, path: str | os.PathLike[str]) -> None:
        """Note in the run's journal that a checkpoint was saved.

        Args:
            path: The file.
        """
        if self._is_open():
            self.experiment.flush()  # whoever goes on from it writes nothing of that again
            self.experiment.log_event("checkpoint", path=as_noted(path))

    def after_save_checkpoint(self, checkpoint_callback: Any) -> None:
        """Note the file that a ModelCheckpoint of Lightning's has just saved."""
        if path := getattr(checkpoint_callback, "_last_checkpoint_saved", ""):
            self.log_checkpoint(path)

    def finalize(self, status: str) -> None:
        """End the run, or where all went well have it pause: it goes on where more is recorded.

        What ended a training that failed is the exception in flight.
        """
        exception = sys.exc_info()[1]
        if status == "failed":
            self._ranks.finish(exception)
        else:
            self._ranks.is_through = True
        if not is_rank_zero() or not self._run.begun:
            return
        if status == "failed":
            note_lost_worker(self._run.open().paths, exception)
            end(self._run.open(), exception)
        else:
            self._run.open().pause()
            if self.board is not None:
                self.board.flush()

    def _known_paths(self) -> RunPaths | None:
        return self._run.open().paths if is_rank_zero() else self._ranks.paths

    def _is_open(self) -> bool:
        is_open: bool = self.experiment.is_open
        if not is_open and not self._warned:
            self._warned = True
            warnings.warn(
                f"the run {self._run.open().key} has ended: what comes now is not recorded; make "
                "a new RunLogger, or a new facade Trainer, for another run",
                RecorderWarning,
                stacklevel=3,
            )
        return is_open

    def _end_stray(self, trainer: pl.Trainer) -> None:
        stray = self._run.running_here()
        if stray is None:
            return
        stray.end_exp()
        warnings.warn(
            f"rank {trainer.global_rank} had begun the run {stray.key} before its rank was known: "
            "that run ends; use the logger after the Trainer was made, or set RANK before",
            RecorderWarning,
            stacklevel=3,
        )

    def __getstate__(self) -> dict[str, Any]:
        trainer = launching_trainer()
        if trainer is not None and self in _recorders(trainer):
            _begin(self)
        return vars(self).copy()


def find_run_logger(trainer: pl.Trainer) -> RunLogger | None:
    """Give the RunLogger among a Lightning Trainer's loggers, or None."""
    return next((logger for logger in trainer.loggers if isinstance(logger, RunLogger)), None)


def _recorders(trainer: pl.Trainer) -> list[RunLogger]:
    """Give the loggers that will record what a Trainer does: its own, or else of its callbacks."""
    found = [logger for logger in trainer.loggers if isinstance(logger, RunLogger)]
    callbacks: list[Any] = trainer.callbacks  # type: ignore[attr-defined]  # set elsewhere
    others = [getattr(callback, "run_logger", None) for callback in callbacks]
    return found or [logger for logger in others if isinstance(logger, RunLogger)]


def _begin(logger: RunLogger) -> None:
    if is_rank_zero():
        with contextlib.suppress(UsageError):  # it has ended
            logger._run.open().go_on()  # a pause ends before the processes are made


def _before_fork() -> None:
    trainer = launching_trainer()
    for logger in [] if trainer is None else _recorders(trainer):
        _begin(logger)


def _after_fork() -> None:
    trainer = launching_trainer()
    for logger in [] if trainer is None else _recorders(trainer):
        logger._run.mark_forked()
        if logger.board is not None:
            logger.board.drop()


os.register_at_fork(before=_before_fork, after_in_child=_after_fork)
