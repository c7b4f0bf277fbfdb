"""Keeping what collects garbage away from the store while a snapshot is on its way into it.

Whoever adds holds a lock together with all others who add, from the listing of the objects to the
moment when a ref names them; whoever drops holds it alone. It is the kernel's (``flock``): a
process that is killed leaves nothing that the next one would wait for. Whatever git is started
meanwhile inherits the descriptor, so that a git which outlives its caller holds the lock to its
own end: a run that began before would name objects which this git is about to delete.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from thexp_pl.errors import RecordError

__all__ = ["adding", "dropping"]

_WAIT_SECONDS = 600.0  # a large store is being packed
_PAUSE_SECONDS = 0.02


@contextlib.contextmanager
def adding(lock: Path) -> Iterator[int]:
    """Add objects and refs; what is there stays there meanwhile.

    Args:
        lock: The lock's file; it is made where it is missing.

    Yields:
        The descriptor that holds it, for the processes that do the work.

    Raises:
        RecordError: Someone drops what nothing needs, and does not come to an end.
        OSError: The file cannot be made.
    """
    with _opened(lock) as descriptor:
        deadline = time.monotonic() + _WAIT_SECONDS
        while not _is_locked(descriptor, fcntl.LOCK_SH, lock, must=False):
            if time.monotonic() > deadline:
                raise RecordError(
                    f"the code store {str(lock.parent)!r} has been busy for {_WAIT_SECONDS:.0f} s:"
                    " see whether a `thexp-pl gc`, or the git of one that was killed, hangs there"
                )
            time.sleep(_PAUSE_SECONDS)
        yield descriptor


@contextlib.contextmanager
def dropping(lock: Path) -> Iterator[int]:
    """Drop objects and refs as the only one; it does not wait.

    Args:
        lock: The lock's file; it is made where it is missing.

    Yields:
        The descriptor that holds it, for the processes that do the work.

    Raises:
        RecordError: Someone else is at work, or the file system knows no locks.
        OSError: The file cannot be made.
    """
    with _opened(lock) as descriptor:
        if not _is_locked(descriptor, fcntl.LOCK_EX, lock, must=True):
            raise RecordError(
                f"a snapshot is being taken in {str(lock.parent)!r}, or code dropped or read: try"
                " again in a moment"
            )
        yield descriptor


@contextlib.contextmanager
def _opened(lock: Path) -> Iterator[int]:
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(lock, flags, 0o666)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _is_locked(descriptor: int, kind: int, lock: Path, *, must: bool) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        # Without locks nothing can be dropped, so whoever adds needs none.
        if must:
            raise RecordError(
                f"cannot lock {str(lock)!r}: {error.strerror or error}; work on a file system that"
                " knows locks"
            ) from error
    return True
