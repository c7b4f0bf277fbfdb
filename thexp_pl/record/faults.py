"""A recorder's own fault is one warning, and never stops what is recorded."""

from __future__ import annotations

import errno
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

__all__ = ["RecorderWarning", "Tolerant"]

_OF_THE_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS)

_Args = ParamSpec("_Args")
_Result = TypeVar("_Result")


class RecorderWarning(RuntimeWarning):
    """Something of a run could not be recorded; the run itself goes on."""


class Tolerant:
    """Calls functions, and warns once of each kind of fault.

    Faults are of one kind when they have the same type, the same error number and the same folder:
    a full disk is told once, and does not hide what goes wrong elsewhere.

    Args:
        subject: What the warning speaks of, such as ``"the run 26-11-22-061138-k3f9"``.
    """

    def __init__(self, subject: str) -> None:
        self._subject = subject
        self._told: set[tuple[object, ...]] = set()

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
        kind = _kind(error)
        if kind in self._told:
            return
        self._told.add(kind)
        warnings.warn(
            f"{self._subject} is not recorded in full: {type(error).__name__}: {error};"
            " it goes on, and further faults of this kind are not told",
            RecorderWarning,
            stacklevel=4,
        )


def _kind(error: Exception) -> tuple[object, ...]:
    if not isinstance(error, OSError):
        return (type(error),)
    # A disk that is full says so with the file's name or without it.
    named = isinstance(error.filename, str | bytes) and error.errno not in _OF_THE_DISK
    return (type(error), error.errno, Path(os.fsdecode(error.filename)).parent if named else None)
