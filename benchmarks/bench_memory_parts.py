"""How much memory recording, loading, reading and keeping code take at most, beside the peers."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable, Iterable
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from benchmarks import bench_loader
from benchmarks.bench_memory import peak
from benchmarks.bench_reading import file_of
from benchmarks.harness import Scale, in_turn
from benchmarks.projects import make_project
from benchmarks.recorders import interpreter_of
from benchmarks.report import Goal, Report
from benchmarks.sinks import (
    AIM,
    CSV_LOGGER,
    DVCLIVE,
    MLFLOW,
    OPENINGS,
    OURS,
    RUN_LOGGER,
    SACRED,
    TENSORBOARD_LOGGER,
    WRITER,
)

Cases = dict[str, Callable[[], float]]

RECORDERS = (
    OURS, RUN_LOGGER, WRITER, TENSORBOARD_LOGGER, CSV_LOGGER, MLFLOW, AIM, SACRED, DVCLIVE,
)  # fmt: skip
LOADERS = (bench_loader.PLAIN, bench_loader.STATEFUL, bench_loader.EXACT)
OUR_ROWS, PANDAS_ROWS = "read_metrics", "pandas.read_csv"
CODE = "thexp_pl.record.code"
SNAPSHOT, IMPORTED = "a snapshot", f"import {CODE}"
FULL = (1_000, 1_000_000, 1_000_000, 20_000)  # steps, items, rows, files
QUICK = (20, 200, 1_000, 20)
WHY = (
    "The floor is what is imported: torch by the loaders and all that is Lightning's, pandas by"
    " those who make frames; SummaryWriter is torch's. Recording keeps some seconds of values at"
    " most, however many steps there are. A resumed epoch draws its whole order, eight bytes an"
    " item; a plain DataLoader and StatefulDataLoader hold it as a list of Python's numbers. Of a"
    " snapshot git's own processes are not counted."
)


def named(what: str, count: int, of: str) -> str:
    """Name a case."""
    return f"{what}, {count:,} {of}"


def recording(steps: int, scratch: Path, names: Iterable[str], absent: list[str]) -> Cases:
    """Give what records steps of ten values, each time into a folder of its own."""
    cases: Cases = {}
    for name in names:
        python = interpreter_of(name)
        package = OPENINGS[name].package
        if python is None or not _has(python, package):
            absent += [package] if package not in absent else []
        else:
            cases[named(name, steps, "steps")] = partial(_recorded, name, steps, scratch, python)
    return cases


def _has(python: Path, package: str) -> bool:
    code = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({package!r}) is None)"
    return subprocess.run([python, "-c", code], check=False).returncode == 0


def _recorded(name: str, steps: int, scratch: Path, python: Path) -> float:
    folder = tempfile.mkdtemp(dir=scratch)
    # none of them leaves anything in the user's home
    homes = {"HOME": folder, "THEXP_HOME": f"{folder}/thexp", "DVC_NO_ANALYTICS": "true"}
    return peak("record", name, steps, folder, python=python, cwd=Path(folder), **homes)


def loading(items: int, absent: list[str]) -> Cases:
    """Give what goes on at the end of a long epoch."""
    whose = list(LOADERS)
    if not find_spec("torchdata"):
        whose.remove(bench_loader.STATEFUL)
        absent.append("torchdata")
    return {named(who, items, "items"): partial(peak, "go_on", who, items) for who in whose}


def reading(rows: int, scratch: Path, absent: list[str]) -> Cases:
    """Give what reads the metrics of a long run."""
    path = file_of(scratch / "metrics.csv", rows)
    cases: Cases = {named(OUR_ROWS, rows, "rows"): partial(peak, "read", "ours", path)}
    if find_spec("pandas"):
        cases[named(PANDAS_ROWS, rows, "rows")] = partial(peak, "read", "pandas", path)
    else:
        absent.append("pandas")
    return cases


def keeping(files: int, scratch: Path) -> Cases:
    """Give what keeps a project's code, and what only imports that."""
    project = make_project(scratch / "project", files)

    def kept() -> float:
        return peak("keep", project, tempfile.mkdtemp(dir=scratch))

    return {named(SNAPSHOT, files, "files"): kept, IMPORTED: partial(peak, "load", CODE)}


def report(scale: Scale) -> Report:
    """Measure each in a process of its own."""
    absent: list[str] = []
    names = scale.pick(RECORDERS, (OURS, WRITER))
    steps, items, rows, files = scale.pick(FULL, QUICK)
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        cases = recording(steps, scratch, names, absent) | loading(items, absent)
        cases |= reading(rows, scratch, absent) | keeping(files, scratch)
        values = in_turn(cases, scale.rounds(8))
    recorded = named(OURS, steps, "steps")
    loaded = named(bench_loader.EXACT, items, "items")
    goals = [
        *(Goal(recorded, named(peer, steps, "steps"), 1) for peer in names if not is_ours(peer)),
        *(Goal(loaded, named(who, items, "items"), 1) for who in LOADERS[:-1]),
        Goal(named(OUR_ROWS, rows, "rows"), named(PANDAS_ROWS, rows, "rows"), 1),
        Goal(named(SNAPSHOT, files, "files"), IMPORTED, 20, more=True),
    ]
    return Report("Peak memory of the parts", values, goals, absent, "MB", why=WHY)


def is_ours(name: str) -> bool:
    """Tell whether a recorder is this project's."""
    return OPENINGS[name].package == "thexp_pl"
