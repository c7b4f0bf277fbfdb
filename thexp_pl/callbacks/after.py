"""Deeds done right after a LightningModule's own hook.

Where Lightning calls the callbacks first and the module last, as in `on_train_batch_end`, a
callback does not see what the module does there: an average of weights that is updated in that hook
would be missing from a checkpoint saved by a callback.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytorch_lightning as pl

__all__ = ["after_module_hook"]


def after_module_hook(
    module: pl.LightningModule, hook: str, deed: Callable[[], object]
) -> Callable[[], None]:
    """Have something done each time a module's hook has returned.

    The hook keeps its arguments and its result. Where it raises, the deed is left out; what the
    deed raises ends the training. Several deeds of one hook are done in the order given. A copy of
    the module, pickled or deep, has the hook alone.

    Args:
        module: The module that is trained.
        hook: Which method of it, such as ``"on_train_batch_end"``.
        deed: What to do; called without arguments.

    Returns:
        What undoes it; calling it again does nothing.

    >>> module = pl.LightningModule()
    >>> undo = after_module_hook(module, "on_train_start", lambda: print("started"))
    >>> module.on_train_start()
    started
    >>> undo()
    >>> module.on_train_start()
    """
    there = vars(module).get(hook)
    hooked = there if isinstance(there, _Hooked) else _Hooked(module, hook)
    object.__setattr__(module, hook, hooked)
    entry = (deed,)  # of its own: the same deed may be given twice
    hooked.deeds = [*hooked.deeds, entry]

    def undo() -> None:
        hooked.deeds = [one for one in hooked.deeds if one is not entry]
        # whoever has put something else there may call what was there before
        if hooked.deeds or vars(module).get(hook) is not hooked:
            return
        if hooked.is_own:
            object.__setattr__(module, hook, hooked.__wrapped__)
        else:
            object.__delattr__(module, hook)

    return undo


class _Hooked:
    """A module's hook and what follows it, in the module's place for that hook.

    Args:
        module: The module.
        hook: The hook's name.
    """

    def __init__(self, module: pl.LightningModule, hook: str) -> None:
        # by this name Lightning sees whether a user has written the hook
        self.__wrapped__: Callable[..., Any] = getattr(module, hook)
        self.is_own = hook in vars(module)  # an attribute of this module, not a class's method
        self.deeds: list[tuple[Callable[[], object]]] = []

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        result = self.__wrapped__(*args, **kwargs)
        for (deed,) in self.deeds:
            deed()
        return result

    def __reduce__(self) -> tuple[Any, ...]:
        # a copy's hook is that of the copy, without the deeds
        return _same, (self.__wrapped__,)


def _same(hook: Callable[..., Any]) -> Callable[..., Any]:
    return hook
