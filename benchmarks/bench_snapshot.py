"""What it takes to keep a project's code: all of it anew, one changed file, none."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path

from benchmarks.harness import Scale, in_turn
from benchmarks.projects import edit, git, make_project
from benchmarks.report import Goal, Growth, Report
from benchmarks.timing import nothing, timed
from thexp_pl.record.code import take_snapshot

SIZES = {100: 2, 2_000: 5, 20_000: 8}  # files, and the share of the rounds that they are worth
QUICK_SIZES = {20: 1, 100: 1}
NOTHING, STATUS, OURS, TREE = "nothing", "git status", "snapshot", "git add -A, git write-tree"
COLD, CHANGED, WARM = "into an empty store", "one file changed", "nothing changed"
WHY = """\
The floor is git's own look at every file: git status, and git add -A with git write-tree where a
tree is made. A snapshot starts several processes of git's, each some milliseconds, which weigh most
where there are few files; it also asks of each file whether it is code, keeps the user's
index as it is, and writes its objects so that a power cut leaves none of them torn."""


def named(what: str, when: str, files: int) -> str:
    """Name a case."""
    return f"{what}, {when}, {files:,} files"


def tree_of(project: Path, store: Path) -> None:
    """Keep a project as a tree in a store of its own, by git alone."""
    there = (f"--git-dir={store}", f"--work-tree={project}")
    if not store.exists():
        git(project, "init", "-q", "--bare", store)
    git(project, *there, "add", "-A")
    git(project, *there, "write-tree")


def ways(scratch: Path, files: int) -> dict[str, Callable[[], float]]:
    """Name what is measured on a project; its one file is changed before our turn."""
    project = make_project(scratch / "project", files)
    root, store, new = scratch / "root", scratch / "store", scratch / "new"
    numbers = count()
    ours, theirs = partial(take_snapshot, project), partial(tree_of, project)

    def changed() -> float:
        edit(project, next(numbers))
        return timed(partial(ours, root))

    away = partial(shutil.rmtree, new)
    return {
        named(STATUS, WARM, files): partial(timed, partial(git, project, "status")),
        named(OURS, WARM, files): partial(timed, partial(ours, root)),
        named(TREE, WARM, files): partial(timed, partial(theirs, store)),
        named(OURS, CHANGED, files): changed,
        named(TREE, CHANGED, files): partial(timed, partial(theirs, store)),
        named(OURS, COLD, files): partial(timed, partial(ours, new), away),
        named(TREE, COLD, files): partial(timed, partial(theirs, new), away),
        f"{NOTHING}, {files:,} files": partial(timed, nothing),
    }


def report(scale: Scale) -> Report:
    """Measure projects of 100 to 20,000 files."""
    sizes = scale.pick(SIZES, QUICK_SIZES)
    seconds: dict[str, list[float]] = {}
    goals = []
    for files, share in sizes.items():
        with tempfile.TemporaryDirectory() as scratch:
            cases = ways(Path(scratch), files)
            for case in cases.values():  # what is warm afterwards
                case()
            seconds |= in_turn(cases, scale.rounds(share))
        if files <= 2_000:
            warm = named(OURS, WARM, files)
            goals.append(Goal(warm, f"{NOTHING}, {files:,} files", 50, more=True))
        goals += [
            Goal(named(OURS, when, files), named(TREE, when, files), 2)
            for when in (WARM, CHANGED, COLD)
            if files > 2_000
        ]
    growths = [
        Growth(f"{what}, {when}", "files", {files: named(what, when, files) for files in sizes})
        for what, when in ((STATUS, WARM), (OURS, WARM), (OURS, COLD), (TREE, COLD))
    ]
    title = "A snapshot of a project's code"
    return Report(title, seconds, goals, growths=growths, why=WHY.replace("\n", " "))
