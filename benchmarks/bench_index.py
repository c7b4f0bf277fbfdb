"""Finding runs again: listing, filtering, to pandas, rebuilding the index; on 1,000 to 100,000."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import trackers
from benchmarks.harness import Goal, Report, measure, peer
from benchmarks.stores import make_store
from thexp_pl import ExperimentViewer

SIZES = (1_000, 10_000, 100_000)
MIDDLE = 10_000  # runs to pandas, and rebuilt
METRICS, PARAMS = 10, 12
ROUNDS = 5  # of what takes seconds
NOTHING, IDLE = "nothing", f"nothing, {ROUNDS} rounds"
HELP, AIM = "thexp-pl --help", "aim version"
PANDAS, MLFLOW = f"to_pandas, {MIDDLE:,} runs", f"mlflow.search_runs, {MIDDLE:,} runs"
REBUILD = f"reindex of {MIDDLE:,} runs"
BEST = "metrics.acc.max"
EVER = "10000d"  # the generated runs are of other years


def command(home: Path, *words: str) -> Callable[[], object]:
    """Make a call of ``thexp-pl`` as a whole process, with a home of its own."""
    program = [sys.executable, "-m", "thexp_pl", *words]
    environment = {**os.environ, "THEXP_HOME": str(home)}

    def call() -> None:
        subprocess.run(
            program, env=environment, stdout=subprocess.DEVNULL, check=True, cwd=home.parent
        )

    return call


def listing(count: int) -> str:
    """Name the case of the newest runs."""
    return f"list --recent, {count:,} runs"


def filtering(count: int) -> str:
    """Name the case of a filter on a metric, sorted by it."""
    return f"list, filtered and sorted, {count:,} runs"


def report(repeats: int) -> Report:
    """Measure on generated stores; the first call of each builds its index."""
    absent: list[str] = []
    with tempfile.TemporaryDirectory() as scratch:
        cases: dict[str, Callable[[], object]] = {NOTHING: lambda: None}
        goals = [Goal(HELP, NOTHING, 250, more=True)]
        for count in SIZES:
            home = Path(scratch, f"home{count}")
            os.environ["THEXP_HOME"] = str(home)
            make_store(Path(scratch, f"root{count}"), count, metrics=METRICS, params=PARAMS)
            recent = command(home, "list", "--recent", EVER, "--limit", "20")
            best = command(home, "list", f"{BEST} > 0.9", "--sort", BEST, "--limit", "20")
            recent()
            cases |= {listing(count): recent, filtering(count): best}
            goals += [Goal(name, NOTHING, 500, more=True) for name in list(cases)[-2:]]
        cases[HELP] = command(Path(scratch, f"home{MIDDLE}"), "--help")
        aim = trackers.program("aim", absent)
        if aim is not None:
            cases[AIM] = lambda: subprocess.run([aim, "version"], check=True, capture_output=True)
        goals.append(Goal(listing(SIZES[0]), AIM, 0.15))
        goals += [
            Goal(name(SIZES[-1]), name(SIZES[0]), SIZES[-1] / SIZES[0])
            for name in (listing, filtering)
        ]
        seconds = measure(cases, max(repeats // 2, 3))
        _slow(Path(scratch), seconds, goals, absent)
    return Report("Finding runs", seconds, goals, absent)


def _slow(
    scratch: Path, seconds: dict[str, list[float]], goals: list[Goal], absent: list[str]
) -> None:
    os.environ["THEXP_HOME"] = str(scratch / f"home{MIDDLE}")
    goals += [Goal(REBUILD, IDLE, 5_000, more=True), Goal(PANDAS, MLFLOW, 0.1)]
    pandas = peer("pandas", absent)
    url = None
    if trackers.program("mlflow", absent) is not None:
        url = trackers.mlflow_store(scratch, MIDDLE, METRICS, PARAMS)
    viewer = ExperimentViewer()
    if pandas is not None:
        viewer.to_pandas()  # imports
    for _ in range(ROUNDS):
        seconds.setdefault(IDLE, []).append(0.0)
        start = time.perf_counter()
        viewer.reload()
        seconds.setdefault(REBUILD, []).append(time.perf_counter() - start)
        if url is not None:
            seconds.setdefault(MLFLOW, []).append(trackers.search_seconds(url))
        start = time.perf_counter()
        if pandas is not None:
            viewer.to_pandas()
            seconds.setdefault(PANDAS, []).append(time.perf_counter() - start)
