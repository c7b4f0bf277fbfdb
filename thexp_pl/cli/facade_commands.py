"""What fit, validate, test and predict do with a facade Trainer."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch

from thexp_pl import atomic
from thexp_pl.errors import UsageError
from thexp_pl.trainer import Trainer
from thexp_pl.trainer.asked.devices import device_options

__all__ = ["check_trainer_options", "run_facade"]


def check_trainer_options(facade: Trainer, options: Mapping[str, Any]) -> None:
    """Let Lightning refuse the options before a run begins.

    Args:
        facade: The trainer.
        options: The Lightning Trainer's options.

    Raises:
        UsageError: If the device contradicts them, or the record is unwanted.
        Exception: What Lightning raises for them.
    """
    if options.get("logger") is False:
        raise UsageError(
            "--trainer.logger=false: a facade Trainer always records its run; leave the flag out"
        )
    devices = device_options(facade.params.copy(), options)
    plain = {k: v for k, v in options.items() if isinstance(v, (bool, int, float, str, dict))}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they come again with the trainer itself
        logging.disable(logging.WARNING)
        try:
            pl.Trainer(**{**plain, **devices, "logger": False, "enable_checkpointing": False})
        finally:
            logging.disable(logging.NOTSET)


def run_facade(facade: Trainer, subcommand: str, checkpoint: str | None) -> None:
    """Run one subcommand on a trainer whose run has begun.

    Args:
        facade: The trainer, after `initial_exp`.
        subcommand: ``fit``, ``validate``, ``test`` or ``predict``.
        checkpoint: A checkpoint or model file to begin from, or None.
    """
    if checkpoint is not None:
        is_model = Path(checkpoint).suffix == ".pth"
        (facade.load_model if is_model else facade.load_checkpoint)(checkpoint)
    elif subcommand != "fit":
        facade.logger.warn(f"{subcommand} of weights that were never trained; give --ckpt_path")
    if subcommand == "fit":
        facade.train()
    elif subcommand == "validate":
        facade.eval()
    elif subcommand == "test":
        facade.test()
    else:
        _predict(facade)


def _predict(facade: Trainer) -> None:
    predictions = facade.predict_all()
    if not facade.lightning_trainer.is_global_zero:
        return
    buffer = io.BytesIO()
    torch.save(predictions, buffer)
    path = facade.experiment.paths.predictions
    atomic.write_bytes(path, buffer.getvalue())
    facade.logger.info(f"predictions of {len(predictions)} batches, in their order: {path.name}")
