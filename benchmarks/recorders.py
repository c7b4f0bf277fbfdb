"""Runs of trackers, each recorded in a process of its own.

Trackers want versions of their own of what the project uses, and the threads of one must not slow
down another, so each runs `benchmarks.sinks` by the interpreter that has it, and is asked in turn.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from benchmarks.sinks import OPENINGS
from benchmarks.trackers import APART, program

__all__ = ["Recorder", "interpreter_of", "recorders"]

_ROOT = Path(__file__).parents[1]


class Recorder:
    """A run of a tracker that another process records.

    Args:
        name: The tracker, a name of `OPENINGS`.
        interpreter: The one that has it.
        folder: Where the run is; made, and all that the tracker writes is in it.
    """

    def __init__(self, name: str, interpreter: Path, folder: Path) -> None:
        self._name, self.folder = name, folder
        self._log = folder.with_suffix(".log")
        folder.mkdir(parents=True)
        home = folder.with_suffix(".home")
        home.mkdir()
        # none of them leaves anything in the user's home
        homes = {"HOME": str(home), "THEXP_HOME": str(home / "thexp"), "DVC_NO_ANALYTICS": "true"}
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [interpreter, "-m", "benchmarks.sinks", name, folder],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                cwd=folder,
                env={**os.environ, **APART, **homes, "PYTHONPATH": str(_ROOT)},
            )

    def is_there(self) -> bool:
        """Wait until the run is open; say whether the tracker is installed."""
        return self._answer() == "open"

    def seconds(
        self, steps: int, values: int = 10, flushed: bool = True, least: float = 0.0
    ) -> float:
        """Record steps, and as many again until it took long enough.

        Args:
            steps: How many there are from one flush to the next.
            values: How many each has.
            flushed: Whether the flush counts.
            least: How many seconds are long enough.

        Returns:
            The seconds of a step.
        """
        asked = {"steps": steps, "values": values, "flushed": flushed, "least": least}
        assert self._process.stdin is not None
        print(json.dumps(asked), file=self._process.stdin, flush=True)
        return float(self._answer())

    def close(self) -> None:
        """End the run, and the process."""
        self._process.communicate()
        if self._process.returncode:
            raise self._fault()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        answer = self._process.stdout.readline().strip()
        if not answer:
            raise self._fault()
        return answer

    def _fault(self) -> RuntimeError:
        told = self._log.read_text("utf-8", "replace").splitlines()[-20:]
        return RuntimeError("\n".join([f"{self._name} has failed:", *told]))


@contextlib.contextmanager
def recorders(
    names: Iterable[str], scratch: Path, absent: list[str]
) -> Iterator[dict[str, Recorder]]:
    """Open a run of each tracker, and end them all; what is not installed is noted in `absent`."""
    found: dict[str, Recorder] = {}
    missing = set()
    with contextlib.ExitStack() as stack:
        for number, name in enumerate(names):  # they start side by side
            interpreter = interpreter_of(name)
            if interpreter is None:
                missing.add(OPENINGS[name].package)
            else:
                found[name] = Recorder(name, interpreter, scratch / f"run{number}")
                stack.callback(found[name].close)
        for name in [*found]:
            if not found[name].is_there():
                missing.add(OPENINGS[name].package)
                del found[name]
        absent += sorted(missing - set(absent))
        yield found


def interpreter_of(name: str) -> Path | None:
    """Give the interpreter that should have a tracker; None where its environment is not there."""
    return program("python", []) if OPENINGS[name].is_apart else Path(sys.executable)
