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

__all__ = ["call_again", "pass_over", "passed_over"]

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
    own = [callback for callback in callbacks if isinstance(callback, Hookable)]
    for callback in own:
        _empty(callback)
    try:
        yield
    finally:
        for callback in own:
            call_again(callback)


def pass_over(callback: pl.Callback, trainer: pl.Trainer) -> None:
    """Have Lightning pass over the hooks of a callback that nobody has written.

    Args:
        callback: One of ours. Where another callback hands on to it what it is called for, and
            the Trainer does not have it, nothing is changed.
        trainer: The Trainer, whose fit begins.
    """
    callbacks: list[pl.Callback] = trainer.callbacks  # type: ignore[attr-defined]  # set elsewhere
    if any(one is callback for one in callbacks):
        _empty(callback)


def call_again(callback: object) -> None:
    """Undo that, once the fit has ended; calling it again does nothing."""
    own = vars(callback)
    for hook in _AT_EVERY_BATCH:
        if own.get(hook, callable) is None:
            del own[hook]


def _empty(callback: object) -> None:
    for hook in _AT_EVERY_BATCH:
        is_inherited = getattr(type(callback), hook) is getattr(pl.Callback, hook)
        if is_inherited and hook not in vars(callback):
            vars(callback)[hook] = None
