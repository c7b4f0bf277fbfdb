"""How much memory a process takes at most: imports, trainings, lists of runs, saves."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest.mock import patch

from benchmarks import memory, trackers
from benchmarks.harness import Scale, in_turn
from benchmarks.report import Goal, Growth, Report
from benchmarks.saving import BACKGROUND, DCP, LIGHTNING, TORCH, sized
from benchmarks.stores import make_store

Cases = dict[str, Callable[[], float]]
Values = dict[str, list[float]]

ROOT = Path(__file__).parents[1]
EMPTY, IMPORT = "an empty interpreter", "import thexp_pl"
BARE, EVERYTHING, FACADE, THEXP = "bare Lightning", "Lightning, everything on", "facade", "thexp"
LIST, PANDAS, REINDEX = "thexp-pl list", "to_pandas", "thexp-pl reindex"
MLFLOW, AIM = "mlflow.search_runs", "aim query_runs().dataframe()"
WHY = f"""\
The floor is what is imported: torch and Lightning take most of any training, and {THEXP} does
without Lightning. {LIST} here writes all runs, not only the newest. Aim's frame has no metric; its
larger repositories take minutes to make. A state is saved three times in a row, as fast as
each way takes it, and counts itself: {BACKGROUND} keeps at most two copies of it besides, one that
is written and one that waits; {DCP} is given one at a time, and so keeps a copy less; {LIGHTNING}
takes any number, and writes each into memory first."""


@dataclass(frozen=True)
class Extent:
    """What is measured.

    Args:
        modules: What is imported.
        kinds: The loops that train.
        steps: How often; two of the loops only, beyond the first number.
        runs: How many a root holds.
        trackers: Whether other trackers are asked for theirs.
        states: The megabytes of what is saved.
        ways: How it is saved.
    """

    modules: tuple[str, ...] = ("thexp_pl", "torch", "pytorch_lightning")
    kinds: tuple[str, ...] = (BARE, EVERYTHING, FACADE, THEXP)
    steps: tuple[int, ...] = (1_000, 10_000, 100_000)
    runs: tuple[int, ...] = (1_000, 10_000, 100_000)
    trackers: bool = True
    states: tuple[int, ...] = (10, 100, 1_000)
    ways: tuple[str, ...] = (TORCH, BACKGROUND, LIGHTNING, DCP)


QUICK = Extent(("thexp_pl",), (EVERYTHING,), (10,), (20,), False, (10,), (BACKGROUND,))


def peak(
    *words: Any, python: str | Path = sys.executable, cwd: Path = ROOT, **variables: str
) -> float:
    """Give the megabytes that a case of `benchmarks.memory` had resident at most.

    Args:
        words: The case and its arguments.
        python: The interpreter.
        cwd: Where it starts.
        variables: Of its environment, besides those of this process.
    """
    done = subprocess.run(
        [python, "-m", memory.__name__, *map(str, words)],
        cwd=cwd,
        env={**os.environ, **trackers.APART, "PYTHONPATH": str(ROOT), **variables},
        check=True,
        capture_output=True,
        text=True,
    )
    return float(done.stdout.splitlines()[-1])


def trained(kind: str, steps: int) -> str:
    """Name the case of a training."""
    return f"{kind}, {steps:,} steps"


def listed(what: str, runs: int) -> str:
    """Name the case of a root."""
    return f"{what}, {runs:,} runs"


def trainings(kinds: Sequence[str], steps: int) -> Cases:
    """Train as often as said, by each of some loops."""
    words = {
        BARE: ("fit", "bare"),
        EVERYTHING: ("fit", "everything"),
        FACADE: ("fit", "facade"),
        THEXP: ("fit_by_thexp",),
    }
    return {trained(kind, steps): partial(peak, *words[kind], steps) for kind in kinds}


def of_training(extent: Extent, rounds: int, absent: list[str]) -> Values:
    """Measure imports and trainings of a few steps; then of many, once: they take a minute."""
    kinds = list(extent.kinds)
    if THEXP in kinds and not find_spec(THEXP):
        kinds.remove(THEXP)
        absent.append(THEXP)
    cases = {EMPTY: partial(peak, "nothing")}
    cases |= {f"import {name}": partial(peak, "load", name) for name in extent.modules}
    found = in_turn(cases | trainings(kinds, extent.steps[0]), rounds)
    for many in extent.steps[1:]:
        found |= in_turn(trainings([BARE, EVERYTHING], many), 1)
    return found


def of_runs(runs: int, rounds: int, mlflow: Path | None) -> Values:
    """Measure what reads all runs of a root, and of an MLflow store of as many."""
    with tempfile.TemporaryDirectory() as name:
        scratch, home = Path(name), Path(name, "home")
        with patch.dict(os.environ, THEXP_HOME=str(home)):
            make_store(scratch / "root", runs)
        ours = partial(peak, THEXP_HOME=str(home))
        cases = {
            listed(REINDEX, runs): partial(ours, "command", "reindex"),
            listed(LIST, runs): partial(ours, "command", "list"),
        }
        if find_spec("pandas"):
            cases[listed(PANDAS, runs)] = partial(ours, "to_pandas")
        if mlflow is not None:
            url = trackers.mlflow_store(scratch, runs, 10, 12)
            python = mlflow.with_name("python")
            cases[listed(MLFLOW, runs)] = partial(peak, "search", url, python=python)
        return in_turn(cases, rounds)


def of_aim(runs: int, rounds: int, absent: list[str]) -> Values:
    """Measure what brings all runs of an Aim repository to pandas."""
    with tempfile.TemporaryDirectory() as folder, trackers.asked("aim", absent) as aim:
        if aim is None or not aim.make(Path(folder), runs, 10, 12):
            return {}
        python = aim.program.with_name("python")
        frame = partial(peak, "frame_of_aim", folder, runs, python=python)
        return in_turn({listed(AIM, runs): frame}, rounds)


def of_saves(megabytes: int, rounds: int, ways: Sequence[str]) -> Values:
    """Measure saves of a state."""
    with tempfile.TemporaryDirectory() as folder:
        cases = {
            sized(way, megabytes): partial(peak, "save", way, megabytes, folder) for way in ways
        }
        return in_turn(cases, rounds)


def report(scale: Scale) -> Report:
    """Measure each in a process of its own; the largest once, since they take long."""
    extent = scale.pick(Extent(), QUICK)
    rounds = scale.pick(scale.rounds(8), 1)
    absent: list[str] = []
    values = of_training(extent, rounds, absent)
    mlflow = trackers.program("mlflow", absent) if extent.trackers else None
    for runs in extent.runs:
        values |= of_runs(runs, rounds if runs < 100_000 else 1, mlflow)
    if extent.trackers:
        values |= of_aim(extent.runs[0], rounds, absent)
    for megabytes in extent.states:
        values |= of_saves(megabytes, rounds if megabytes < 1_000 else 1, extent.ways)
    why = WHY.replace("\n", " ")
    return Report(
        "Peak memory", values, goals(extent), absent, "MB", growths=growths(extent), why=why
    )


def goals(extent: Extent) -> list[Goal]:
    """Say what is aimed at, in megabytes more or in times as much."""
    found = [Goal(IMPORT, EMPTY, 5, more=True)]
    few = extent.steps[0]
    if BARE in extent.kinds:
        ours = (EVERYTHING, FACADE)
        found += [Goal(trained(kind, few), trained(BARE, few), 50, more=True) for kind in ours]
    for before, many in pairwise(extent.steps[1:]):
        found.append(Goal(trained(EVERYTHING, many), trained(EVERYTHING, before), 5, more=True))
    if extent.trackers:
        found += [Goal(listed(PANDAS, runs), listed(MLFLOW, runs), 1) for runs in extent.runs]
        found.append(Goal(listed(PANDAS, extent.runs[0]), listed(AIM, extent.runs[0]), 1))
    for size in extent.states:
        state = sized(BACKGROUND, size)
        if TORCH in extent.ways:  # two copies, and what they are written with
            found.append(Goal(state, sized(TORCH, size), 2.1 * size, more=True))
        others = set(extent.ways) & {LIGHTNING, DCP}
        found += [Goal(state, sized(way, size), 1) for way in sorted(others)]
    return found


def growths(extent: Extent) -> list[Growth]:
    """Say what is drawn against its size."""
    found = [
        Growth(f"The memory of {kind}", "steps", {n: trained(kind, n) for n in extent.steps})
        for kind in (BARE, EVERYTHING)
    ]
    for what in (LIST, PANDAS, REINDEX, MLFLOW):
        cases = {runs: listed(what, runs) for runs in extent.runs}
        found.append(Growth(f"The memory of {what}", "runs", cases))
    for way in (TORCH, BACKGROUND, LIGHTNING, DCP):
        cases = {size: sized(way, size) for size in extent.states}
        found.append(Growth(f"The memory of {way}", "MB", cases))
    return found
