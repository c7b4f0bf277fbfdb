"""Scripts that record runs in processes of their own, and commands as they are typed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from thexp_pl import ExperimentViewer
from thexp_pl.cli.main import main
from thexp_pl.runs import Run

SECONDS = 180

PLAIN = """
import os, random, sys
from pathlib import Path
from thexp_pl import Experiment
with Experiment("./experiment", "digits", console=False) as exp:
    exp.params = {"lr": 0.1}
    for step in range(5):
        exp.log_metrics(step, step // 2, {"loss": random.random(), "acc": float("nan")})
"""


def write(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def record(
    project: Path,
    *words: str,
    cwd: Path | None = None,
    env: Mapping[str, str | None] | None = None,
    code: int = 0,
) -> Run:
    """Run Python in a project, and give the run that started last."""
    merged = {**os.environ, "PYTHONWARNINGS": "ignore", **(env or {})}
    environment = {name: value for name, value in merged.items() if value is not None}
    command = [sys.executable, *(words or ("train.py",))]
    folder = project if cwd is None else cwd
    done = subprocess.run(
        command, cwd=folder, env=environment, timeout=SECONDS, capture_output=True, text=True
    )
    assert done.returncode == code, done.stderr
    return last(project)


def last(project: Path) -> Run:
    return ExperimentViewer([project / "experiment"]).run("@last")


class Terminal:
    """Types commands; reads what they print, and what the processes do that they start."""

    def __init__(self, capfd: pytest.CaptureFixture[str]) -> None:
        self._capfd = capfd
        self.out = self.err = ""

    def __call__(self, *words: str) -> int:
        self._capfd.readouterr()
        try:
            code = main(words)
        except SystemExit as ending:
            code = int(ending.code or 0)
        self.out, self.err = self._capfd.readouterr()
        return code

    def refused(self, *words: str, code: int = 2) -> str:
        assert self(*words) == code, self.out + self.err
        assert self.err.count("\n") == 1, self.err
        assert self.err.startswith("error: ")
        return self.err

    def said(self, name: str) -> list[str]:
        """Give what stands after ``name:`` at the beginning of a line."""
        start = f"{name}:"
        lines = [line for line in self.out.splitlines() if line.startswith(start)]
        return [line.removeprefix(start).strip() for line in lines]


def forget(project: Path) -> None:
    """Take a project away, all but its record."""
    for path in project.iterdir():
        if path.name != "experiment":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
