"""Runs for pages, and what a page's file holds."""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from thexp_pl.record import Experiment
from thexp_pl.record.paths import RunPaths
from thexp_pl.runs import ExperimentViewer, RunRow
from thexp_pl.runs.run import Run

CALL = "<script>alert(1)</script>"


def record(
    root: Path,
    name: str = "digits",
    steps: int = 3,
    metrics: dict[str, Callable[[int], float]] | None = None,
    **params: Any,
) -> Experiment:
    """Record a run of one value a step and metric, 10 steps an epoch."""
    functions = {"loss": lambda step: 1 / (step + 1)} if metrics is None else metrics
    with Experiment(root, name, code=False, console=False) as exp:
        exp.params = params
        for step in range(steps):
            exp.log_metrics(step, step // 10, {n: value(step) for n, value in functions.items()})
    return exp


def with_code(root: Path, project: Path, **files: str) -> Experiment:
    """Record a run of a project with these files, whose dots are spelt ``__``."""
    project.mkdir(exist_ok=True)
    (project / "pyproject.toml").write_text("[project]\n")
    for name, text in files.items():
        (project / name.replace("__", ".")).write_text(text)
    with Experiment(root, "digits", project=project, console=False) as exp:
        exp.params = {"lr": 0.1}
    return exp


def rows_of(root: Path, query: str = "") -> list[RunRow]:
    return ExperimentViewer([root]).rows(query)


def run_of(exp: Experiment) -> Run:
    return ExperimentViewer([exp.root]).run(exp.key)


def write_metrics(paths: RunPaths, text: str) -> None:
    """Write rows of metrics by hand."""
    paths.folder.mkdir(parents=True, exist_ok=True)
    paths.metrics.write_text(f"step,epoch,time,name,value\n{text}")


def data_in(html: str) -> Any:
    """Unpack the data of a page's file, as the browser does."""
    packed = re.search(r'<script type="text/plain" id="data">([A-Za-z0-9+/=]+)</script>', html)
    assert packed is not None
    return json.loads(gzip.decompress(base64.b64decode(packed[1])))


def without_packed(html: str) -> str:
    """Take the packed texts out of a page's file."""
    return re.sub(r'(<script type="text/plain"[^>]*>)[A-Za-z0-9+/=]+', r"\1", html)
