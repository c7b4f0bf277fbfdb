"""Writing into a Saver's folder as the only one, and reading there beside whoever writes."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from filelock import FileLock

from thexp_pl.errors import CheckpointError
from thexp_pl.saver.pair import settle, traces
from thexp_pl.saver.sidecar import DamagedError

__all__ = ["locked", "reason", "undisturbed"]

LOCK_NAME = ".saver.lock"
LOCK_SECONDS = 600.0  # another process may be writing a large state to a slow disk
LOOK_SECONDS = 5.0  # to commit takes a few milliseconds
LOOK_PAUSE = 0.01

T = TypeVar("T")


class _Here(threading.local):
    """The folders that this thread has locked: it would wait for itself."""

    def __init__(self) -> None:
        self.held: set[str] = set()


_here = _Here()


@contextlib.contextmanager
def locked(folder: Path, doing: str, timeout_s: float = LOCK_SECONDS) -> Iterator[None]:
    """Write into a folder as the only process, what killed ones left half-made settled first.

    Args:
        folder: The Saver's folder.
        doing: What for, to follow "cannot" in a message.
        timeout_s: Seconds to wait for another process.

    Raises:
        CheckpointError: The disk refuses, another process does not finish, or this thread is
            writing there already.
    """
    if not folder.is_dir():  # FileLock would make it again, empty
        raise CheckpointError(f"cannot {doing}: the folder {folder} does not exist any more")
    key = os.path.realpath(folder)
    if key in _here.held:
        raise CheckpointError(
            f"cannot {doing}: this thread is in the midst of another save into {folder}, which a"
            " signal handler or the state's own pickling has cut into; do it after that save"
        )
    _here.held.add(key)
    try:
        with FileLock(folder / LOCK_NAME, timeout=timeout_s), _settled(folder):
            yield
    except OSError as error:
        raise CheckpointError(f"cannot {doing} in {folder}: {reason(error)}") from error
    finally:
        _here.held.discard(key)


def reason(error: OSError) -> str:
    """Say why the disk refuses, and which folder stands where a file must be."""
    told = error.strerror or str(error)
    if isinstance(error, IsADirectoryError) and error.filename:
        return f"{told}: {error.filename2 or error.filename}; move that folder away"
    return told


@contextlib.contextmanager
def _settled(folder: Path) -> Iterator[None]:
    settle(folder)
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):  # the first error is the one to report
            settle(folder)
        raise


def undisturbed(folder: Path, look: Callable[[], T]) -> T:
    """Read from a folder, and believe in damage only where nobody was writing meanwhile.

    Needs no lock, so that it works where only reading is allowed, and while a long save is running.

    Args:
        folder: The Saver's folder.
        look: Reads; called again for as long as it raises DamagedError while files come and go.

    Returns:
        What `look` returns.

    Raises:
        DamagedError: As `look` does where the folder is at rest.
    """
    with contextlib.suppress(DamagedError):
        return look()
    deadline = time.monotonic() + LOOK_SECONDS
    while True:
        before, busy = traces(folder)
        try:
            return look()
        except DamagedError:
            at_rest = not busy and traces(folder) == (before, busy)
            if at_rest or time.monotonic() > deadline:
                raise
        # what a killed process left half-made never ends by itself
        with contextlib.suppress(CheckpointError), locked(folder, "tidy", timeout_s=0):
            pass
        time.sleep(LOOK_PAUSE)
