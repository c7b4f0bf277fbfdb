"""The metrics of a moment that Lightning hands to the loggers only after a checkpoint was made.

A training that goes on from that checkpoint goes on behind them: nobody would log them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytorch_lightning as pl
from lightning_fabric.utilities.apply_func import convert_tensors_to_scalars

from thexp_pl.callbacks.gather import has_failed
from thexp_pl.loggers import find_run_logger

__all__ = ["coming_rows", "write_rows"]


def coming_rows(trainer: pl.Trainer) -> dict[str, Any] | None:
    """Give what Lightning is about to log of the batch, or of the epoch, that has just ended.

    Args:
        trainer: The Trainer, at the end of one; call it on all ranks.

    Returns:
        ``step``, ``values`` by name, with ``epoch`` among them; None where nothing will be logged.
    """
    connector, loop = trainer._logger_connector, trainer.fit_loop
    if has_failed(trainer) or not trainer.training or trainer._results is None:
        return None
    is_epochs = connector._first_loop_iter is None
    if not is_epochs:
        module: Any = trainer.lightning_module
        if loop._should_accumulate() and module.automatic_optimization:
            return None
        if not connector.should_update_logs:
            return None
    values: dict[str, Any] = convert_tensors_to_scalars(dict(connector.metrics["log"]))
    if not values:
        return None
    step = values.pop("step", None)
    if step is None:
        values.setdefault("epoch", trainer.current_epoch)
        step = loop.epoch_loop._batches_that_stepped - is_epochs
    return {"step": int(step), "values": values}


def write_rows(trainer: pl.Trainer, rows: object) -> None:
    """Log what `coming_rows` gave, to a run that has gone back to the checkpoint.

    Args:
        trainer: The Trainer, which goes on from the checkpoint.
        rows: What the checkpoint holds; nothing is done with anything else.
    """
    logger = find_run_logger(trainer)
    if logger is None or not trainer.is_global_zero or not logger.experiment.times_gone_back:
        return
    if isinstance(rows, Mapping) and isinstance(rows.get("values"), Mapping):
        logger.log_metrics(rows["values"], rows.get("step"))
