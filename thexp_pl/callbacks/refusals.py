"""What our callbacks cannot do, told before the training starts."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from types import FrameType
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.strategies import DeepSpeedStrategy
from pytorch_lightning.strategies.launchers import _MultiProcessingLauncher

from thexp_pl.errors import CheckpointError, UsageError

__all__ = ["refuse_another", "refuse_sharded", "refuse_twin", "refuse_unfound_last"]

_FIT = pl.Trainer.fit.__code__
_RUN = pl.Trainer._run.__code__
_WORKER = _MultiProcessingLauncher._wrapping_function.__code__
_TWINS = {"lightning.pytorch": "pytorch_lightning", "lightning.fabric": "lightning_fabric"}


def refuse_twin(value: Any, where: str = "") -> None:
    """Refuse an object of the package ``lightning``, the twin of ``pytorch_lightning``.

    Its classes have the same names and are others: no isinstance knows them, so that what is asked
    of them is left out without a word. The package need not be installed, and is not imported.

    Args:
        value: A Trainer, a callback, a logger, a strategy or the like.
        where: What the message begins with.

    Raises:
        UsageError: It is one, or its class is made of one.

    >>> refuse_twin(pl.Callback())
    """
    for kind in type(value).__mro__:
        package = ".".join(kind.__module__.split(".")[:2])
        if package in _TWINS:
            here = kind.__module__.replace(package, _TWINS[package], 1)
            raise UsageError(
                f"{where}{type(value).__name__} is of the package 'lightning', whose classes "
                f"thexp_pl does not know: import {kind.__name__} from {here}"
            )


def refuse_another(trainer: pl.Trainer, kind: type[pl.Callback]) -> None:
    """Refuse a second callback that saves into the same folder, and counts the files there as its.

    Args:
        trainer: The Trainer.
        kind: The class of the first.

    Raises:
        UsageError: There is one.
    """
    callbacks: list[Any] = trainer.callbacks  # type: ignore[attr-defined]  # set elsewhere
    count = sum(isinstance(callback, kind) for callback in callbacks)
    if count > 1:
        raise UsageError(
            f"a Trainer takes one {kind.__name__}, not {count}, which would remove each other's "
            "files: give one what all are to do (every_n_epochs=, every_n_batches=, "
            "keypoint_every=, keep_best=)"
        )


def refuse_sharded(trainer: pl.Trainer) -> None:
    """Refuse a strategy whose checkpoints are folders that all ranks write.

    Args:
        trainer: The Trainer.

    Raises:
        UsageError: It has such a strategy.
    """
    strategy: Any = trainer.strategy
    name = type(strategy).__name__
    if isinstance(strategy, DeepSpeedStrategy):
        way_out = "take FSDPStrategy(state_dict_type='full'), or Lightning's ModelCheckpoint"
    elif getattr(strategy, "_state_dict_type", "full") != "full":
        way_out = f"take {name}(state_dict_type='full'), or Lightning's ModelCheckpoint"
    elif getattr(strategy, "_save_distributed_checkpoint", False):
        way_out = f"take {name}(save_distributed_checkpoint=False), or Lightning's ModelCheckpoint"
    else:
        return
    raise UsageError(
        f"SaverCallback saves one file, and {name} as it is set saves a folder of shards: {way_out}"
    )


def refuse_unfound_last(trainer: pl.Trainer) -> None:
    """Refuse a fit that was to go on from the last checkpoint where Lightning found none.

    Lightning looks for files of ModelCheckpoint only, warns, and trains from the beginning. It
    tells callbacks neither what was asked for nor what was found, so that the calls in progress
    are looked at.

    Args:
        trainer: The Trainer, as its callbacks are set up.

    Raises:
        CheckpointError: It is such a fit.
    """
    frame: FrameType | None = sys._getframe(1)
    found = None
    while frame is not None:
        given = frame.f_locals
        if frame.f_code is _RUN and given.get("self") is trainer:
            found = given.get("ckpt_path")
        asked: Sequence[object] = ()
        if frame.f_code is _FIT and given.get("self") is trainer:
            asked = (given.get("ckpt_path"),)
        elif frame.f_code is _WORKER:
            asked = given.get("args", ())
        if found is None and any(type(one) is str and one == "last" for one in asked):
            raise CheckpointError(
                "ckpt_path='last': Lightning finds no files but those of its ModelCheckpoint, and "
                "would begin anew; give ckpt_path=thexp_pl.checkpoint_path('last')"
            )
        frame = frame.f_back
