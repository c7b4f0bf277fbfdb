"""Starting: imports and commands as whole processes, ours and those of other trackers."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks import trackers
from benchmarks.harness import Scale, measure
from benchmarks.programs import RECENT, WANTED, command, process
from benchmarks.report import Goal, Report
from benchmarks.stores import make_store
from benchmarks.timing import nothing

NOTHING, EMPTY = "nothing", "python -c pass"
OURS, TORCH, LIGHTNING = "import thexp_pl", "import torch", "import pytorch_lightning"
HELP, LIST = "thexp-pl --help", "thexp-pl list"
NEWEST, BEST = "thexp-pl list --recent --limit 20", "thexp-pl list, filtered and sorted"
MLFLOW, MLFLOW_HELP = "import mlflow", "mlflow --help"
AIM, AIM_HELP, AIM_VERSION = "import aim", "aim --help", "aim version"
QUICK = (NOTHING, EMPTY, OURS, HELP, NEWEST, AIM_VERSION)
GOALS = (
    Goal(HELP, NOTHING, 250, more=True),
    Goal(NEWEST, AIM_VERSION, 0.15),
    Goal(BEST, AIM_VERSION, 0.15),
    Goal(OURS, LIGHTNING, 0.1),
    Goal(OURS, MLFLOW, 0.1),
    Goal(OURS, AIM, 0.1),
    Goal(HELP, MLFLOW_HELP, 0.1),
    Goal(HELP, AIM_HELP, 0.15),
)
WHY = (
    "The floor is the interpreter's own start. What is above it is modules that are read and run:"
    " `import thexp_pl` reads nothing of torch or Lightning until a name is used that needs them,"
    " and a command reads only what it prints with; `list` opens the index and looks at every"
    " experiment's folder besides, and lays out a line a run. mlflow and aim run in an environment"
    " of their own."
)


def report(scale: Scale) -> Report:
    """Measure processes from their start to their end; `list` prints 1,000 runs."""
    absent: list[str] = []
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch, "home")
        os.environ["THEXP_HOME"] = str(home)
        make_store(Path(scratch, "root"), scale.pick(1_000, 50))
        cases = _own(home) | _others(absent)
        names = scale.pick(tuple(cases), QUICK)
        wanted = {name: case for name, case in cases.items() if name in names}
        seconds = measure(wanted, scale, share=5)
    goals = [goal for goal in GOALS if not scale.quick or {goal.case, goal.against} <= {*QUICK}]
    return Report("Starting", seconds, goals, absent, why=WHY)


def _own(home: Path) -> dict[str, Callable[[], object]]:
    cases: dict[str, Callable[[], object]] = {NOTHING: nothing}
    cases[EMPTY] = process([sys.executable, "-c", "pass"])
    cases |= {name: process([sys.executable, "-c", name]) for name in (OURS, TORCH, LIGHTNING)}
    cases |= {HELP: command(home, "--help"), LIST: command(home, "list")}
    return cases | {NEWEST: command(home, *RECENT), BEST: command(home, "list", *WANTED)}


def _others(absent: list[str]) -> dict[str, Callable[[], object]]:
    words: dict[str, list[str | Path]] = {}
    mlflow, aim = (trackers.program(name, absent) for name in ("mlflow", "aim"))
    if mlflow is not None:
        words |= {MLFLOW: [mlflow.with_name("python"), "-c", MLFLOW]}
        words |= {MLFLOW_HELP: [mlflow, "--help"]}
    if aim is not None:
        words |= {AIM: [aim.with_name("python"), "-c", AIM]}
        words |= {AIM_HELP: [aim, "--help"], AIM_VERSION: [aim, "version"]}
    return {name: process(each, None, **trackers.APART) for name, each in words.items()}
