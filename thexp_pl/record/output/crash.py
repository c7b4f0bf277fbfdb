"""What a process leaves of a fault that no Python code sees: SIGSEGV, SIGABRT and their like."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import re
import weakref
from pathlib import Path
from typing import IO

from thexp_pl.atomic import read_bytes

__all__ = ["CrashTrace", "crash_signal"]

_MAX_BYTES = 16 << 20
_SIGNALS = {
    "Segmentation fault": "SIGSEGV",
    "Floating point exception": "SIGFPE",
    "Floating-point exception": "SIGFPE",
    "Aborted": "SIGABRT",
    "Bus error": "SIGBUS",
    "Illegal instruction": "SIGILL",
}
_FAULT = re.compile(rf"^Fatal Python error: ({'|'.join(_SIGNALS)})$", re.MULTILINE)


class CrashTrace:
    """Has `faulthandler` write into a file where every thread stood when the process crashed.

    Where `faulthandler` is on already, by someone else or by another open run, it stays as it is
    and nothing is written here. In a forked child it is off: its crash is not that of the run.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None
        self._stream: weakref.ref[IO[bytes]] | None = None

    def start(self) -> None:
        """Make the file and watch.

        Raises:
            OSError: The file cannot be made.
        """
        if faulthandler.is_enabled():
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._file = os.open(self._path, flags, 0o666)
        stream = open(self._file, "wb", buffering=0, closefd=False)  # noqa: SIM115
        faulthandler.enable(stream)
        # faulthandler alone holds the stream: once it is gone, someone else has put in another.
        self._stream = weakref.ref(stream)
        _watching.add(self)

    def stop(self) -> None:
        """Watch no more; the file is taken away where it is empty.

        Raises:
            OSError: The file cannot be taken away.
        """
        if self._file is None:
            return
        empty = os.fstat(self._file).st_size == 0
        self._let_go()
        if empty:
            self._path.unlink(missing_ok=True)

    def _let_go(self) -> None:
        if self._stream is not None and self._stream() is not None:
            faulthandler.disable()
        if self._file is not None:
            os.close(self._file)
        self._stream = self._file = None
        _watching.discard(self)


def crash_signal(path: Path) -> str | None:
    """Read of what signal a process died.

    Args:
        path: The file of its `CrashTrace`.

    Returns:
        ``SIGSEGV``, ``SIGFPE``, ``SIGABRT``, ``SIGBUS`` or ``SIGILL``; None where the file says
        nothing of the kind or cannot be read.
    """
    with contextlib.suppress(OSError, ValueError):
        found = _FAULT.search(read_bytes(path, limit=_MAX_BYTES).decode("utf-8", "replace"))
        return _SIGNALS[found[1]] if found else None
    return None


_watching: set[CrashTrace] = set()


def _leave_to_parent() -> None:
    for trace in tuple(_watching):
        trace._let_go()


os.register_at_fork(after_in_child=_leave_to_parent)
