"""Callbacks in thexp's style: told of the calls of a facade Trainer's methods.

Their signatures collide with those of Lightning's hooks, so that they are no Lightning Callbacks:
they are for the facade Trainer alone, which tells them of the calls (`thexp_pl.trainer.calls`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from thexp_pl.callbacks.hook import Hookable
from thexp_pl.errors import TrainerError

__all__ = ["BaseCallback", "TrainCallback"]

Func = Callable[..., Any]


class BaseCallback(Hookable):
    """Told when any public method of a facade Trainer begins, ends or fails.

    ``func`` is the bound method that is called, ``func.__name__`` its name; ``args`` and ``kwargs``
    are what it was called with. Besides `on_begin` and `on_end` a subclass may have
    ``on_<method>_begin`` and ``on_<method>_end`` for any public method, also of the user's own
    Trainer; they are called right after the general ones. What a callback raises ends the call that
    it was told of.

    It is hooked at any time, also while a training runs. Of each class a trainer has one. On
    several devices every rank has its callbacks, told of that rank's calls.

    Source: thexp's ``BaseCallback``.
    """

    priority: int = 0  # a lower one is told first; of equals the one that was hooked earlier
    enable: bool = True  # whether it is told of calls
    trainer: Any = None  # the trainer that it is hooked to

    def unhook(self) -> None:
        """Take this callback off its trainer.

        Raises:
            TrainerError: It is hooked to none.
        """
        if self.trainer is None:
            raise TrainerError(f"this {type(self).__name__} is hooked to no trainer; hook it first")
        self.trainer.remove_callback(self)

    def on_hooked(self, trainer: Any, params: Any) -> None:
        """Called when the callback was hooked.

        Args:
            trainer: The facade Trainer.
            params: Its parameters.
        """

    def on_hook_failed(self, trainer: Any, message: str) -> None:
        """Called instead where the trainer has a callback of this class already.

        Args:
            trainer: The facade Trainer.
            message: Why it is not hooked.
        """

    def on_begin(self, trainer: Any, func: Func, params: Any, *args: Any, **kwargs: Any) -> None:
        """Called before a method.

        Args:
            trainer: The facade Trainer.
            func: The method.
            params: The trainer's parameters.
            *args: What it is called with.
            **kwargs: The same, by name.
        """

    def on_end(
        self, trainer: Any, func: Func, params: Any, meter: Any, *args: Any, **kwargs: Any
    ) -> None:
        """Called after a method that raised nothing; otherwise as `on_begin`.

        Args:
            trainer: The facade Trainer.
            func: The method.
            params: The trainer's parameters.
            meter: What the method returned; of an epoch its AvgMeter.
            *args: What it was called with.
            **kwargs: The same, by name.
        """

    def on_first_exception(
        self, trainer: Any, func: Func, params: Any, e: BaseException, *args: Any, **kwargs: Any
    ) -> Any:
        """Called for the innermost method that an exception leaves, before `on_exception`."""

    def on_exception(
        self, trainer: Any, func: Func, params: Any, e: BaseException, *args: Any, **kwargs: Any
    ) -> Any:
        """Called for each method that an exception leaves, the innermost first.

        Args:
            trainer: The facade Trainer.
            func: The method.
            params: The trainer's parameters.
            e: The exception, KeyboardInterrupt and SystemExit included.
            *args: What the method was called with.
            **kwargs: The same, by name.

        Returns:
            A true value swallows the exception: the method returns None, and has no end. A
            `train_batch` counts as done then, with nothing recorded; on several devices that is an
            error, for the other ranks wait for this one's gradients. An exception that has left
            `train_batch` ends the training, swallowed or not.
        """


class TrainCallback(BaseCallback):
    """A callback with the names of what a training calls; override some.

    Source: thexp's ``TrainCallback``.
    """

    def on_train_begin(
        self, trainer: Any, func: Func, params: Any, *args: Any, **kwargs: Any
    ) -> None:
        """Called before `train`."""

    def on_train_end(
        self, trainer: Any, func: Func, params: Any, meter: Any, *args: Any, **kwargs: Any
    ) -> None:
        """Called after `train`, which returns None."""

    def on_train_epoch_begin(
        self, trainer: Any, func: Func, params: Any, *args: Any, **kwargs: Any
    ) -> None:
        """Called before an epoch; `args` are ``eidx`` (from 1) and the parameters."""

    def on_train_epoch_end(
        self, trainer: Any, func: Func, params: Any, meter: Any, *args: Any, **kwargs: Any
    ) -> None:
        """Called after an epoch and its evaluation, before it is saved; `meter` is its AvgMeter."""

    def on_train_batch_begin(
        self, trainer: Any, func: Func, params: Any, *args: Any, **kwargs: Any
    ) -> None:
        """Called before `train_batch`.

        `args` are ``eidx, idx, global_step, batch_data, params, device``.
        """

    def on_train_batch_end(
        self, trainer: Any, func: Func, params: Any, meter: Any, *args: Any, **kwargs: Any
    ) -> None:
        """Called after `train_batch`; `meter` is what it returned."""

    def on_eval_begin(
        self, trainer: Any, func: Func, params: Any, *args: Any, **kwargs: Any
    ) -> None:
        """Called before an evaluation, also one of an EvalCallback."""

    def on_eval_end(
        self, trainer: Any, func: Func, params: Any, meter: Any, *args: Any, **kwargs: Any
    ) -> None:
        """Called after an evaluation; `meter` is None where it was skipped."""

    def on_test_begin(
        self, trainer: Any, func: Func, params: Any, *args: Any, **kwargs: Any
    ) -> None:
        """Called before a test, also one of an EvalCallback."""

    def on_test_end(
        self, trainer: Any, func: Func, params: Any, meter: Any, *args: Any, **kwargs: Any
    ) -> None:
        """Called after a test; `meter` is None where it was skipped."""
