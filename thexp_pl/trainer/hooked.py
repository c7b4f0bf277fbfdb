"""The callbacks of a facade Trainer: Lightning's kind and thexp's."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.trainer.connectors.callback_connector import _CallbackConnector
from pytorch_lightning.trainer.states import TrainerStatus

from thexp_pl.callbacks.base import BaseCallback
from thexp_pl.callbacks.one_saver import with_one_saver
from thexp_pl.callbacks.refusals import refuse_twin
from thexp_pl.errors import TrainerError
from thexp_pl.params import Params
from thexp_pl.trainer.asked.lightning_callbacks import HOW, refuse_class
from thexp_pl.trainer.asked.options import arranged
from thexp_pl.trainer.calls import Calls
from thexp_pl.trainer.parts import TrainerParts

__all__ = ["TrainerCallbacks"]

AnyCallback = pl.Callback | BaseCallback


class TrainerCallbacks(TrainerParts):
    """What adds and removes callbacks."""

    def __init__(self, params: Params, options: dict[str, Any]) -> None:
        if type(self).train_epoch is not TrainerCallbacks.train_epoch:
            raise TrainerError(
                f"{type(self).__name__}.train_epoch would not be called, for Lightning runs the "
                "epochs; move it into train_batch or a callback's on_train_epoch_begin and _end"
            )
        super().__init__(params, options)
        self._calls = Calls(self)

    def add_callback(self, callback: AnyCallback) -> bool:
        """Hook a callback.

        Of Lightning's kind, ours included, there is one of each class, the newest; it is hooked
        before a training or between two. Of thexp's kind there is one of each class, the first; it
        is hooked at any time.

        Args:
            callback: The callback.

        Returns:
            Whether it is hooked; where not, its `on_hook_failed` was called.

        Raises:
            TrainerError: It is no callback, or one of Lightning's while a training runs.
        """
        if isinstance(callback, BaseCallback):
            return self._hook(callback)
        refuse_class(callback)
        name = type(callback).__name__
        refuse_twin(callback)
        if not isinstance(callback, pl.Callback):
            raise TrainerError(f"a {name} is no callback; {HOW}")
        self._check_between(name)
        self._callbacks = [*_without(self._callbacks, type(callback)), callback]
        if self._run is not None and self._run.lightning is not None:
            self._arrange([*_without(self._in_lightning(), type(callback)), callback])
        return True

    def remove_callback(self, callback: AnyCallback | type[AnyCallback]) -> None:
        """Take a hooked callback off.

        Args:
            callback: The callback, or its class.

        Raises:
            TrainerError: It is not hooked, or is one of Lightning's and a training runs.
        """
        hooked: list[AnyCallback] = [*self._calls.callbacks, *self._callbacks]
        is_class = isinstance(callback, type)
        found = [one for one in hooked if one is callback or (is_class and type(one) is callback)]
        if not found:
            name = callback.__name__ if isinstance(callback, type) else type(callback).__name__
            known = ", ".join(type(one).__name__ for one in hooked) or "there are none"
            raise TrainerError(f"this {name} is not hooked to the trainer ({known})")
        for one in found:
            self._unhook(one)

    def reload_callback(self, callback: AnyCallback) -> bool:
        """Take a hooked callback off and hook it anew, as the last of its priority.

        Args:
            callback: The callback.

        Returns:
            As `add_callback`.

        Raises:
            TrainerError: As `remove_callback`.
        """
        self.remove_callback(callback)
        return self.add_callback(callback)

    def train_epoch(self, eidx: int, params: Any) -> None:
        """Name an epoch to callbacks, as ``func``; Lightning runs it.

        Args:
            eidx: Its number, from 1.
            params: The trainer's parameters.

        Raises:
            TrainerError: Always.
        """
        raise TrainerError(f"train_epoch({eidx}): Lightning runs the epochs; call train()")

    def _hook(self, callback: BaseCallback) -> bool:
        if any(type(one) is type(callback) for one in self._calls.callbacks):
            name = type(callback).__name__
            callback.on_hook_failed(
                self,
                f"a {name} is hooked already, and of each class there is one; call "
                f"remove_callback({name}) first",
            )
            return False
        self._calls.add(callback)
        callback.trainer = self
        callback.on_hooked(self, self.params)
        return True

    def _unhook(self, callback: AnyCallback) -> None:
        if isinstance(callback, BaseCallback):
            self._calls.remove(callback)
            callback.trainer = None
            return
        self._check_between(type(callback).__name__)
        self._callbacks = [one for one in self._callbacks if one is not callback]
        if self._run is not None and self._run.lightning is not None:
            self._arrange([one for one in self._in_lightning() if one is not callback])

    def _settle_callbacks(self, given: list[pl.Callback]) -> None:
        """Have the callbacks of the constructor replace hooked ones, but not each other."""
        hooked = self._callbacks
        for callback in given:
            hooked = _without(hooked, type(callback))
        self._callbacks = with_one_saver([*hooked, *given])

    # -- in the Lightning Trainer ----------------------------------------------------------------

    def _check_between(self, name: str) -> None:
        lightning = None if self._run is None else self._run.lightning
        if lightning is not None and lightning.state.status == TrainerStatus.RUNNING:
            raise TrainerError(
                f"a {name} is a Lightning callback, and they stay as they are while a training "
                "runs; hook it in initial_callback or between two trainings"
            )

    def _in_lightning(self) -> list[pl.Callback]:
        callbacks: list[pl.Callback] = self.lightning_trainer.callbacks  # type: ignore[attr-defined]
        return callbacks

    def _arrange(self, callbacks: list[pl.Callback]) -> None:
        arrange = _CallbackConnector._reorder_callbacks
        self.lightning_trainer.callbacks = arrange(  # type: ignore[attr-defined]
            arranged(with_one_saver(callbacks))
        )


def _without(callbacks: Iterable[pl.Callback], kind: type) -> list[pl.Callback]:
    return [one for one in callbacks if type(one) is not kind]
