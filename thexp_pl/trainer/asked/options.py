"""The Lightning options that a facade Trainer takes, adds to and refuses."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.strategies import DDPStrategy, StrategyRegistry

from thexp_pl.callbacks import LoggerCallback, MeterCallback, RndCallback, SaverCallback
from thexp_pl.callbacks.pruning import PruningCallback, pruning_of_sweep
from thexp_pl.callbacks.refusals import refuse_twin
from thexp_pl.errors import TrainerError, near_miss
from thexp_pl.loggers import RunLogger
from thexp_pl.strategies import ManualDDPStrategy
from thexp_pl.trainer.asked.lightning_callbacks import refuse_callbacks, tell_of_uncalled_hooks
from thexp_pl.trainer.asked.option_values import check_values

__all__ = ["arranged", "check_options", "listed", "refuse_strategy", "with_own_callbacks"]

_WHEN = "say when to evaluate with EvalCallback(eval_per_epoch, test_per_epoch).hook(self)"
# option -> the values that change nothing, and what the facade has in its place
_REFUSED: dict[str, tuple[tuple[Any, ...], str]] = {
    "accumulate_grad_batches": (
        (None, 1),
        "train_batch steps by itself: call optim.step() and optim.zero_grad() every n-th idx",
    ),
    "gradient_clip_val": (
        (None, 0, 0.0),
        "train_batch clips by itself: call self.clip_grad(self.model, max_norm) between backward "
        "and step",
    ),
    "gradient_clip_algorithm": (
        (None,),
        "train_batch clips by itself: call self.clip_grad(self.model, max_norm) or, by value, "
        "self.clip_grad(self.model, clip_value=...)",
    ),
    "check_val_every_n_epoch": ((None, 1), _WHEN),
    "val_check_interval": ((None, 1.0), _WHEN),
    "num_sanity_val_steps": ((None, 0), "call eval() before train() to try the evaluation out"),
    "reload_dataloaders_every_n_epochs": (
        (None, 0),
        "the registered loader stays; regist_databundler(train=...) between two calls of train() "
        "replaces it",
    ),
    "sync_batchnorm": (
        (None, False),
        "convert it in initial_trainer: torch.nn.SyncBatchNorm.convert_sync_batchnorm(model)",
    ),
    "barebones": (
        (None, False),
        "it leaves out loggers and checkpoints, and the facade Trainer always records and saves; "
        "use pytorch_lightning.Trainer",
    ),
    "model_registry": (
        (None,),
        "it is for a checkpoint callback that Lightning makes by itself; give litmodels' own as "
        "callbacks=[...]",
    ),
}
_ONE_DEVICE = ("auto", "single_device")
_HINT = "use 'ddp'"
_TPU = "it is for TPUs, whose graph a raw backward() and step() would not cut"
# what a registered name begins with -> why it cannot be
_STRATEGIES = {
    "fsdp": "its shards are no parameters that an optimizer of initial_trainer could hold",
    "deepspeed": "its engine runs backward and step by itself, not as train_batch writes them",
    "xla": _TPU,
    "single_xla": _TPU,
    "single_tpu": _TPU,
    "singledevicexla": _TPU,
    "dp": "Lightning has it no more",
    "modelparallel": "initial_trainer makes whole models, and nothing would shard them",
}


def check_options(options: Mapping[str, Any]) -> None:
    """Raise for options that a Lightning Trainer does not know or the facade cannot honour.

    Args:
        options: The Lightning Trainer options the user gave.

    Raises:
        TrainerError: For an unknown one; for what `train_batch` does by hand, or what would have
            no effect; for strategies and callbacks under which a user-written backward would go
            wrong; for a RunLogger or none; for a value that Lightning would refuse.
        UsageError: For an object of the package ``lightning``.
    """
    known = inspect.signature(pl.Trainer.__init__).parameters
    for name, value in options.items():
        if name not in known:
            raise TrainerError(
                f"{name!r} is no option of the Lightning Trainer{near_miss(name, known)}"
            )
        for one in listed(value):
            refuse_twin(one, f"{name}: ")
    for name, (neutral, instead) in _REFUSED.items():
        value = options.get(name)
        # 1 is a number of batches where 1.0 is the whole epoch
        if not any(type(value) is type(one) and value == one for one in neutral):
            raise TrainerError(f"{name}={value!r} is not for the facade Trainer: {instead}")
    _refuse_loggers(options.get("logger"))
    refuse_callbacks(listed(options.get("callbacks")))
    refuse_strategy(options.get("strategy"), options.get("devices"), options.get("num_nodes"))
    check_values(options)


def _refuse_loggers(loggers: Any) -> None:
    if loggers is False:
        raise TrainerError(
            "logger=False: the facade Trainer always records its run; leave the option out"
        )
    if any(isinstance(logger, RunLogger) for logger in listed(loggers)):
        raise TrainerError(
            "logger: the facade Trainer records its run by itself; leave the RunLogger out and "
            "name its folder in initial_exp"
        )


# -- strategies ----------------------------------------------------------------------------------


def refuse_strategy(strategy: Any, devices: Any = None, num_nodes: int | None = None) -> None:
    """Raise for a strategy under which `train_batch` would not train as it is written.

    Args:
        strategy: What the user gave: a name, an object, or None.
        devices: The option of that name.
        num_nodes: The option of that name.

    Raises:
        TrainerError: It is none of the "ddp" family, nor for one device; or a DDPStrategy with what
            the facade's own does not have.

    >>> refuse_strategy("ddp_spawn", devices=2)
    >>> refuse_strategy("dpp")
    Traceback (most recent call last):
        ...
    thexp_pl.errors.TrainerError: strategy='dpp' is unknown; did you mean 'ddp'?
    """
    if strategy is None or isinstance(strategy, ManualDDPStrategy):
        return
    if isinstance(strategy, DDPStrategy):
        _refuse_own_ddp(strategy)
    elif not isinstance(strategy, str):
        name = type(strategy).__name__
        reason = _reason(name.removesuffix("Strategy").lower()) or "the facade has its own for it"
        raise TrainerError(f"strategy: a {name} is not for the facade Trainer: {reason}; {_HINT}")
    elif strategy == "single_device" and _are_several(devices, num_nodes):
        raise TrainerError(
            f"strategy='single_device' contradicts devices={devices!r}, num_nodes={num_nodes!r}; "
            "give one of them"
        )
    elif strategy not in _ONE_DEVICE and not (
        strategy.startswith("ddp") and strategy in StrategyRegistry
    ):
        _refuse_name(strategy)


def _refuse_name(name: str) -> None:
    reason = _reason(name) if name in (*StrategyRegistry, *_STRATEGIES) else ""
    if reason:
        raise TrainerError(f"strategy={name!r} is not for the facade Trainer: {reason}; {_HINT}")
    known = [*_ONE_DEVICE, *(one for one in StrategyRegistry if one.startswith("ddp"))]
    raise TrainerError(
        f"strategy={name!r} is unknown{near_miss(name, known) or f'; {_HINT} or leave it out'}"
    )


def _reason(name: str) -> str:
    if name in _STRATEGIES:
        return _STRATEGIES[name]
    heads = ("fsdp", "deepspeed", "xla")
    return next((_STRATEGIES[head] for head in heads if name.startswith(head)), "")


def _refuse_own_ddp(strategy: DDPStrategy) -> None:
    """Refuse what would be left out where the facade's strategy takes the place of another."""
    if type(strategy) is not DDPStrategy:
        what = f"the methods of a {type(strategy).__name__}"
    elif any(
        getattr(strategy, f"_ddp_comm_{part}", None) is not None
        for part in ("hook", "state", "wrapper")
    ):
        what = "the communication hooks of a DDPStrategy"
    elif getattr(strategy, "_model_averaging_period", None) is not None:
        what = "the model averaging of a DDPStrategy"
    else:
        return
    raise TrainerError(
        f"strategy: {what} would have no effect, for the facade Trainer averages the gradients by "
        f"itself; {_HINT}"
    )


def _are_several(devices: Any, num_nodes: int | None) -> bool:
    is_one = len(devices) == 1 if isinstance(devices, (list, tuple)) else False
    return (num_nodes or 1) != 1 or not (is_one or str(devices) in ("1", "auto", "None"))


# -- callbacks -----------------------------------------------------------------------------------


def listed(value: Any) -> list[Any]:
    """Make a list of an option that may be one object, several, a switch or nothing."""
    if value is None or isinstance(value, bool):
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]


def with_own_callbacks(given: list[pl.Callback], saves: bool) -> list[pl.Callback]:
    """Add to the callbacks what averages, keeps random states, saves and prunes, unless one does.

    Args:
        given: The user's callbacks, hooked or as an option.
        saves: Whether checkpoints are wanted.

    Raises:
        TrainerError: One of them cannot work here.
    """
    refuse_callbacks(given)
    tell_of_uncalled_hooks(given)
    own: list[pl.Callback] = [MeterCallback(), RndCallback()]
    own += [SaverCallback()] if saves else []
    missing = [one for one in own if not any(isinstance(other, type(one)) for other in given)]
    prunes = any(isinstance(one, PruningCallback) for one in given)
    return arranged([*missing, *given, *([] if prunes else pruning_of_sweep())])


def arranged(callbacks: list[pl.Callback]) -> list[pl.Callback]:
    """Sort callbacks: means must be there before they are shown, and that before all else is said.

    Args:
        callbacks: The callbacks of a facade Trainer.
    """
    return sorted(
        callbacks,
        key=lambda one: (not isinstance(one, MeterCallback), not isinstance(one, LoggerCallback)),
    )
