"""Locks that the system lets go of by itself when the last process that holds them has ended."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

__all__ = ["is_held", "take"]

_PAUSE = 0.01  # seconds; whoever only looks, holds a lock for less


def take(path: Path, seconds: float) -> int | None:
    """Take a lock.

    Args:
        path: Its file; it and its folder are made where they are missing.
        seconds: The longest to wait for it.

    Returns:
        A descriptor to close, which a child may inherit: the lock is held until all are closed.
        None where another process holds it.

    Raises:
        OSError: The file cannot be made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    deadline = time.monotonic() + seconds
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    os.close(descriptor)
                    return None
                time.sleep(_PAUSE)
            else:
                return descriptor
    except BaseException:
        os.close(descriptor)
        raise


def is_held(path: Path) -> bool:
    """Say whether a process holds a lock.

    Args:
        path: Its file.

    Returns:
        Whether one does; False where there is no such file, or no locks on its file system.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)  # of two that look, both may
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return False
