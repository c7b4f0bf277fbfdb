"""Sweeps of a light script, and a SLURM that is there for one test."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from thexp_pl.sweeps.engines.base import Ended
from thexp_pl.sweeps.engines.slurm import SlurmEngine
from thexp_pl.sweeps.point import Point
from thexp_pl.sweeps.submission import submit
from thexp_pl.sweeps.sweep import Sweep

PROGRAMS = ("sbatch", "srun", "squeue", "sacct", "scontrol", "scancel")
DEADLINE = 200.0
OPTIONS = {"timeout_min": "5"}

# Trains nothing: records its value, waits while the file `hold` of the project says so, and leaves
# as a training does that SIGTERM asks to end.
SCRIPT = """
import json, os, signal, sys, time
from pathlib import Path
from thexp_pl.record import Experiment

told = dict(word.removeprefix("--").split("=") for word in sys.argv[1:])
shared = Path(told["shared"])
print("attempt at", told["lr"])

def leave(number, frame):
    (shared / "left").open("a").write(f"{time.monotonic()} {number}\\n")
    sys.exit(128 + number)

signal.signal(signal.SIGTERM, leave)
with Experiment("experiment", "light", console=False) as exp:
    exp.log_metrics(0, 0, {"lr": float(told["lr"])})
    (shared / f"begun-{told['lr']}").write_text(json.dumps(dict(os.environ)))
    end = time.monotonic() + 400
    while (shared / "hold").exists() and time.monotonic() < end:
        time.sleep(0.02)
    if told["lr"] == "13":
        raise ValueError("an unlucky number")
"""


@dataclass
class FakeSlurm:
    """The SLURM of a test; its states lie in `folder`."""

    folder: Path

    def call(self, *words: str) -> None:
        subprocess.run(words, check=True, timeout=DEADLINE)

    def calls(self, program: str) -> list[str]:
        lines = (self.folder / "calls").read_text().splitlines()
        return [line for line in lines if line.split()[0] == program]

    def states(self) -> dict[str, str]:
        jobs = [path for path in self.folder.glob("[0-9]*") if not path.suffix]
        return {path.name: path.read_text() for path in jobs}


def start_slurm(folder: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSlurm:
    """Put the programs of a SLURM first on PATH."""
    slurm, programs = folder / "slurm", folder / "bin"
    slurm.mkdir()
    programs.mkdir()
    file = Path(__file__).with_name("fake_slurm.py")
    for name in PROGRAMS:
        program = programs / name
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S -E "{file}" {name} "$@"\n')
        program.chmod(0o755)
    (slurm / "calls").touch()
    monkeypatch.setenv("FAKE_SLURM", str(slurm))
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    return FakeSlurm(slurm)


def light_sweep(folder: Path, values: Sequence[str]) -> tuple[Sweep, Path]:
    """Submit a sweep of a light script; what its runs see of each other lies in `shared`."""
    project, shared = folder / "project", folder / "shared"
    project.mkdir()
    shared.mkdir()
    (project / "light.py").write_text(SCRIPT)
    points = [Point(number, {"lr": value}, digest=value) for number, value in enumerate(values)]
    sweep = submit(
        folder / "experiment",
        ["light.py", f"--shared={shared}"],
        ["lr"],
        points,
        command="thexp-pl sweep light.py",
        project=project,
        folder=project,
    )
    return sweep, shared


def opened(sweep: Sweep, **options: Any) -> SlurmEngine:
    """Make an engine that runs a sweep."""
    engine = SlurmEngine(**options)
    engine.open(sweep)
    return engine


def until(condition: Callable[[], object], what: str) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(0.02)


def run_out(engine: SlurmEngine, count: int) -> dict[int, Ended]:
    """Wait for so many ends."""
    ended: dict[int, Ended] = {}
    deadline = time.monotonic() + DEADLINE
    while len(ended) < count:
        assert time.monotonic() < deadline, f"only {ended} have ended"
        ended |= {each.point: each for each in engine.wait(0.5)}
    return ended
