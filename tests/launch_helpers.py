"""Launching the trainings of `launch_subjects`, and reading what they leave."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from resume_nursery import Nursery

from thexp_pl import ExperimentViewer
from thexp_pl.record.metrics import read_metrics

SUBJECTS = Path(__file__).with_name("launch_subjects.py")
_OF_A_RANK = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "NODE_RANK", "MASTER_ADDR", "MASTER_PORT")


@dataclass
class Ran:
    """What a launch has left in its folder."""

    folder: Path
    codes: list[int]
    output: str

    @property
    def runs(self) -> list[Any]:
        return ExperimentViewer([self.folder / "exp"]).runs()

    @property
    def run(self) -> Any:
        (run,) = self.runs
        return run

    def ended(self, rank: int, number: int = 0) -> dict[str, Any]:
        return json.loads((self.folder / f"ended.{number}.{rank}.json").read_text())

    def state(self, rank: int, number: int = 0) -> dict[str, Any]:
        return torch.load(self.folder / f"state.{number}.{rank}.pt", weights_only=True)

    def printed(self, rank: int) -> str:
        """Give what a process that was forked has printed."""
        return (self.folder / f"output.{rank}").read_text()


def environment(**variables: str) -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if name not in _OF_A_RANK}
    quiet = {"OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    return {**own, **quiet, "PYTHONPATH": str(SUBJECTS.parent), **variables}


def script(folder: Path, *words: str, seconds: float = 300, **variables: str) -> Ran:
    """Run a command with Python to its end, together with all that it starts."""
    output = folder / "output"
    with output.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, *words],
            cwd=folder,
            env=environment(**variables),
            stdout=file,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            code = process.wait(seconds)
        finally:
            kill_session(process.pid)
            process.wait()
    return Ran(folder, [code], output.read_text())


def kill_session(leader: int) -> None:
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        return


def forked(children: Nursery, folder: Path, function: str, **how: Any) -> Ran:
    """Train in processes that are forked from one that has imported everything."""
    folder.mkdir(exist_ok=True)
    assert children.call(function, folder=str(folder), **how) == 0
    codes = json.loads((folder / "codes").read_text())
    texts = [path.read_text() for path in sorted(folder.glob("output.*"))]
    return Ran(folder, codes, "".join(texts))


def rows_of(run: Any) -> dict[str, int]:
    names = list(read_metrics(run.paths.metrics).name)
    return {name: names.count(name) for name in sorted(set(names))}


def same(one: Any, two: Any) -> bool:
    """Say whether two states are the same, bit for bit."""
    if isinstance(one, torch.Tensor):
        return torch.equal(one, two)
    if isinstance(one, dict):
        return one.keys() == two.keys() and all(same(one[name], two[name]) for name in one)
    if isinstance(one, list | tuple):
        return len(one) == len(two) and all(map(same, one, two))
    return bool(one == two)
