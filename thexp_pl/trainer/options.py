"""The Lightning options that a facade Trainer takes, adds to and refuses."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import pytorch_lightning as pl

from thexp_pl.callbacks import LoggerCallback, MeterCallback, RndCallback, SaverCallback
from thexp_pl.errors import TrainerError, near_miss
from thexp_pl.loggers import RunLogger

__all__ = ["check_options", "listed", "with_own_callbacks"]

_ONE_DEVICE_STRATEGIES = ("auto", "single_device", None)
_WHEN = "say when to evaluate with EvalCallback(eval_per_epoch, test_per_epoch).hook(self)"
# option -> the values that change nothing, and what the facade has in its place
_BY_HAND: dict[str, tuple[tuple[Any, ...], str]] = {
    "accumulate_grad_batches": (
        (None, 1),
        "train_batch steps by itself: call optim.step() and optim.zero_grad() every n-th idx",
    ),
    "gradient_clip_val": (
        (None, 0),
        "train_batch clips by itself: call torch.nn.utils.clip_grad_norm_ between backward and "
        "step",
    ),
    "check_val_every_n_epoch": ((None, 1), _WHEN),
    "val_check_interval": ((None, 1.0), _WHEN),
}


def check_options(options: Mapping[str, Any]) -> None:
    """Raise for options that a Lightning Trainer does not know or the facade cannot honour.

    Args:
        options: The Lightning Trainer options the user gave.

    Raises:
        TrainerError: For an unknown one; for what `train_batch` does by hand; for several devices
            or nodes, their strategies and float16 mixed precision, under which a user-written
            backward would go wrong silently; for a RunLogger or none.
    """
    known = inspect.signature(pl.Trainer.__init__).parameters
    for name in options:
        if name not in known:
            raise TrainerError(
                f"{name!r} is no option of the Lightning Trainer{near_miss(name, known)}"
            )
    for name, (neutral, instead) in _BY_HAND.items():
        if options.get(name) not in neutral:
            raise TrainerError(f"{name}={options[name]!r} is not for the facade Trainer: {instead}")
    if options.get("logger") is False:
        raise TrainerError(
            "logger=False: the facade Trainer always records its run; leave the option out"
        )
    if any(isinstance(logger, RunLogger) for logger in listed(options.get("logger"))):
        raise TrainerError(
            "logger: the facade Trainer records its run by itself; leave the RunLogger out and "
            "name its folder in initial_exp"
        )
    _refuse_unsupported(options)


def _refuse_unsupported(options: Mapping[str, Any]) -> None:
    devices = options.get("devices") or 1
    is_one = len(devices) == 1 if isinstance(devices, (list, tuple)) else False
    if not is_one and str(devices) not in ("1", "auto"):
        raise TrainerError(
            f"devices={devices!r}: the facade Trainer runs on one device; several need a "
            "LightningModule with manual_backward (thexp-pl fit --model)"
        )
    if (options.get("num_nodes") or 1) != 1:
        raise TrainerError("num_nodes: the facade Trainer runs on one device of one machine")
    if options.get("strategy") not in _ONE_DEVICE_STRATEGIES:
        raise TrainerError(
            f"strategy={options['strategy']!r}: the facade Trainer runs on one device; leave it out"
        )
    if str(options.get("precision")) in ("16", "16-mixed"):
        raise TrainerError(
            f"precision={options['precision']!r} scales the gradients, which a clipping written "
            "by hand would not see; use 'bf16-mixed' or '32-true'"
        )


def listed(value: Any) -> list[Any]:
    """Make a list of an option that may be one object, several, a switch or nothing."""
    if value is None or isinstance(value, bool):
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]


def with_own_callbacks(given: list[pl.Callback], saves: bool) -> list[pl.Callback]:
    """Add to the callbacks what averages, keeps random states and saves, unless one does.

    Args:
        given: The user's callbacks, hooked or as an option.
        saves: Whether checkpoints are wanted.
    """
    own: list[pl.Callback] = [MeterCallback(), RndCallback()]
    own += [SaverCallback()] if saves else []
    missing = [one for one in own if not any(isinstance(other, type(one)) for other in given)]
    callbacks = [*missing, *given]
    # the means must be there before they are shown, and shown before anything else is said
    callbacks.sort(key=lambda one: not isinstance(one, LoggerCallback))
    callbacks.sort(key=lambda one: not isinstance(one, MeterCallback))
    return callbacks
