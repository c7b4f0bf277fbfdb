"""Other trackers, each called as a user would: by its own environment's interpreter."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.tracker_stores import mlflow_url

__all__ = ["APART", "Tracker", "asked", "mlflow_store", "program"]

_ROOT = Path(__file__).parents[1]
_BIN = _ROOT / ".venv-trackers" / "bin"
APART = {"DO_NOT_TRACK": "true"}  # whoever measures tells no server of it


class Tracker:
    """A process of another tracker's, with stores of its own; see `benchmarks.tracker_stores`.

    Args:
        name: The tracker, a name of `tracker_stores.STORES`.
    """

    def __init__(self, name: str) -> None:
        self.program = _BIN / name
        self._process = subprocess.Popen(
            [_BIN / "python", "-m", "benchmarks.tracker_stores", name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **APART, "PYTHONPATH": str(_ROOT)},
        )

    def make(
        self, folder: Path, runs: int, metrics: int, params: int, seconds: float = 3_600
    ) -> bool:
        """Make a store; say whether it could be made in that time."""
        folder.mkdir(exist_ok=True)
        return bool(self._answer("make", folder, runs, metrics, params, seconds)[1])

    def frame(self, folder: Path, runs: int) -> float:
        """Bring all runs to pandas; give the seconds that it took."""
        return self._answer("frame", folder, runs)[0]

    def best(self, folder: Path) -> float:
        """Find runs by a metric; give the seconds that it took."""
        return self._answer("best", folder)[0]

    def close(self) -> None:
        """End the process."""
        self._process.communicate()

    def _answer(self, method: str, folder: Path, *told: float) -> tuple[float, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps([method, str(folder), *told]), file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"{self.program.name} has failed at {method!r}; see above")
        seconds, given = json.loads(answer)
        return seconds, given


@contextlib.contextmanager
def asked(name: str, absent: list[str]) -> Iterator[Tracker | None]:
    """Start a tracker's process, or note in `absent` that it is not installed."""
    if program(name, absent) is None:
        yield None
        return
    with contextlib.closing(Tracker(name)) as tracker:
        yield tracker


def program(name: str, absent: list[str]) -> Path | None:
    """Give a tracker's program, or note in `absent` that it is not installed."""
    path = _BIN / name
    if path.exists():
        return path
    absent.append(name)
    return None


def mlflow_store(folder: Path, runs: int, metrics: int, params: int) -> str:
    """Make an MLflow store on SQLite; give its URL."""
    with contextlib.closing(Tracker("mlflow")) as tracker:
        tracker.make(folder, runs, metrics, params)
    return mlflow_url(folder)
