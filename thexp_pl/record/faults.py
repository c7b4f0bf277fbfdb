"""A recorder's own fault is one warning, and never stops what is recorded."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import ParamSpec, TypeVar

__all__ = ["RecorderWarning", "Tolerant"]

_Args = ParamSpec("_Args")
_Result = TypeVar("_Result")


class RecorderWarning(RuntimeWarning):
    """Something of a run could not be recorded; the run itself goes on."""


class Tolerant:
    """Calls functions, warns of the first one that fails and is silent about the rest.

    Args:
        subject: What the warning speaks of, such as ``"the run 26-11-22-061138-k3f9"``.
    """

    def __init__(self, subject: str) -> None:
        self._subject = subject
        self._warned = False

    def __call__(
        self, action: Callable[_Args, _Result], *args: _Args.args, **kwargs: _Args.kwargs
    ) -> _Result | None:
        """Call a function.

        Args:
            action: The function.
            *args: Its arguments.
            **kwargs: Its arguments by name.

        Returns:
            What it returned; None where it failed.
        """
        try:
            return action(*args, **kwargs)
        except Exception as error:  # noqa: BLE001 - whatever it is, training is worth more
            self._warn(error)
        return None

    def _warn(self, error: Exception) -> None:
        if self._warned:
            return
        self._warned = True
        warnings.warn(
            f"{self._subject} is not recorded in full: {type(error).__name__}: {error};"
            " it goes on, and further faults are not told",
            RecorderWarning,
            stacklevel=4,
        )
