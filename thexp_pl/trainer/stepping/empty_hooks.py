"""Hooks that our callbacks leave empty, left out of what Lightning calls at every batch.

Lightning calls each hook of each callback within a context of its profiler, one and a half
microseconds for a hook that does nothing; with six callbacks those of a batch come to fifty. What
is not callable it passes over.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import pytorch_lightning as pl

from thexp_pl.callbacks.hook import Hookable

__all__ = ["passed_over"]

_AT_EVERY_BATCH = (
    "on_train_batch_start",
    "on_before_zero_grad",
    "on_before_backward",
    "on_after_backward",
    "on_before_optimizer_step",
    "on_train_batch_end",
)


@contextmanager
def passed_over(callbacks: Iterable[pl.Callback]) -> Iterator[None]:
    """Have Lightning pass over the hooks that nobody has written, while a fit runs.

    Args:
        callbacks: Of these our own; a user's may be called by others too.
    """
    emptied = [
        (vars(callback), hook)
        for callback in callbacks
        for hook in _AT_EVERY_BATCH
        if isinstance(callback, Hookable) and _is_empty(callback, hook)
    ]
    for own, hook in emptied:
        own[hook] = None
    try:
        yield
    finally:
        for own, hook in emptied:
            own.pop(hook, None)


def _is_empty(callback: object, hook: str) -> bool:
    is_inherited = getattr(type(callback), hook) is getattr(pl.Callback, hook)
    return is_inherited and hook not in vars(callback)
