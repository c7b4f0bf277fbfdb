"""Having the first fit of a process go on from a checkpoint, where the process was told so.

A script names a checkpoint as an argument of `fit`, and Lightning asks no logger and no callback
for one. So in a process that is to be a run again, and there alone, `fit` is another function.
"""

from __future__ import annotations

import functools
import inspect
import os
from typing import Any

import pytorch_lightning as pl
from lightning_utilities.core.rank_zero import rank_zero_only

from thexp_pl.record.again import take_checkpoint
from thexp_pl.record.rerun import VARIABLE

__all__ = ["follow_rerun"]


def follow_rerun() -> None:
    """Have `pytorch_lightning.Trainer.fit` go on as this process is told, if it is.

    It concerns a Trainer with a logger or a callback of thexp's.
    """
    fit = pl.Trainer.fit
    if VARIABLE not in os.environ or hasattr(fit, "_goes_on"):
        return

    @functools.wraps(fit)
    def fit_as_told(trainer: pl.Trainer, *args: Any, **kwargs: Any) -> None:
        path = take_checkpoint() if _has_ours(trainer) else ""
        if not path:
            return fit(trainer, *args, **kwargs)
        given = inspect.signature(fit).bind(trainer, *args, **kwargs)
        _say(path, given.arguments.get("ckpt_path"))
        given.arguments["ckpt_path"] = path
        return fit(*given.args, **given.kwargs)

    fit_as_told._goes_on = True  # type: ignore[attr-defined]
    setattr(pl.Trainer, "fit", fit_as_told)  # noqa: B010 - mypy: a method is no variable


def _has_ours(trainer: pl.Trainer) -> bool:
    callbacks: list[Any] = trainer.callbacks  # type: ignore[attr-defined]  # set elsewhere
    kinds = [kind for one in (*trainer.loggers, *callbacks) for kind in type(one).__mro__]
    return any(kind.__module__.partition(".")[0] == "thexp_pl" for kind in kinds)


@rank_zero_only
def _say(path: str, given: Any) -> None:
    instead = "" if given is None else f", in place of ckpt_path={os.fspath(given)!r}"
    print(f"the training goes on from {path}{instead}")  # noqa: T201 - to whoever runs it
