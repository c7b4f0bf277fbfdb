"""A record of whatever a Lightning Trainer runs, with any logger or none."""

from __future__ import annotations

import os

import pytorch_lightning as pl

from thexp_pl.callbacks.hook import Hookable
from thexp_pl.callbacks.refusals import refuse_twin
from thexp_pl.loggers import RunLogger, find_run_logger
from thexp_pl.loggers.rank_zero import settle_rank

__all__ = ["ExperimentCallback"]


class ExperimentCallback(Hookable, pl.Callback):
    """Records a run of an existing Trainer, whatever logger it has or none.

    It adds a `RunLogger` to the Trainer's loggers when a training or test is set up. Where there is
    one, as in the facade Trainer, the callback makes no second run. With `fast_dev_run` nothing is
    recorded.

    Args:
        root: The root folder of the experiments.
        name: The experiment; by default the script's name.
        board: As for `RunLogger`, and so are the others.
        code: Whether a snapshot of the project's code is kept.
        project: The folder of that code; by default the project that holds the script.
        max_file_mb: Larger files, in megabytes, are left out of the snapshot.
        console: Whether stdout and stderr are copied; None: yes, but not in a notebook.
        strict: Raise a RecordError for a fault of the recorder, in place of one warning.

    Raises:
        ExperimentNameError: If the name cannot be that of a folder.
        RecordError: If the root cannot be a folder.
    """

    def __init__(
        self,
        root: str | os.PathLike[str] = "./experiment",
        name: str | None = None,
        *,
        board: bool = True,
        code: bool = True,
        project: str | os.PathLike[str] | None = None,
        max_file_mb: float = 10.0,
        console: bool | None = None,
        strict: bool = False,
    ) -> None:
        self.run_logger = RunLogger(
            root,
            name,
            board=board,
            code=code,
            project=project,
            max_file_mb=max_file_mb,
            console=console,
            strict=strict,
        )

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Begin the run, or find the one that is recorded."""
        refuse_twin(trainer)
        if trainer.fast_dev_run:  # type: ignore[attr-defined]  # set elsewhere
            return
        settle_rank(trainer)
        logger = find_run_logger(trainer)
        if logger is None:
            logger = self.run_logger
            trainer.loggers = [*trainer.loggers, logger]
        logger.join_ranks(trainer)

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        """End a run that no logger of this Trainer ends: where the processes it started failed."""
        if find_run_logger(trainer) is None:
            self.run_logger.finalize("failed")
