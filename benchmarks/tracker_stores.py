"""Stores of other trackers, made and asked by the interpreter that has them.

Run as ``python -m benchmarks.tracker_stores NAME`` it answers each line, a JSON array of a method's
name and its arguments, with another, the seconds that the call took and what it gave, until its
input ends; see `trackers`.
"""

from __future__ import annotations

import json
import logging
import random
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any

__all__ = ["STORES", "Aim", "Mlflow", "mlflow_url"]

_CHUNK = 1_000  # runs of one transaction
_LEAST, _SHOWN = 0.9, 20  # of the filter on a metric


class Mlflow:
    """Stores on SQLite, filled through the classes of their tables: the API takes 30 ms a run."""

    def make(self, folder: str, runs: int, metrics: int, params: int, seconds: float) -> bool:
        """Make a store of an empty folder; say whether it could be made in that time."""
        import mlflow
        from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

        end = time.perf_counter() + seconds
        draw = random.Random(0)
        store = SqlAlchemyStore(mlflow_url(folder), "artifacts")
        for first in range(0, runs, _CHUNK):
            if time.perf_counter() > end:
                return False
            numbers = range(first, min(first + _CHUNK, runs))
            with store.ManagedSessionMaker() as session:
                _fill(session, draw, numbers, metrics, params)
        mlflow.set_tracking_uri(mlflow_url(folder))
        mlflow.search_runs(["0"], max_results=1)  # opens the store, and imports pandas
        return True

    def frame(self, folder: str, runs: int) -> None:
        """Give all runs as a DataFrame."""
        import mlflow

        mlflow.set_tracking_uri(mlflow_url(folder))
        assert len(mlflow.search_runs(["0"], max_results=runs + 1)) == runs

    def best(self, folder: str) -> None:
        """Give the best runs above a value of a metric as a DataFrame."""
        import mlflow

        mlflow.set_tracking_uri(mlflow_url(folder))
        wanted, order = f"metrics.metric0 > {_LEAST}", ["metrics.metric0 DESC"]
        assert len(mlflow.search_runs(["0"], wanted, max_results=_SHOWN, order_by=order))


class Aim:
    """Repositories, filled run by run, and then indexed as ``aim up`` does in the background."""

    def make(self, folder: str, runs: int, metrics: int, params: int, seconds: float) -> bool:
        """Make a repository of an empty folder; say whether it could be made in that time."""
        from aim import Repo, Run

        end = time.perf_counter() + seconds
        draw = random.Random(0)
        repo = Repo.from_path(folder, init=True)
        quiet = {"system_tracking_interval": None, "capture_terminal_logs": False}
        for _ in range(runs):
            if time.perf_counter() > end:
                return False
            run = Run(repo=repo, log_system_params=False, **quiet)
            run["params"] = {name: draw.random() for name in _names("param", params)}
            for name in _names("metric", metrics):
                run.track(_best_of_two(draw), name=name, step=0)
            run.close()
        program = Path(sys.executable).with_name("aim")
        reindex = ("storage", "--repo", folder, "reindex", "-y")
        subprocess.run([program, *reindex], check=True, capture_output=True)
        self._found(folder).dataframe()  # imports pandas
        return True

    def frame(self, folder: str, runs: int) -> None:
        """Give all runs as a DataFrame, which has their parameters, and no metric."""
        assert len(self._found(folder).dataframe()) == runs

    def best(self, folder: str) -> None:
        """Find the runs above a value of a metric; it cannot sort them."""
        found = self._found(folder, f"run.metrics['metric0'].last > {_LEAST}")
        assert [each.run.hash for each in found.iter_runs()]

    def _found(self, folder: str, query: str = "") -> Any:
        from aim import Repo
        from aim.sdk.types import QueryReportMode

        repo = Repo.from_path(folder)
        return repo.query_runs(query, report_mode=QueryReportMode.DISABLED)


STORES = {"mlflow": Mlflow, "aim": Aim}


def mlflow_url(folder: str | Path) -> str:
    """Give the URL of a store."""
    return f"sqlite:///{folder}/mlflow.db"


def _names(of: str, count: int) -> list[str]:
    return [f"{of}{index}" for index in range(count)]


def _best_of_two(draw: random.Random) -> float:
    return max(draw.random(), draw.random())  # as the largest value of a metric of our runs


def _fill(session: Any, draw: random.Random, numbers: range, metrics: int, params: int) -> None:
    from mlflow.store.tracking.dbmodels import models
    from sqlalchemy import insert

    keys = {number: f"{number:032x}" for number in numbers}
    values = [
        {"key": name, "value": str(draw.random()), "run_uuid": key}
        for key in keys.values()
        for name in _names("param", params)
    ]
    cells = [
        {"key": name, "value": _best_of_two(draw), "run_uuid": key}
        | {"timestamp": 0, "step": 0, "is_nan": False}
        for key in keys.values()
        for name in _names("metric", metrics)
    ]
    session.execute(insert(models.SqlRun), [_run(*each) for each in keys.items()])
    session.execute(insert(models.SqlParam), values)
    session.execute(insert(models.SqlLatestMetric), cells)
    session.execute(insert(models.SqlMetric), cells)


def _run(number: int, key: str) -> dict[str, Any]:
    start = 1_700_000_000_000 + number * 1000
    return {
        "run_uuid": key,
        "name": f"run{number}",
        "source_type": "LOCAL",
        "source_name": "",
        "entry_point_name": "",
        "user_id": "someone",
        "status": "FINISHED",
        "start_time": start,
        "end_time": start + 60_000,
        "source_version": "",
        "lifecycle_stage": "active",
        "artifact_uri": "",
        "experiment_id": 0,
    }


def _answer() -> None:
    answers, sys.stdout = sys.stdout, sys.stderr  # whatever the tracker prints is no answer
    logging.disable(logging.INFO)
    warnings.simplefilter("ignore")
    store = STORES[sys.argv[1]]()
    for line in sys.stdin:
        name, *told = json.loads(line)
        start = time.perf_counter()
        given = getattr(store, name)(*told)
        print(json.dumps([time.perf_counter() - start, given]), file=answers, flush=True)


if __name__ == "__main__":
    _answer()
