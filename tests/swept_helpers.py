"""Projects with a light script, swept without torch."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from thexp_pl.runs import Run
from thexp_pl.sweeps.attempt import begin_attempt
from thexp_pl.sweeps.point import Point
from thexp_pl.sweeps.standing import State, state_of
from thexp_pl.sweeps.submission import submit
from thexp_pl.sweeps.sweep import Sweep, read_points

SECONDS = 120.0

SCRIPT = """
import os, sys
from thexp_pl import Experiment
given = dict(word[2:].split("=", 1) for word in sys.argv[1:])
rate = float(given.get("lr", 0.1))
with Experiment("./experiment", "tiny", console=False) as exp:
    exp.params = {"lr": rate}
    for step in range(3):
        exp.log_metrics(step, 0, {"loss": rate / (step + 1)})
"""


def write(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def git(folder: Path, *words: str) -> None:
    identity = ("-c", "user.name=a", "-c", "user.email=a@localhost")
    subprocess.run(
        ["git", *identity, *words], cwd=folder, check=True, timeout=SECONDS, capture_output=True
    )


def points_of(*rates: str) -> list[Point]:
    return [Point(0, {"lr": rate}, f"digest of {rate}") for rate in rates]


def submitted(*rates: str, root: Path | str = "experiment") -> Sweep:
    """Submit ``train.py`` in the working directory."""
    command = "thexp-pl sweep train.py"
    return submit(root, ["train.py"], ["lr"], points_of(*rates or ("0.1", "0.2")), command=command)


def point_of(sweep: Sweep, number: int = 0) -> Point:
    return read_points(sweep)[number]


def attempted(
    sweep: Sweep, number: int = 0, environment: Mapping[str, str | None] | None = None
) -> int:
    """Make an attempt at a point, to its end."""
    process = begin_attempt(sweep, point_of(sweep, number), environment=environment)
    return process.wait(SECONDS)


def finished(sweep: Sweep, number: int = 0) -> Run:
    """Make an attempt that finishes, and give the run."""
    code = attempted(sweep, number)
    assert code == 0, sweep.paths.log(number).read_text()
    return run_of(sweep, number)


def state(sweep: Sweep, number: int = 0) -> State:
    return state_of(sweep, point_of(sweep, number))


def run_of(sweep: Sweep, number: int = 0) -> Run:
    run = state(sweep, number).run
    assert run is not None
    return run


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.01)


@contextlib.contextmanager
def forked(deed: Callable[[], object]) -> Iterator[int]:
    """Do something in a process of its own, which is killed at the end of the block."""
    child = os.fork()
    if not child:
        try:
            deed()
        finally:
            os._exit(0)
    try:
        yield child
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, 9)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(child, 0)
