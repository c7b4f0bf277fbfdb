"""The live page of many runs, from the command to the list, and what else shows runs so."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from itertools import groupby
from operator import itemgetter
from pathlib import Path

from benchmarks import trackers
from benchmarks.harness import Scale, in_turn, peer
from benchmarks.pages import METRICS, home_of
from benchmarks.report import Goal, Growth, Report
from benchmarks.servers import Visit, free_port, until, visited
from benchmarks.stores import make_store
from benchmarks.timing import timed
from thexp_pl.loggers.board import Board
from thexp_pl.record.metrics import read_metrics

NOTHING = "nothing"
STEPS = ("start until its address", "first view", "asked again, unchanged")
PARAMS = 12
WHY = (
    "The floor is the start of the interpreter and of the web server. The first view looks at the"
    " folders of the experiments and asks the index for the rows that are shown; asking again looks"
    " for what is newer. Another's start is its time until it answers at all, on runs of the same"
    " kind where it takes them: mlflow on as many runs as its case says, aim on none."
)


class Live:
    """``thexp-pl ui`` on a store, whose start, first view and next question are timed in turn.

    Args:
        home: The home that knows the store.
        ends: Stops the server if a question fails.
    """

    def __init__(self, home: Path, ends: contextlib.ExitStack) -> None:
        self._home = home
        self._server = ends.enter_context(contextlib.ExitStack())

    def start(self) -> float:
        """Start; give the seconds until it prints its address."""
        program = [sys.executable, "-m", "thexp_pl", "ui", "--port", "0"]
        served = self._server.enter_context(visited(self._home, program))
        self._visit, self._path, seconds = served
        return seconds

    def view(self) -> float:
        """Come in with the token; ask for the list's page, its data and its first rows."""
        return timed(self._view)

    def again(self) -> float:
        """Ask for the rows once more, where nothing has changed; then stop."""
        return timed(partial(self._ask, "/api/rows"), self._server.close)

    def _view(self) -> None:
        for path in (self._path, "/", "/api/list", "/api/rows"):
            body = self._ask(path)
        if not json.loads(body)["rows"]:
            raise RuntimeError("the list has no rows")

    def _ask(self, path: str) -> bytes:
        status, body = self._visit.get(path)
        if status not in (200, 303, 304):
            raise RuntimeError(f"{path} gave {status}: {body[:200]!r}")
        return body


def report(scale: Scale) -> Report:
    """Measure on generated stores, whose indexes are built before; each server is a new one."""
    absent: list[str] = []
    listed = scale.pick((1_000, 10_000, 100_000), (20, 100))
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as ends:
        scratch = Path(folder)
        cases: dict[str, Callable[[], float]] = {NOTHING: lambda: 0.0}
        growths: list[Growth] = []
        if peer("starlette", absent) and peer("uvicorn", absent):
            lives = {count: Live(home_of(scratch, f"{count}", count), ends) for count in listed}
            for count, live in lives.items():
                timers = live.start, live.view, live.again
                cases |= {_name(count, step): timers[at] for at, step in enumerate(STEPS)}
            growths = [
                Growth(f"ui, {step}", "runs", {count: _name(count, step) for count in listed})
                for step in STEPS
            ]
        cases |= _others(scratch, scale, absent)
        seconds = in_turn(cases, scale.rounds(5))
    goals = [Goal(_name(count, STEPS[1]), NOTHING, 1_000, more=True) for count in listed[1:]]
    return Report("The live page", seconds, goals, absent, growths=growths, why=WHY)


def _name(count: int, step: str) -> str:
    return f"ui of {count:,} runs, {step}"


def _others(scratch: Path, scale: Scale, absent: list[str]) -> dict[str, Callable[[], float]]:
    """Give what starts peers, on runs of the same number and size where they can."""
    cases: dict[str, Callable[[], float]] = {}
    if peer("tensorboard", absent):
        runs, points = scale.pick((20, 10_000), (2, 100))
        boards = _boards(scratch, runs, points)
        words = [sys.executable, "-m", "tensorboard.main", "--logdir", str(boards), "--port"]
        name = f"TensorBoard, start until it knows {runs} runs' curves of {points:,} points"
        cases[name] = partial(_started, words, partial(_knows, runs), scratch)
    if scale.quick:
        absent.append("mlflow ui and aim up: they take longer to start than --quick has")
        return cases
    if (mlflow := trackers.program("mlflow", absent)) is not None:
        url = trackers.mlflow_store(scratch / "mlflow", 10_000, METRICS, PARAMS)
        words = [str(mlflow), "ui", "--backend-store-uri", url, "--port"]
        name = "mlflow ui of 10,000 runs, start until the first answer"
        cases[name] = partial(_started, words, _answers, scratch)
    if (aim := trackers.program("aim", absent)) is not None:
        subprocess.run([aim, "init"], cwd=scratch, check=True, capture_output=True)
        words = [str(aim), "up", "--port"]
        cases["aim up, start until the first answer"] = partial(_started, words, _answers, scratch)
    return cases


def _started(words: list[str], is_there: Callable[[Visit], bool], folder: Path) -> float:
    port = free_port()
    return until([*words, str(port)], port, is_there, folder)


def _boards(scratch: Path, runs: int, points: int) -> Path:
    """Write the curves of runs as event files."""
    folder = scratch / "boards"
    root = make_store(scratch / "curves", runs, metrics=METRICS, points=points)
    for run in sorted(root.glob("*/*/metrics.csv")):
        board = Board(folder / run.parent.name, print)
        for step, rows in groupby(read_metrics(run).rows(), key=itemgetter(0)):
            board.add_scalars(step, {name: value for *_, name, value in rows})
        board.close()
    return folder


def _knows(runs: int, visit: Visit) -> bool:
    status, body = visit.get("/data/plugin/scalars/tags")
    tags = json.loads(body) if status == 200 else {}
    return len(tags) == runs and all(len(each) == METRICS for each in tags.values())


def _answers(visit: Visit) -> bool:
    return visit.get("/")[0] == 200
