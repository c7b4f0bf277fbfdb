"""What a facade's checkpoint holds, whether it fits a trainer, and where training goes on."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch.nn.parameter import is_lazy

from thexp_pl.callbacks.progress import settle_epoch
from thexp_pl.errors import CheckpointError, ParamsError
from thexp_pl.params.plain import to_plain
from thexp_pl.saver import Saver
from thexp_pl.saver.names import kind_of, sidecar_path
from thexp_pl.saver.reading import read_state
from thexp_pl.trainer.state.attributes import Modules

if TYPE_CHECKING:
    import pytorch_lightning as pl
    from torch import nn
    from torch.optim import Optimizer

__all__ = [
    "ATTRIBUTES_KEY",
    "LATER_KEY",
    "OPTIMIZERS_KEY",
    "PARAMS_KEY",
    "check_optimizers",
    "check_weights",
    "completed",
    "plain",
    "read_checkpoint",
    "restore_progress",
    "settle_progress",
]

PARAMS_KEY = "thexp_pl_params"  # the settings
ATTRIBUTES_KEY = "thexp_pl_attributes"  # what Lightning does not save by itself
LATER_KEY = "thexp_pl_later"  # the names of those that initial_trainer did not make
OPTIMIZERS_KEY = "thexp_pl_optimizers"  # the names, in the order of Lightning's list


def plain(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Give the settings in their plain forms, without those that have none.

    Args:
        settings: Parameters by name.
    """
    kept = {}
    for name, value in settings.items():
        with contextlib.suppress(ParamsError):  # run.json shows it; nothing can be made of it
            kept[name] = to_plain(value, name)
    return kept


def read_checkpoint(
    path: Path, saver: Saver | None = None, *, weights_only: bool = True
) -> tuple[Any, dict[str, Any]]:
    """Read a Saver's file, or one that a ModelCheckpoint of Lightning's has written.

    Args:
        path: The file.
        saver: Any Saver; with one, what it writes meanwhile is waited for.
        weights_only: False lets the file run any code.

    Returns:
        The state and the values of the sidecar, none where the file has no sidecar.

    Raises:
        CheckpointError: It is missing or damaged.
    """
    if kind_of(path.name) or sidecar_path(path).exists() or not path.is_file():
        read = read_state if saver is None else saver.load_state_dict
        return read(path, weights_only=weights_only, map_location="cpu")
    try:
        return torch.load(path, map_location="cpu", weights_only=weights_only), {}
    except Exception as error:
        reason = str(error).partition("\n")[0]
        raise CheckpointError(f"{path} cannot be loaded: {reason}") from error


def check_weights(module: nn.Module, weights: Mapping[str, Any], misfit: str) -> None:
    """Raise unless weights have the names and shapes of a module, before anything is loaded.

    Args:
        module: The module.
        weights: Its `state_dict`, as saved.
        misfit: What the message begins with.

    Raises:
        CheckpointError: The first difference.
    """
    present = module.state_dict()
    for name in (*present, *weights):
        if name not in weights:
            raise CheckpointError(f"{misfit}: it has no '{name}'")
        if name not in present:
            raise CheckpointError(f"{misfit}: its '{name}' has no place there")
        here, there = present[name], weights[name]
        if isinstance(here, torch.Tensor) and not is_lazy(here) and here.shape != there.shape:
            raise CheckpointError(
                f"{misfit}: '{name}' has the shape {tuple(there.shape)}, not {tuple(here.shape)}"
            )


def completed(module: nn.Module, weights: Mapping[str, Any]) -> dict[str, Any]:
    """Add the weights of modules in lists and dicts, where a checkpoint knew nothing of the list.

    Args:
        module: The module that has the trainer's.
        weights: Its `state_dict`, as saved.
    """
    lists = [f"{name}." for name, one in module.named_children() if isinstance(one, Modules)]
    unknown = tuple(one for one in lists if not any(name.startswith(one) for name in weights))
    present = module.state_dict().items() if unknown else ()
    return {**weights, **{name: value for name, value in present if name.startswith(unknown)}}


def check_optimizers(
    optimizers: Mapping[str, Optimizer], state: Mapping[str, Any], misfit: str
) -> None:
    """Raise unless a checkpoint's optimizers are those of a trainer, in the same order.

    Args:
        optimizers: The trainer's, by name.
        state: The checkpoint.
        misfit: What the message begins with.

    Raises:
        CheckpointError: The first difference.
    """
    saved = state["optimizer_states"]
    here, there = list(optimizers), state.get(OPTIMIZERS_KEY)
    if len(here) != len(saved) or there not in (None, here):
        what = f"the optimizers {there}" if there is not None else f"{len(saved)} optimizers"
        raise CheckpointError(f"{misfit}: it has {what}, not {here}")
    for name, optimizer, one in zip(here, optimizers.values(), saved, strict=True):
        sizes = [len(group["params"]) for group in optimizer.param_groups]
        saved_sizes = [len(group["params"]) for group in one["param_groups"]]
        if sizes != saved_sizes:
            raise CheckpointError(
                f"{misfit}: its optimizer '{name}' has groups of {saved_sizes} parameters, "
                f"not {sizes}"
            )


def restore_progress(trainer: pl.Trainer, state: Mapping[str, Any]) -> None:
    """Have a Lightning Trainer's next fit go on where a checkpoint was saved.

    A checkpoint of an epoch whose batches are all done goes on with the next epoch, at whatever
    hook it was saved. Lightning itself takes some of these for an epoch to be gone on with: those
    saved after the last batch, and all of them under `max_steps`.

    Args:
        trainer: The Lightning Trainer.
        state: A Lightning checkpoint.
    """
    trainer.fit_loop.load_state_dict(state["loops"]["fit_loop"])
    epochs: Any = trainer.fit_loop.epoch_progress
    batches: Any = trainer.fit_loop.epoch_loop.batch_progress
    if batches.is_last_batch and batches.current.processed == batches.current.ready:
        epochs.total.processed = epochs.total.ready
        epochs.current.processed = epochs.current.ready
    if epochs.current.processed == epochs.current.ready:
        settle_progress(trainer)


def settle_progress(trainer: pl.Trainer) -> None:
    """Have a Lightning Trainer's next fit begin with an epoch, forgetting one that was cut off.

    Args:
        trainer: The Lightning Trainer.
    """
    settle_epoch(trainer)
    batches: Any = trainer.fit_loop.epoch_loop.batch_progress
    trainer.fit_loop.epoch_loop._batches_that_stepped = batches.total.processed
