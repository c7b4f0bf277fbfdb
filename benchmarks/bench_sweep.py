"""What a sweep costs: beside starting its processes, in idle cores, and listing its points."""

from __future__ import annotations

import os
import resource
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.harness import Scale, all_processors, in_turn, measure
from benchmarks.programs import command, process
from benchmarks.report import Goal, Growth, Report
from benchmarks.stores import make_store
from benchmarks.timing import nothing, timed
from thexp_pl.record.folders import run_folders

NOTHING = "nothing"
KEY = "sweep-26-01-01-000000-aaaa"
SCRIPT = """
import sys, time
from thexp_pl import Experiment

with Experiment("experiment", "tiny", code=False, console=False) as exp:
    exp.params = dict(lr=sys.argv[1])
    end = time.process_time() + {seconds}
    while time.process_time() < end:
        pass
    exp.log_metrics(0, 0, dict(loss=1.0))
"""
WHY = (
    "The floor is the script itself, which works for a moment, and the interpreter's start before"
    " it, both also in the bare loop. A sweep adds its own command's start once, the code that it"
    " keeps, and the files of each point. What is idle is what the processors wait for the disk and"
    " for the next process; other work on the machine counts as idle too."
)


class Tiny:
    """Many runs of a script that does next to nothing, each time in a project of its own.

    Args:
        scratch: Where the projects are.
        count: How many runs.
        jobs: How many at a time.
        seconds: What each needs of a processor, beside its start and its record.
    """

    def __init__(self, scratch: Path, count: int, jobs: int, seconds: float) -> None:
        self._scratch = scratch
        self._script = SCRIPT.format(seconds=seconds)
        self._count = count
        self._jobs = jobs
        self._busy = 0.0

    def swept(self) -> float:
        """Run them by ``thexp-pl sweep``; give the seconds."""
        project = self._project()
        words = ["tiny.py", f"--lr=0..{self._count - 1}", "-j", str(self._jobs)]
        sweep = process(
            [sys.executable, "-m", "thexp_pl", "sweep", *words],
            project,
            THEXP_HOME=f"{project}.home",
        )
        before = _processor_seconds()
        seconds = timed(sweep)
        self._busy = (_processor_seconds() - before) / self._jobs
        return seconds

    def busy(self) -> float:
        """Give the time on a processor of the sweep before, shared among those that it had."""
        return self._busy

    def bare(self) -> float:
        """Run as many of the same commands by a loop; give the seconds."""
        project = self._project()
        runs = [
            process([sys.executable, "tiny.py", f"--lr={n}"], project, THEXP_HOME=f"{project}.home")
            for n in range(self._count)
        ]
        with ThreadPoolExecutor(self._jobs) as threads:
            return timed(lambda: [*threads.map(lambda run: run(), runs)])

    def _project(self) -> Path:
        project = Path(tempfile.mkdtemp(dir=self._scratch))
        (project / "tiny.py").write_text(self._script, "utf-8")
        return project


def report(scale: Scale) -> Report:
    """Measure with scripts that do next to nothing but record a run, and a sweep that is done."""
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        seconds, goals, growths = _listed(scratch, scale)
        few, many = scale.pick((20, 200), (2, 3))
        each = scale.pick(0.2, 0.02)
        cases: dict[str, Callable[[], float]] = {}
        for jobs in scale.pick((1, 2), (2,)):
            ours, theirs = _swept(few, jobs), f"a bare loop of {few} runs, {jobs} at a time"
            tiny = Tiny(scratch, few, jobs, each)
            cases |= {ours: tiny.swept, theirs: tiny.bare}
            goals.append(Goal(ours, theirs, 1.1))
        with all_processors():
            seconds |= in_turn(cases, scale.rounds(8))
            tiny, busy = Tiny(scratch, many, 2, each), "its processes' time on a processor, halved"
            cases = {_swept(many, 2): tiny.swept, busy: tiny.busy}
            seconds |= in_turn(cases, scale.rounds(8))
    goals.append(Goal(_swept(many, 2), busy, 1 / 0.9))
    growths.append(Growth("sweep -j 2", "runs", {n: _swept(n, 2) for n in (few, many)}))
    return Report("Sweeps", seconds, goals, growths=growths, why=WHY)


def _listed(scratch: Path, scale: Scale) -> tuple[dict[str, list[float]], list[Goal], list[Growth]]:
    """Measure listing a sweep of several sizes."""
    sizes = scale.pick((1_000, 10_000), (10, 50))
    cases: dict[str, Callable[[], object]] = {NOTHING: nothing}
    goals, some, every = [], {}, {}
    for points in sizes:
        home = _done(scratch, points)
        some[points] = f"list KEY --limit 20, {points:,} points"
        every[points] = f"list KEY, {points:,} points"
        cases[some[points]] = command(home, "list", KEY, "--limit", "20")
        cases[every[points]] = command(home, "list", KEY)
        goals.append(Goal(some[points], NOTHING, 500, more=True))
    growths = [Growth("list KEY --limit 20", "points", some), Growth("list KEY", "points", every)]
    return measure(cases, scale, share=5), goals, growths


def _done(scratch: Path, points: int) -> Path:
    """Make a root whose runs are one sweep; give the user's home that knows it, with its index."""
    home = scratch / f"home{points}"
    os.environ["THEXP_HOME"] = str(home)
    root = make_store(scratch / f"root{points}", points)
    for number, paths in enumerate(run_folders(root)):
        entry = f'"sweep": {{"key": "{KEY}", "point": {number}, "digest": "{number}"}}'
        text = paths.manifest.read_text("utf-8")
        paths.manifest.write_text(text.replace("{\n", f"{{\n  {entry},\n", 1), "utf-8")
    command(home, "list", "--limit", "1")()
    return home


def _swept(count: int, jobs: int) -> str:
    return f"sweep of {count} runs, -j {jobs}"


def _processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
