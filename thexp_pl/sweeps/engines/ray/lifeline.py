"""The attempt of a Ray worker: it ends with the worker, and saves before that.

Ray kills the processes that a worker has started together with it, at once, but not those that
these have started in turn. So an attempt is run by a process of the second kind, which reads from a
pipe that the worker holds: when the worker lets go of it, or is gone in whatever way, the attempt
is asked to end, as by SIGTERM, and has the time to save a checkpoint.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

__all__ = ["Attempt", "start_attempt"]

_PROGRAM = "thexp_pl.sweeps.engines.ray.holding"


class Attempt:
    """An attempt that runs for as long as this process holds its lifeline.

    Args:
        process: The process that was started.
        lifeline: The descriptor that is held.
        answer: The descriptor of the pipe that says how it ended.
    """

    def __init__(self, process: subprocess.Popen[bytes], lifeline: int, answer: int) -> None:
        self._process = process
        self._lifeline: int | None = lifeline
        self._answer = answer
        self._lock = threading.Lock()

    def stop(self) -> None:
        """Ask it to end with a checkpoint; asked again nothing happens."""
        with self._lock:
            if self._lifeline is not None:
                os.close(self._lifeline)
                self._lifeline = None

    def wait(self) -> tuple[int | None, str]:
        """Wait until it has ended.

        Returns:
            The exit code, None where nobody knows it, and the reason where the attempt could not
            be made.
        """
        with os.fdopen(self._answer, "rb") as file:
            answer = file.read()
        self._process.wait()
        self.stop()
        last = answer.decode(errors="replace").strip().rpartition("\n")[2]
        with suppress(ValueError, TypeError):
            code, reason = json.loads(last)
            return code, reason
        return None, last or "its process was killed"


def start_attempt(root: Path, key: str, point: int, environment: Mapping[str, str]) -> Attempt:
    """Start an attempt at a point, see `thexp_pl.sweeps.attempt.run_attempt`.

    Args:
        root: The experiment root.
        key: The sweep's key.
        point: The point's number.
        environment: Further variables of its run.

    Returns:
        The attempt.

    Raises:
        OSError: No process can be started.
    """
    held, lifeline = os.pipe()
    answer, given = os.pipe()
    told = [str(held), str(given), str(root), key, str(point), json.dumps(dict(environment))]
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", _PROGRAM, *told],
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=given,  # of one that cannot even answer
            pass_fds=(held, given),
            start_new_session=True,
        )
    except BaseException:
        os.close(lifeline)
        os.close(answer)
        raise
    finally:
        os.close(held)
        os.close(given)
    return Attempt(process, lifeline, answer)
