"""Several SaverCallbacks made one: what each of them asks for, done by the one that saves."""

from __future__ import annotations

from collections.abc import Iterable
from inspect import signature
from typing import Any

import pytorch_lightning as pl

from thexp_pl.callbacks.saver import SaverCallback
from thexp_pl.callbacks.timing_checkpoint import TimingCheckpoint
from thexp_pl.errors import UsageError

__all__ = ["with_one_saver"]

_TOGETHER = ("monitor", "mode")  # the one says what the other is of
_DEFAULTS = {name: one.default for name, one in signature(SaverCallback).parameters.items()}


def with_one_saver(callbacks: Iterable[pl.Callback]) -> list[pl.Callback]:
    """Have one SaverCallback do what several are to do.

    Args:
        callbacks: Any callbacks. Of the SaverCallbacks among them a ModelCheckpoint stays, else
            the first, and gets the options of the others that are not the defaults. Where one is of
            a class that someone has derived, all stay.

    Returns:
        The callbacks that stay, in their order.

    Raises:
        UsageError: Two of them contradict each other.
    """
    callbacks = list(callbacks)
    savers = [one for one in callbacks if isinstance(one, SaverCallback)]
    if len(savers) < 2:
        return callbacks
    from thexp_pl.callbacks import ModelCheckpoint  # only where one may be: it shares its name

    if any(type(one) not in (ModelCheckpoint, SaverCallback, TimingCheckpoint) for one in savers):
        return callbacks
    stays = next((one for one in savers if isinstance(one, ModelCheckpoint)), savers[0])
    for name, value in _joined(savers).items():
        setattr(stays, name, value)
    return [one for one in callbacks if one is stays or one not in savers]


def _joined(savers: list[SaverCallback]) -> dict[str, Any]:
    joined: dict[str, Any] = {}
    by: dict[str, SaverCallback] = {}
    for saver in savers:
        for name, value in _asked(saver).items():
            if joined.setdefault(name, value) != value:
                raise UsageError(
                    f"{name}={joined[name]!r} of the {type(by[name]).__name__} contradicts "
                    f"{name}={value!r} of the {type(saver).__name__}: one of them saves for both; "
                    "give one of the two"
                )
            by.setdefault(name, saver)
    return joined


def _asked(saver: SaverCallback) -> dict[str, Any]:
    """Give the options that a SaverCallback was made with, but for the defaults."""
    given = {name: getattr(saver, name) for name in _DEFAULTS}
    names = [name for name in given if name not in _TOGETHER and given[name] != _DEFAULTS[name]]
    return {name: given[name] for name in [*names, *(_TOGETHER if saver.monitor else ())]}
