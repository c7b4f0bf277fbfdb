"""Other trackers, each called as a user would: by its own environment's interpreter.

Run as a script by that interpreter: ``trackers.py make URL RUNS METRICS PARAMS`` fills an MLflow
store, through the classes of its tables, since its API takes 30 ms a run; ``trackers.py read URL``
prints the seconds that ``mlflow.search_runs`` takes.
"""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

__all__ = ["mlflow_store", "program", "search_seconds"]

_BIN = Path(__file__).parents[1] / ".venv-trackers" / "bin"


def program(name: str, absent: list[str]) -> Path | None:
    """Give a tracker's program, or note in `absent` that it is not installed."""
    path = _BIN / name
    if path.exists():
        return path
    absent.append(name)
    return None


def mlflow_store(folder: Path, runs: int, metrics: int, params: int) -> str:
    """Make an MLflow store on SQLite; give its URL."""
    url = f"sqlite:///{folder}/mlflow.db"
    words = [_BIN / "python", __file__, "make", url, str(runs), str(metrics), str(params)]
    subprocess.run(words, check=True, capture_output=True, cwd=folder)
    return url


def search_seconds(url: str) -> float:
    """Time ``mlflow.search_runs`` on a store, in a process of its own, without its start."""
    words = [_BIN / "python", __file__, "read", url]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    return float(done.stdout.splitlines()[-1])


def _make(url: str, runs: int, metrics: int, params: int) -> None:
    from mlflow.store.tracking.dbmodels import models
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    draw = random.Random(0)
    with SqlAlchemyStore(url, "artifacts").ManagedSessionMaker() as session:
        for number in range(runs):
            key = f"{number:032x}"
            session.add(_run(models, key, number))
            for name in (f"param{index}" for index in range(params)):
                session.add(models.SqlParam(key=name, value=str(draw.random()), run_uuid=key))
            for name in (f"metric{index}" for index in range(metrics)):
                cell = {"key": name, "value": draw.random(), "run_uuid": key}
                cell |= {"timestamp": 0, "step": 0, "is_nan": False}
                session.add(models.SqlLatestMetric(**cell))
                session.add(models.SqlMetric(**cell))


def _run(models: object, key: str, number: int) -> object:
    start = 1_700_000_000_000 + number * 1000
    return models.SqlRun(  # type: ignore[attr-defined]  # of an environment that mypy does not see
        run_uuid=key,
        name=f"run{number}",
        source_type="LOCAL",
        source_name="",
        entry_point_name="",
        user_id="someone",
        status="FINISHED",
        start_time=start,
        end_time=start + 60_000,
        source_version="",
        lifecycle_stage="active",
        artifact_uri="",
        experiment_id=0,
    )


def _read(url: str) -> float:
    import mlflow

    mlflow.set_tracking_uri(url)
    start = time.perf_counter()
    mlflow.search_runs(experiment_ids=["0"])
    return time.perf_counter() - start


if __name__ == "__main__":
    if sys.argv[1] == "make":
        _make(sys.argv[2], *map(int, sys.argv[3:]))
    else:
        print(_read(sys.argv[2]))
