"""What ThexpCLI adds to the Lightning Trainer's options where a LightningModule is trained."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Checkpoint
from pytorch_lightning.trainer.connectors.data_connector import _DataLoaderSource

from thexp_pl.callbacks import MeterCallback, RndCallback, SaverCallback
from thexp_pl.callbacks.pruning import pruning_of_sweep
from thexp_pl.loggers import RunLogger
from thexp_pl.params import BaseParams
from thexp_pl.params.plain import to_plain
from thexp_pl.params.values import Unread
from thexp_pl.trainer.asked.devices import device_options
from thexp_pl.trainer.asked.options import listed
from thexp_pl.trainer.loaders import exactly
from thexp_pl.trainer.module import PARAMS_KEY

__all__ = ["KeepParams", "add_recording", "follow_params"]


def add_recording(
    config: dict[str, Any], exps_dir: str, name: str, record: dict[str, Any]
) -> list[pl.Callback]:
    """Record and save, unless the options name what does, or say that nothing shall.

    Args:
        config: The options; a RunLogger is added to `logger`.
        exps_dir: The root folder of the experiments.
        name: The experiment.
        record: Options of the RunLogger.

    Returns:
        The callbacks to add.
    """
    wanted = config.get("logger")
    loggers = listed(wanted)
    if wanted is not False and not any(isinstance(one, RunLogger) for one in loggers):
        loggers.append(RunLogger(exps_dir, name, **record))
    config["logger"] = loggers or wanted
    given = listed(config.get("callbacks"))
    always: list[pl.Callback] = [MeterCallback(), RndCallback(), *pruning_of_sweep()]
    added = [one for one in always if not any(isinstance(other, type(one)) for other in given)]
    added.append(ExactLoaders())
    has_saver = any(isinstance(one, Checkpoint) for one in given)
    if wanted is not False and config.get("enable_checkpointing") is not False and not has_saver:
        added.append(SaverCallback())
    return added


class ExactLoaders(pl.Callback):
    """Lets a training read its data by exact loaders, whoever makes the loaders."""

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Stand between Lightning and what gives it the loaders."""
        source = trainer.fit_loop._data_source
        if stage == "fit" and not isinstance(source, _ExactSource):
            trainer.fit_loop._data_source = _ExactSource(source.instance, source.name)


class _ExactSource(_DataLoaderSource):
    def dataloader(self) -> Any:
        return exactly(super().dataloader())


class KeepParams(pl.Callback):
    """Stores the Params in every checkpoint, as the facade does, for a command that goes on.

    Args:
        params: The Params.
    """

    def __init__(self, params: BaseParams) -> None:
        self._params = params

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Add them."""
        checkpoint[PARAMS_KEY] = to_plain(self._params.settings())


def follow_params(config: dict[str, Any], params: BaseParams) -> None:
    """Set the options that the Params say as well: the epochs and the device.

    Args:
        config: The options.
        params: The Params.

    Raises:
        UsageError: If the device is unknown, or contradicts the accelerator.
    """
    if "epoch" in params:
        config["max_epochs"] = params["epoch"]
    if "device" in params and not isinstance(params.stored("device"), Unread):
        wanted = device_options(params, config)
        config.update({name: wanted[name] for name in wanted if config[name] == "auto"})
