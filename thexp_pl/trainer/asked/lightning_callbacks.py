"""Lightning's own callbacks on a facade run: which cannot work, and what none of them is told."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from pytorch_lightning import callbacks as lightning
from torch import nn
from torch.optim.lr_scheduler import LRScheduler

from thexp_pl.callbacks.base import BaseCallback
from thexp_pl.errors import TrainerError

if TYPE_CHECKING:
    from thexp_pl.trainer.state.attributes import Attributes

__all__ = [
    "HOW",
    "refuse_averaging",
    "refuse_callbacks",
    "refuse_class",
    "tell_of_uncalled_hooks",
]

HOW = "subclass pytorch_lightning.Callback, or thexp_pl.callbacks.TrainCallback"


def _has_time_interval(callback: Any) -> bool:
    return getattr(callback, "_train_time_interval", None) is not None


# class -> which of its callbacks, how they are called, and why they cannot work
_REFUSED: dict[str, tuple[Callable[[Any], bool], str, str]] = {
    "GradientAccumulationScheduler": (
        lambda _: True,
        "",
        "train_batch steps by itself: call optim.step() and optim.zero_grad() every n-th idx",
    ),
    "LearningRateFinder": (
        lambda _: True,
        "",
        "it steps and changes an optimizer that Lightning runs, and train_batch runs its own; "
        "train with params.grid_search('lr', [...])",
    ),
    "BatchSizeFinder": (
        lambda _: True,
        "",
        "it makes loaders of other sizes, and the facade's are registered; train with "
        "params.grid_search('batch_size', [...])",
    ),
    "WeightAveraging": (
        lambda _: True,
        "",
        "the facade would evaluate the current weights, not the averaged ones; keep "
        "torch.optim.swa_utils.AveragedModel(model) as an attribute and evaluate that",
    ),
    "SpikeDetection": (
        lambda _: True,
        "",
        "it reads the loss that a training step returns, and train_batch returns a Meter; compare "
        "the loss in train_batch, which can leave the step out, or raise",
    ),
    "ModelCheckpoint": (
        _has_time_interval,
        "(train_time_interval=...)",
        "Lightning ignores it where train_batch steps by itself; use every_n_train_steps=, or "
        "SaverCallback(every_n_batches=...)",
    ),
}


def refuse_callbacks(callbacks: Sequence[Any]) -> None:
    """Refuse what is no callback of Lightning's, and those that would have a wrong effect, or none.

    Args:
        callbacks: The callbacks of a facade Trainer.

    Raises:
        TrainerError: For the first of them.
    """
    for callback in callbacks:
        refuse_class(callback)
        if not isinstance(callback, lightning.Callback):
            name = type(callback).__name__
            is_ours = isinstance(callback, BaseCallback)
            instead = f"call {name}(...).hook(self) in initial_callback" if is_ours else HOW
            raise TrainerError(f"callbacks: a {name} is no callback of Lightning's; {instead}")
    for name, (applies, how, reason) in _REFUSED.items():
        kind = getattr(lightning, name, None)  # an older Lightning has not all of them
        for callback in callbacks:
            if kind is not None and isinstance(callback, kind) and applies(callback):
                raise TrainerError(
                    f"{type(callback).__name__}{how} is not for the facade Trainer: {reason}"
                )


def refuse_class(callback: Any) -> None:
    """Refuse a class where a callback is meant.

    Args:
        callback: What was given.

    Raises:
        TrainerError: It is a class.
    """
    if isinstance(callback, type):
        name = callback.__name__
        raise TrainerError(f"callbacks: {name} is a class; give {name}(...)")


def refuse_averaging(callbacks: Iterable[Any], module: nn.Module, found: Attributes) -> None:
    """Refuse Lightning's StochasticWeightAveraging where the average would be wrong.

    Args:
        callbacks: The callbacks of a facade Trainer.
        module: Its module.
        found: Its attributes.

    Raises:
        TrainerError: There is one, and something that it cannot average or would not step.
    """
    if not any(isinstance(one, lightning.StochasticWeightAveraging) for one in callbacks):
        return
    schedulers = [name for name, value in found.others.items() if isinstance(value, LRScheduler)]
    tensors = [n for n, value in found.others.items() if getattr(value, "requires_grad", False)]
    if any(isinstance(one, nn.modules.batchnorm._BatchNorm) for one in module.modules()):
        reason = (
            "renews the statistics of BatchNorm in one more epoch, in which train_batch would "
            "train on; average by hand with AveragedModel and update_bn of torch.optim.swa_utils"
        )
    elif schedulers:
        reason = f"sets the learning rate that self.{schedulers[0]} sets as well; use one of them"
    elif tensors:
        reason = f"averages modules only, and self.{tensors[0]} is a tensor; hold it in a module"
    else:
        return
    raise TrainerError(f"StochasticWeightAveraging {reason}")


# -- hooks that do not fire ----------------------------------------------------------------------

_KNOWING = ("pytorch_lightning", "thexp_pl", object.__module__)
_NO_LOOP = "the facade evaluates by itself, in EvalCallback, eval() and test()"
_BY_HAND = "train_batch calls zero_grad() by itself"
_UNCALLED = {
    **{
        f"on_{stage}_{when}": _NO_LOOP
        for stage in ("validation", "test")
        for when in ("start", "end", "epoch_start", "epoch_end", "batch_start", "batch_end")
    },
    **dict.fromkeys(("on_sanity_check_start", "on_sanity_check_end"), _NO_LOOP),
    "on_before_zero_grad": _BY_HAND,
}


def tell_of_uncalled_hooks(callbacks: Iterable[Any]) -> None:
    """Warn of hooks in a user's own callbacks that a facade run never calls.

    Args:
        callbacks: The callbacks of a facade Trainer; those of Lightning and ours know.
    """
    for callback in callbacks:
        for hook, reason in _UNCALLED.items():
            home = next((one for one in type(callback).__mro__ if hook in vars(one)), object)
            if home.__module__.partition(".")[0] not in _KNOWING:
                warnings.warn(
                    f"{home.__name__}.{hook} is not called on a facade run: {reason}",
                    UserWarning,
                    stacklevel=2,
                )
