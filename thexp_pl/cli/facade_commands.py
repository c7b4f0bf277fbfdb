"""What fit, validate, test and predict do with a facade Trainer."""

from __future__ import annotations

import io
from pathlib import Path

import torch

from thexp_pl import atomic
from thexp_pl.trainer import Trainer

__all__ = ["run_facade"]


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
    buffer = io.BytesIO()
    torch.save(facade.predict_all(), buffer)
    path = facade.experiment.paths.predictions
    atomic.write_bytes(path, buffer.getvalue())
    facade.logger.info(f"predictions of all batches, in their order: {path.name}")
