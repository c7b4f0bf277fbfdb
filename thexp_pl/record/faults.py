"""A recorder's own fault is one warning, and never stops what is recorded."""

from __future__ import annotations

import errno
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ParamSpec, TypeVar

from thexp_pl.errors import RecordError

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
        strict: Raise every fault in place of warning.
    """

    def __init__(self, subject: str, strict: bool = False) -> None:
        self._subject = subject
        self._strict = strict
        self._told: set[tuple[object, ...]] = set()
        self._postponed: list[RecordError] | None = None

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

        Raises:
            RecordError: It failed, and faults are not tolerated.
        """
        try:
            return action(*args, **kwargs)
        except Exception as error:  # noqa: BLE001 - whatever it is, training is worth more
            self.tell(error)
        return None

    def tell(self, error: Exception) -> None:
        """Tell of a fault that was met elsewhere, such as in a thread.

        Args:
            error: The fault.

        Raises:
            RecordError: Faults are not tolerated.
        """
        if self._strict:
            self._raise(error)
            return
        kind = _kind(error)
        if kind in self._told:
            return
        self._told.add(kind)
        name = "" if isinstance(error, RecordError) else f"{type(error).__name__}: "
        warnings.warn(
            f"{self._subject} is not recorded in full: {name}{error};"
            " it goes on, and further faults of this kind are not told",
            RecorderWarning,
            stacklevel=4,  # the line of whoever called the recorder
        )

    @contextmanager
    def postponed(self) -> Iterator[None]:
        """Carry a block out to its end, and only then raise the first fault that is not tolerated.

        Raises:
            RecordError: There was one.
        """
        faults: list[RecordError] = []
        self._postponed = faults
        try:
            yield
        finally:
            self._postponed = None
        if faults:
            raise faults[0]

    def _raise(self, error: Exception) -> None:
        fault = error if isinstance(error, RecordError) else None  # it says itself what to do
        if fault is None:
            fault = RecordError(
                f"{self._subject} is not recorded in full: {type(error).__name__}: {error}; mend"
                " it, or leave out strict=True to go on with a warning"
            )
            fault.__cause__ = error
        if self._postponed is None:
            raise fault
        self._postponed.append(fault)


def _kind(error: Exception) -> tuple[object, ...]:
    if not isinstance(error, OSError):
        return (type(error),)
    # A disk that is full says so with the file's name or without it.
    named = isinstance(error.filename, str | bytes) and error.errno not in _OF_THE_DISK
    return (type(error), error.errno, Path(os.fsdecode(error.filename)).parent if named else None)
