"""Runs to be compared: recorded by scripts in processes of their own, or here."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from thexp_pl.compare.diff import Difference
from thexp_pl.record import Experiment
from thexp_pl.record.paths import RunPaths
from thexp_pl.runs import Run, read_run

SCRIPT = """
import os
import random
from thexp_pl.record import Experiment

random.seed(int(os.environ.get("PL_GLOBAL_SEED", "0")))
with Experiment("experiment", "digits", console=False) as exp:
    exp.params = {"optim": {"lr": float(os.environ.get("LR", "0.1"))}, "epoch": 3}
    exp.uses("data.csv")
    for step in range(5):
        noise = float(os.environ.get("NOISE", "0")) if step == 3 else 0.0
        exp.log_metrics(step, 0, {"loss": 1 / (step + 1) + noise, "acc": step})
"""


def make_project(folder: Path) -> Path:
    """Make a project whose script records a run."""
    folder.mkdir(parents=True)
    (folder / "train.py").write_text(SCRIPT)
    (folder / "model.py").write_text("width = 4\ndepth = 2\n")
    (folder / "data.csv").write_text("1,2\n")
    return folder


def record(project: Path, *words: str, options: tuple[str, ...] = (), **env: str) -> Run:
    """Run a project's script; give what it recorded."""
    before = set(folders(project))
    done = subprocess.run(
        [sys.executable, *options, "train.py", *words],
        cwd=project, env={**os.environ, **env}, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (folder,) = set(folders(project)) - before
    return run_in(folder)


def record_here(root: Path, project: Path | None, **options: Any) -> Run:
    """Record a run in this process; of a project, or without code."""
    code = {"code": False} if project is None else {"project": project}
    with Experiment(root, "digits", console=False, **code, **options) as exp:
        exp.log_metrics(0, 0, {"loss": 0.5})
    return read_run(exp.paths)


def folders(project: Path) -> Iterator[Path]:
    """List the folders of a project's runs."""
    return project.glob("experiment/digits/*")


def run_in(folder: Path) -> Run:
    """Read the run in a folder."""
    return read_run(RunPaths(folder.parents[1], folder.parent.name, folder.name))


def edited(run: Run, edit: Callable[[dict[str, Any]], object]) -> Run:
    """Copy a run beside itself, its manifest edited."""
    folder = run.paths.folder.with_name(f"{run.key}-{os.urandom(4).hex()}")
    shutil.copytree(run.paths.folder, folder)
    manifest = json.loads((folder / "run.json").read_text())
    edit(manifest)
    (folder / "run.json").write_text(json.dumps(manifest))
    return run_in(folder)


def told(difference: Difference) -> dict[str, Any]:
    """Give what differs by category."""
    found = difference.to_dict()
    return {name: found[name] for name in difference.categories}
