"""What a run takes on the disk: its ten metrics of a thousand steps, and all the rest."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path

from benchmarks.disk import blocks
from benchmarks.harness import Scale, in_turn
from benchmarks.projects import make_project
from benchmarks.recorders import recorders
from benchmarks.report import Goal, Growth, Report
from benchmarks.sinks import BOARD, MLFLOW_LATER, OPENINGS, OURS, RUN_LOGGER, SACRED
from thexp_pl import Experiment

STEPS = 1_000
SIZES = (100, STEPS, 10_000)
FILES = 100
# what Board and MLflow's other way write is what others here write
TRACKERS = tuple(name for name in OPENINGS if name not in (BOARD, MLFLOW_LATER))
NOTHING = "an empty run, with torch"  # whose random states are kept too
SNAPSHOT = f"{NOTHING}, and a snapshot of {FILES} files"
WHY = (
    "All is in blocks of the disk, as du counts it, and once the run has ended; what a run without"
    " a step takes is taken off its steps. The floor is eight bytes for a value, and as text some"
    " eighteen digits. metrics.csv has a row for each value, with its step, time and name, as has"
    " SummaryWriter, whose value has 32 bits; RunLogger writes such rows, and one event for each"
    " step. CSVLogger says the step once for all ten, CSVLogger and dvclive a name once for all its"
    " values, and neither says a time: there we lose. MLflow has an index beside its rows."
)


def kept(
    names: Iterable[str], steps: int, folder: Path, absent: list[str]
) -> dict[str, list[float]]:
    """Record a run of each tracker, with so many steps; give what it takes, which hardly varies."""
    with recorders(names, folder, absent) as found:
        for recorder in found.values():
            if steps:
                recorder.seconds(steps)
    return {name: [float(blocks(recorder.folder))] for name, recorder in found.items()}


def metrics(
    names: Iterable[str], sizes: Mapping[int, Iterable[str]], scratch: Path, absent: list[str]
) -> dict[str, list[float]]:
    """Give what runs without a step take, and what so many steps take more."""
    empty = kept(names, 0, scratch / "empty", absent)
    values = {f"{name}, an empty run": taken for name, taken in empty.items()}
    for steps, some in sizes.items():
        full = kept([name for name in some if name in empty], steps, scratch / f"{steps}", absent)
        for name, (taken,) in full.items():
            values[named(name, steps)] = [taken - empty[name][0]]
    return values


def snapshots(scratch: Path) -> dict[str, Callable[[], float]]:
    """Give the recording of a whole run, in a root of its own, without and with its code."""
    project = make_project(scratch / "project", FILES)

    def recorded(code: bool) -> float:
        root = Path(tempfile.mkdtemp(dir=scratch))
        with Experiment(root, "a", code=code, project=project, console=False):
            pass
        return blocks(root)

    return {NOTHING: partial(recorded, False), SNAPSHOT: partial(recorded, True)}


def named(name: str, steps: int) -> str:
    """Name the case of so many steps."""
    return f"{name}, {steps:,} steps"


def report(scale: Scale) -> Report:
    """Measure a run of each tracker without a step and with a thousand, and ours with more."""
    absent: list[str] = []
    names = scale.pick(TRACKERS, (OURS, SACRED))
    steps, sizes = scale.pick((STEPS, SIZES), (100, (10, 100)))
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        os.environ["THEXP_HOME"] = f"{folder}/home"
        asked = {size: names if size == steps else (OURS,) for size in sizes}
        values = metrics(names, asked, scratch, absent)
        values |= in_turn(snapshots(scratch), 1)
    goals = [
        Goal(named(OURS, steps), named(peer, steps), 1)
        for peer in names
        if peer not in (OURS, RUN_LOGGER)
    ]
    growth = Growth(OURS, "steps", {size: named(OURS, size) for size in sizes})
    return Report(
        "The disk that metrics take", values, goals, absent,
        unit="bytes", growths=[growth], why=WHY,
    )  # fmt: skip
