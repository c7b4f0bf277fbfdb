"""The calls of a facade Trainer's public methods, told to callbacks in thexp's style.

While none is hooked, nothing stands before a method, but for those that train. With the first, each
public method gets a `_Told` of its name in the trainer's `__dict__`, and with the last they go. An
epoch is no call, for Lightning runs it: it is told as `train_epoch`.
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import getattr_static, isfunction
from typing import TYPE_CHECKING, Any, NamedTuple

from thexp_pl.callbacks.base import BaseCallback
from thexp_pl.errors import TrainerError
from thexp_pl.saver.sidecar import world_size

if TYPE_CHECKING:
    from thexp_pl.trainer.hooked import TrainerCallbacks

__all__ = ["Calls"]

# of callbacks themselves, of epochs, which no one calls, and one that is told as `eval` or `test`
_UNTOLD = {"add_callback", "remove_callback", "reload_callback", "train_epoch", "evaluate"}
_ALWAYS = ("train", "train_step")


class _Epoch(NamedTuple):
    args: tuple[Any, ...]
    depth: int  # of the call that it runs in


class Calls:
    """Tells callbacks of the calls of one trainer's methods.

    Args:
        facade: The trainer.
    """

    def __init__(self, facade: TrainerCallbacks) -> None:
        self._facade = facade
        self._callbacks: tuple[BaseCallback, ...] = ()
        self._depth = 0
        self._failing: BaseException | None = None  # what is on its way out
        self._epoch: _Epoch | None = None
        self._tell_of(_ALWAYS)  # within them one may be hooked

    @property
    def callbacks(self) -> tuple[BaseCallback, ...]:
        """The callbacks in the order in which they are told."""
        return self._callbacks

    def add(self, callback: BaseCallback) -> None:
        """Tell a callback of all calls from now on."""
        if not self._callbacks:
            self._tell_of(_public_methods(type(self._facade)))
        found = [*self._callbacks, callback]
        self._callbacks = tuple(sorted(found, key=lambda one: one.priority))

    def remove(self, callback: BaseCallback) -> None:
        """Tell a callback nothing any more."""
        self._callbacks = tuple(one for one in self._callbacks if one is not callback)
        if not self._callbacks:
            told = vars(self._facade)
            for name in [name for name, value in told.items() if isinstance(value, _Told)]:
                if name not in _ALWAYS:
                    del told[name]

    def _tell_of(self, names: Any) -> None:
        own = vars(self._facade)
        for name in names:
            own.setdefault(name, _Told(self, name))

    def method(self, name: str) -> Callable[..., Any]:
        """Give a method as its class has it, bound to the trainer."""
        found: Callable[..., Any] = getattr(type(self._facade), name).__get__(self._facade)
        return found

    def tell(
        self, name: str, deed: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Carry out a call, and tell of its beginning and of its end or failure.

        Args:
            name: The method that it counts as.
            deed: What is called.
            args: What it is called with.
            kwargs: The same, by name.

        Returns:
            What it returned; None where an exception was swallowed.
        """
        func = self.method(name)
        self._depth += 1
        try:
            self._begin(name, func, args, kwargs)
            try:
                result = deed(*args, **kwargs)
            except BaseException as error:
                if self._is_swallowed(name, func, error, args, kwargs):
                    return None
                raise
            self._end(name, func, result, args, kwargs)
            return result
        finally:
            self._depth -= 1
            if not self._depth:
                self._failing = None  # its frames may hold a batch

    def _begin(self, name: str, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        facade = self._facade
        for callback in self._enabled():
            callback.on_begin(facade, func, facade.params, *args, **kwargs)
            own = getattr(callback, f"on_{name}_begin", None)
            if own is not None:
                own(facade, func, facade.params, *args, **kwargs)

    def _end(
        self, name: str, func: Any, result: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        facade = self._facade
        for callback in self._enabled():
            callback.on_end(facade, func, facade.params, result, *args, **kwargs)
            own = getattr(callback, f"on_{name}_end", None)
            if own is not None:
                own(facade, func, facade.params, result, *args, **kwargs)

    def _enabled(self) -> list[BaseCallback]:
        return [callback for callback in self._callbacks if callback.enable]

    # -- exceptions ------------------------------------------------------------------------------

    def _is_swallowed(
        self,
        name: str,
        func: Any,
        error: BaseException,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> bool:
        epoch = self._epoch
        if epoch is not None and epoch.depth == self._depth:  # it ran in this call
            self._epoch = None
            if self._tell_exception(self.method("train_epoch"), error, epoch.args, {}):
                return True
        is_swallowed = self._tell_exception(func, error, args, kwargs)
        if is_swallowed and name == "train_batch" and world_size() > 1:
            raise TrainerError(
                f"a callback swallowed a {type(error).__name__} in train_batch on one of "
                f"{world_size()} ranks: the others wait for its gradients; let it end the training"
            ) from error
        return is_swallowed

    def _tell_exception(
        self, func: Any, error: BaseException, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> bool:
        facade, callbacks = self._facade, self._enabled()
        answers = []
        if error is not self._failing:
            self._failing = error
            answers = [
                callback.on_first_exception(facade, func, facade.params, error, *args, **kwargs)
                for callback in callbacks
            ]
        answers += [
            callback.on_exception(facade, func, facade.params, error, *args, **kwargs)
            for callback in callbacks
        ]
        return any(answers)

    # -- epochs ----------------------------------------------------------------------------------

    def begin_epoch(self, eidx: int) -> None:
        """Tell that an epoch begins, or goes on, in the call that runs.

        Args:
            eidx: Its number, from 1.
        """
        args = (eidx, self._facade.params)
        goes_on = self._epoch is not None and self._epoch.args[0] == eidx
        self._epoch = _Epoch(args, self._depth)
        if not goes_on:
            self._begin("train_epoch", self.method("train_epoch"), args, {})

    def end_epoch(self, meter: Any) -> None:
        """Tell that the epoch has ended.

        Args:
            meter: Its means.
        """
        epoch, self._epoch = self._epoch, None
        if epoch is not None:
            self._end("train_epoch", self.method("train_epoch"), meter, epoch.args, {})


class _Told:
    """A method of a trainer, in its `__dict__`, that tells of its calls.

    Args:
        calls: What is told.
        name: The method.
    """

    def __init__(self, calls: Calls, name: str) -> None:
        self._calls = calls
        self.__name__ = name

    @property
    def __wrapped__(self) -> Callable[..., Any]:  # made anew: a copy's is that of the copy
        return self._calls.method(self.__name__)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if not self._calls.callbacks and self.__name__ not in _ALWAYS:
            return self.__wrapped__(*args, **kwargs)
        return self._calls.tell(self.__name__, self.__wrapped__, args, kwargs)


def _public_methods(kind: type) -> list[str]:
    names = [name for name in dir(kind) if not name.startswith("_") and name not in _UNTOLD]
    return [name for name in names if isfunction(getattr_static(kind, name))]
