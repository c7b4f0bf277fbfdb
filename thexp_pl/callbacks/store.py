"""Where a fit's files go, and what it means that one cannot be written."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytorch_lightning as pl

from thexp_pl.errors import CheckpointError
from thexp_pl.loggers import find_run_logger
from thexp_pl.record.faults import Tolerant
from thexp_pl.saver import Saver

__all__ = ["Store", "modules_of"]

logger = logging.getLogger("thexp_pl.callbacks")

_Result = TypeVar("_Result")


def modules_of(trainer: pl.Trainer) -> tuple[Path, str | None]:
    """Say where a training's checkpoints lie, and the key of its run, or None without one.

    Args:
        trainer: The Trainer; on other ranks than 0 one whose training has begun.
    """
    logger = find_run_logger(trainer)
    if logger is None or logger.log_dir is None:
        return Path(trainer.default_root_dir) / "modules", None
    return Path(logger.log_dir) / "modules", logger.version


class Store:
    """The Saver of one fit, whose faults are one warning, or kept to end the training.

    Args:
        saver: The Saver; None on other ranks than 0.
        on_error: ``"continue"`` or ``"stop"``, as in `SaverCallback`.
    """

    def __init__(self, saver: Saver | None, on_error: str) -> None:
        self.saver = saver
        self.fault: Exception | None = None
        self._stops = on_error == "stop"
        self._tolerant = Tolerant("the training")

    def __call__(self, deed: Callable[..., _Result], *args: Any, **kwargs: Any) -> _Result | None:
        """Carry out what writes, and take notice where it fails.

        Returns:
            What it returned; None where it failed.
        """
        if not self._stops:
            return self._tolerant(deed, *args, **kwargs)
        try:
            return deed(*args, **kwargs)
        except Exception as error:  # noqa: BLE001 - told after the batch, on all ranks alike
            self.fault = self.fault or error
        return None

    def warn_of_others(self) -> None:
        """Tell a training that begins of checkpoints that lie where its own will."""
        if self.saver is not None and self.saver.find_checkpoints():
            warnings.warn(
                f"{self.saver.dir} holds the checkpoints of another training, and those of this one"
                " are kept, counted and removed among them: record it with a RunLogger, or give"
                " the Trainer another default_root_dir",
                UserWarning,
                stacklevel=2,
            )

    def raise_fault(self) -> None:
        """Raise that a file could not be written, on this rank or another.

        Raises:
            CheckpointError: Always.
        """
        fault, self.fault = self.fault, None
        reason = "another rank could not write it" if fault is None else str(fault)
        raise CheckpointError(
            f"a checkpoint is missing, and on_error='stop' ends the training: {reason}"
        ) from fault

    def take_up_faults(self) -> None:
        """Take notice of what could not be written in the background, without waiting."""
        if self.saver is not None:
            self(self.saver.check)

    def flush(self) -> None:
        """Wait until all is written."""
        if self.saver is not None:
            self(self.saver.flush)

    def best_path(self, is_monitored: bool) -> str:
        """Give the best checkpoint, or else the newest, once all is written.

        Args:
            is_monitored: Whether there is a best one.

        Returns:
            Its path; an empty text where there is none.
        """
        self.flush()
        best = self(self._best, is_monitored)
        return "" if best is None else str(best)

    def _best(self, is_monitored: bool) -> Path | None:
        if self.saver is None:
            return None
        best = self.saver.best_checkpoint() if is_monitored else None
        newest = self.saver.find_checkpoints()[-1:]
        return best or next(iter(newest), None)

    def close(self) -> None:
        """Write what waits, and end what writes it."""
        if self.saver is not None:
            self(self.saver.close)

    def abandon(self) -> None:
        """Close after an exception, which stays the one that is reported."""
        with contextlib.suppress(Exception):  # a warning may be one
            self.close()
        if self.fault is not None:
            logger.warning("a checkpoint is missing: %s", self.fault)
