"""A file that a living run touches, for readers who cannot see its process."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from pathlib import Path

__all__ = ["BEAT_SECONDS", "STALE_SECONDS", "Heartbeat", "is_stale"]

BEAT_SECONDS = 10.0
STALE_SECONDS = 180.0


class Heartbeat:
    """Touches a file every `BEAT_SECONDS` from a thread of its own until it is stopped.

    Args:
        path: The file.

    Raises:
        OSError: The file cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stopped = threading.Event()
        path.touch()
        threading.Thread(target=self._beat, name="thexp-heartbeat", daemon=True).start()

    def stop(self) -> None:
        """Stop and take the file away."""
        self._stopped.set()
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)

    def _beat(self) -> None:
        while not self._stopped.wait(BEAT_SECONDS):
            # Without times: a file server then uses its own clock, the one readers compare with.
            with contextlib.suppress(OSError):
                os.utime(self._path)


def is_stale(path: Path) -> bool:
    """Say whether a heartbeat has stopped.

    Args:
        path: The heartbeat's file.

    Returns:
        Whether it is missing, or its time is more than `STALE_SECONDS` away from now by its file
        system's clock: one from the future was not touched since the clock was set back.
    """
    try:
        return abs(_now_beside(path) - path.stat().st_mtime) > STALE_SECONDS
    except OSError:
        return True


def _now_beside(path: Path) -> float:
    # The clocks of a file server and of this host differ: ask the file system what time it is.
    import tempfile  # 6 ms, and most readers never ask

    try:
        with tempfile.TemporaryFile(dir=path.parent) as probe:
            return os.fstat(probe.fileno()).st_mtime
    except OSError:
        return time.time()
