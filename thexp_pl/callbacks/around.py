"""A method of a LightningModule with something around it, for the time of a fit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytorch_lightning as pl

__all__ = ["around_method"]

Around = Callable[..., Any]


def around_method(module: pl.LightningModule, name: str, around: Around) -> Callable[[], None]:
    """Have a method called by something that may call it again, or not at all.

    A copy of the module, pickled or deep, has the method alone.

    Args:
        module: The module that is trained.
        name: The method.
        around: Called in its place, with the method and its arguments; it gives the result.

    Returns:
        What undoes it; calling it again does nothing.

    >>> module = pl.LightningModule()
    >>> undo = around_method(module, "on_train_start", lambda method: print("called"))
    >>> module.on_train_start()
    called
    >>> undo()
    >>> module.on_train_start()
    """
    was_own = vars(module).get(name)
    placed = _Around(getattr(module, name), around)
    object.__setattr__(module, name, placed)

    def undo() -> None:
        placed.is_undone = True
        # whoever has put something else there may call what was there before
        if vars(module).get(name) is not placed:
            return
        if was_own is None:
            object.__delattr__(module, name)
        else:
            object.__setattr__(module, name, was_own)

    return undo


class _Around:
    def __init__(self, method: Callable[..., Any], around: Around) -> None:
        # by this name Lightning sees whether a user has written the method
        self.__wrapped__ = method
        self.is_undone = False
        self._around = around

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.is_undone:
            return self.__wrapped__(*args, **kwargs)
        return self._around(self.__wrapped__, *args, **kwargs)

    def __reduce__(self) -> tuple[Any, ...]:
        return _same, (self.__wrapped__,)


def _same(method: Callable[..., Any]) -> Callable[..., Any]:
    return method
