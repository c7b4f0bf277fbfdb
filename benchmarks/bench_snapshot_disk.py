"""What a run with the code of its project takes on the disk, beside a copy of the project."""

from __future__ import annotations

import shutil
from pathlib import Path

from benchmarks.disk import blocks
from benchmarks.harness import Scale, in_turn
from benchmarks.loops import own_home
from benchmarks.projects import edit, make_project
from benchmarks.report import Goal, Growth, Report
from thexp_pl import Experiment

RUNS = 10
SIZES, QUICK_SIZES = (100, 2_000, 20_000), (20, 100)
FIRST, TENTH, COPY = "the first run", "the tenth run, one file changed since", "a plain copy"
WHY = """\
All is in blocks of the disk, as du counts it: a small file takes 4 KB. The first run packs all
files into one; a later run adds what changed, as some objects of git's, and its own record, nearly
the same for a large project as for a small one. A plain copy would be made for each run anew.
MLflow and Aim keep nothing of the code, so that there is nothing to compare with."""


def named(what: str, files: int) -> str:
    """Name a case."""
    return f"{what}, {files:,} files"


def record(root: Path, project: Path) -> int:
    """Record a run of a project; give the bytes that it adds to its root."""
    before = blocks(root) if root.exists() else 0
    with Experiment(root, "a", project=project):
        pass
    return blocks(root) - before


def at_size(files: int, scratch: Path) -> dict[str, list[float]]:
    """Record ten runs of a project with a change before each; once, since bytes do not vary."""
    project = make_project(scratch / f"project{files}", files)
    root, copy = scratch / f"root{files}", scratch / f"copy{files}"

    def later() -> int:
        for number in range(RUNS - 1):
            edit(project, number)
            last = record(root, project)
        return last

    def copied() -> int:
        shutil.copytree(project, copy, ignore=shutil.ignore_patterns(".git"))
        return blocks(copy)

    cases = {
        named(FIRST, files): lambda: record(root, project),
        named(TENTH, files): later,
        named(COPY, files): copied,
    }
    return in_turn(cases, 1)


def report(scale: Scale) -> Report:
    """Measure projects of 100 to 20,000 files."""
    sizes = scale.pick(SIZES, QUICK_SIZES)
    taken: dict[str, list[float]] = {}
    with own_home() as root:
        root.mkdir()
        for files in sizes:
            taken |= at_size(files, root)
    goals = [
        *(Goal(named(FIRST, files), named(COPY, files), 1) for files in sizes if files >= 100),
        *(Goal(named(TENTH, files), named(COPY, files), 0.05) for files in sizes if files > 1_000),
    ]
    growths = [
        Growth(f"The disk of {what}", "files", {files: named(what, files) for files in sizes})
        for what in (FIRST, TENTH, COPY)
    ]
    title = "The disk that the code of a run takes"
    why = WHY.replace("\n", " ")
    return Report(title, taken, goals, unit="bytes", growths=growths, why=why)
