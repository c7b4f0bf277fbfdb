"""Values of Lightning options that no Lightning Trainer would take, told before a run begins."""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Mapping
from typing import Any

import pytorch_lightning as pl
from lightning_fabric.plugins import CheckpointIO, ClusterEnvironment
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from pytorch_lightning.loggers import Logger
from pytorch_lightning.plugins import LayerSync, Precision

from thexp_pl.errors import TrainerError, near_miss
from thexp_pl.trainer.quiet import SPEAKERS

__all__ = ["check_values"]

# those that stand for themselves; others say which devices there are, or set what is global
_TRIED = (
    "default_root_dir",
    "fast_dev_run",
    "limit_predict_batches",
    "limit_test_batches",
    "limit_train_batches",
    "limit_val_batches",
    "max_steps",
    "max_time",
    "overfit_batches",
    "precision",
    "profiler",
)
_BARE = {
    "accelerator": "cpu",
    "devices": 1,
    "logger": False,
    "max_epochs": 1,
    "enable_checkpointing": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
}
_PLUGINS = (Precision, CheckpointIO, ClusterEnvironment, LayerSync)


def check_values(options: Mapping[str, Any]) -> None:
    """Raise for the value of an option that Lightning would refuse, in many lines and too late.

    Args:
        options: The Lightning Trainer options the user gave, their names known.

    Raises:
        TrainerError: For the first of them.

    >>> check_values({"precision": "bf16-mixed", "profiler": None})
    """
    _check_kind("logger", options.get("logger"), (Logger,), "a pytorch_lightning Logger")
    _check_kind("plugins", options.get("plugins"), _PLUGINS, "a pytorch_lightning plugin")
    _check_one_precision(options.get("precision"), options.get("plugins"))
    for name in _TRIED:
        value = options.get(name)
        if value is not None:
            _try_out(name, value)


def _check_kind(name: str, given: Any, kinds: tuple[type, ...], what: str) -> None:
    for one in given if isinstance(given, (list, tuple)) else [given]:
        if isinstance(one, type):
            raise TrainerError(f"{name}: {one.__name__} is a class; give {one.__name__}(...)")
        if one is not None and not isinstance(one, (bool, *kinds)):
            raise TrainerError(
                f"{name}={one!r} is no object of {what}; give one, or a list of them"
            )


def _check_one_precision(precision: Any, plugins: Any) -> None:
    given = plugins if isinstance(plugins, (list, tuple)) else [plugins]
    kinds = [type(one).__name__ for one in given if isinstance(one, Precision)]
    said = [*([] if precision is None else [f"precision={precision!r}"]), *kinds]
    if len(said) > 1:
        raise TrainerError(f"precision: {' and '.join(said)} say the same; give one of them")


def _try_out(name: str, value: Any) -> None:
    """Have Lightning judge: it makes a Trainer of this option alone."""
    speakers = [logging.getLogger(speaker) for speaker in SPEAKERS]
    for speaker in speakers:
        speaker.addFilter(_says_nothing)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the Trainer that trains tells them
            # the environment that there is would take this for the run's own Trainer
            pl.Trainer(**{**_BARE, "plugins": [LightningEnvironment()], name: value})
    except Exception as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        near = near_miss(value, re.findall(r"'([^']+)'", reason)) if isinstance(value, str) else ""
        raise TrainerError(
            f"{name}={value!r} is no value that Lightning takes: {reason}{near}"
        ) from error
    finally:
        for speaker in speakers:
            speaker.removeFilter(_says_nothing)


def _says_nothing(record: logging.LogRecord) -> bool:
    return False
