"""Finding runs again: list, filter, compare, to pandas, reindex; on 1,000 to 100,000 of them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from benchmarks import trackers
from benchmarks.harness import Scale, in_turn, peer
from benchmarks.postgres import team_index
from benchmarks.programs import BEST, RECENT, WANTED, command, process
from benchmarks.report import Goal, Growth, Report
from benchmarks.stores import make_store
from benchmarks.timing import timed
from benchmarks.tracker_stores import mlflow_url
from thexp_pl import ExperimentViewer
from thexp_pl.record.roots import register_root

SIZES, QUICK_SIZES = (1_000, 10_000, 100_000), (20, 40)
AIM_SIZES = (100, 1_000)
METRICS, PARAMS = 10, 12
MLFLOW_SECONDS, AIM_SECONDS = 120.0, 60.0  # for making a store of theirs
MEMORY = Path("/dev/shm")  # Aim waits for the disk several times a run
NOTHING = "nothing"
# what is asked, and how the case is called
LIST, FILTER, ALL = "list --recent", "list, filtered and sorted", "list of all"
COMPARE, REINDEX, TEAM = "compare the best", "reindex", "list --recent, a team's index"
ROWS, PANDAS = "rows, filtered and sorted", "to_pandas"
MLFLOW_LIST, AIM_LIST = "mlflow runs list", "aim runs ls"
MLFLOW_BEST, MLFLOW = "mlflow.search_runs, filtered and sorted", "mlflow.search_runs"
AIM_BEST, AIM = "aim query_runs, filtered", "aim query_runs().dataframe()"
WHY = (
    "The floor of a command is the interpreter's start and its imports. Above it `list` looks at"
    " every experiment's folder for what has changed and asks the index, an SQLite file; `compare`"
    " reads all that match, of which there are the more the more runs there are; `reindex` reads"
    " and parses every run.json, so its floor is the page cache and the parser of JSON. A team's"
    " index imports what speaks to its server, and waits for answers. `rows`, `to_pandas` and the"
    " calls of other trackers are timed in processes that have started, and have imported pandas."
    " Aim's frame has the parameters and no metric, and its query sorts nothing; its filter reads"
    " one index in which all runs lie, and looks at no folder. On the largest store `reindex` and"
    " MLflow's frame are measured once."
)


@dataclass
class Asked:
    """The cases so far.

    Args:
        scratch: Where the stores are.
        sizes: How many runs they have, ascending.
        cases: What gives the seconds it took, by name.
        once: What took a minute on the largest store, and is measured already.
        absent: What cannot be measured.
    """

    scratch: Path
    sizes: tuple[int, ...]
    cases: dict[str, Callable[[], float]] = field(default_factory=dict)
    once: dict[str, list[float]] = field(default_factory=dict)
    absent: list[str] = field(default_factory=list)

    def add(self, name: str, call: Callable[[], object]) -> None:
        """Have a call timed."""
        self.cases[name] = partial(timed, call)

    def is_largest(self, count: int) -> bool:
        """Tell whether what takes long is to be measured once."""
        return count == self.sizes[-1]


def of(what: str, count: int) -> str:
    """Name a case."""
    return f"{what}, {count:,} runs"


def report(scale: Scale) -> Report:
    """Measure on generated stores; what takes a minute is measured once, as they are made."""
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        asked = Asked(scratch, scale.pick(SIZES, QUICK_SIZES))
        asked.cases[NOTHING] = lambda: 0.0
        has_pandas = peer("pandas", asked.absent) is not None
        for count in asked.sizes:
            _ours(asked, count, has_pandas)
        team = stack.enter_context(team_index(asked.absent))
        if team is not None:
            _team(asked, team)
        if scale.quick:
            asked.absent.append("mlflow and aim: their stores take longer than --quick has")
        else:
            _others(asked, stack)
        for count in asked.sizes:  # a while after its making all of an index is looked at again
            asked.cases[of(LIST, count)]()
        seconds = in_turn(asked.cases, scale.rounds(5)) | asked.once
    goals, growths = _goals(asked.sizes), _growths(asked)
    return Report("Finding runs", seconds, goals, asked.absent, growths=growths, why=WHY)


def _ours(asked: Asked, count: int, has_pandas: bool) -> None:
    root = asked.scratch / f"root{count}"
    home, again = (asked.scratch / f"{name}{count}" for name in ("home", "again"))
    os.environ["THEXP_HOME"] = str(again)
    make_store(root, count, metrics=METRICS, params=PARAMS)
    os.environ["THEXP_HOME"] = str(home)
    register_root(root)
    made = in_turn({of(REINDEX, count): partial(timed, command(home, "reindex"))}, 1)
    if asked.is_largest(count):
        asked.once |= made
    else:  # of the same runs in another home: the other cases find an index that stays
        asked.add(of(REINDEX, count), command(again, "reindex"))
    asked.add(of(LIST, count), command(home, *RECENT))
    asked.add(of(FILTER, count), command(home, "list", *WANTED))
    asked.add(of(COMPARE, count), command(home, "compare", *WANTED))
    if count == asked.sizes[0]:
        asked.add(of(ALL, count), command(home, "list"))
    viewer = ExperimentViewer(root)
    best = partial(viewer.rows, WANTED[0], sort=BEST, reverse=True, limit=20)
    asked.add(of(ROWS, count), _at_home(home, best))
    if has_pandas:  # and imported
        asked.add(of(PANDAS, count), _at_home(home, viewer.to_pandas))


def _at_home(home: Path, call: Callable[[], object]) -> Callable[[], object]:
    """Have a call made in this process find the index of that home."""

    def found() -> None:
        os.environ["THEXP_HOME"] = str(home)
        call()

    return found


def _team(asked: Asked, url: str) -> None:
    for count in asked.sizes[:-1]:
        recent = command(asked.scratch / f"home{count}", *RECENT, THEXP_INDEX=url)
        recent()
        asked.add(of(TEAM, count), recent)


def _others(asked: Asked, stack: ExitStack) -> None:
    if (mlflow := stack.enter_context(trackers.asked("mlflow", asked.absent))) is not None:
        _mlflow(asked, mlflow)
    memory = MEMORY if MEMORY.is_dir() else None
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=memory)))
    if (aim := stack.enter_context(trackers.asked("aim", asked.absent))) is not None:
        _aim(asked, aim, folder)


def _mlflow(asked: Asked, tracker: trackers.Tracker) -> None:
    for count in asked.sizes:
        folder = asked.scratch / f"mlflow{count}"
        if not tracker.make(folder, count, METRICS, PARAMS, MLFLOW_SECONDS):
            asked.absent.append(f"mlflow, {count:,} runs: no store in {MLFLOW_SECONDS:.0f} s")
            return
        asked.cases[of(MLFLOW_BEST, count)] = partial(tracker.best, folder)
        frame = {of(MLFLOW, count): partial(tracker.frame, folder, count)}
        if asked.is_largest(count):
            asked.once |= in_turn(frame, 1)
        else:
            asked.cases |= frame
        if count == asked.sizes[0]:
            words: list[str | Path] = [tracker.program, "runs", "list", "--experiment-id", "0"]
            apart = {**trackers.APART, "MLFLOW_TRACKING_URI": mlflow_url(folder)}
            asked.add(of(MLFLOW_LIST, count), process(words, folder, **apart))


def _aim(asked: Asked, tracker: trackers.Tracker, scratch: Path) -> None:
    for count in AIM_SIZES:
        folder = scratch / f"aim{count}"
        if not tracker.make(folder, count, METRICS, PARAMS, AIM_SECONDS):
            asked.absent.append(f"aim, {count:,} runs: no store in {AIM_SECONDS:.0f} s")
            return
        asked.cases[of(AIM_BEST, count)] = partial(tracker.best, folder)
        asked.cases[of(AIM, count)] = partial(tracker.frame, folder, count)
        if count == asked.sizes[0]:
            words: list[str | Path] = [tracker.program, "runs", "--repo", str(folder), "ls"]
            asked.add(of(AIM_LIST, count), process(words, folder, **trackers.APART))


def _goals(sizes: tuple[int, ...]) -> list[Goal]:
    few, middle, many = sizes[0], sizes[-2], sizes[-1]
    return [
        *(
            Goal(of(what, count), NOTHING, 500, more=True)
            for count in sizes
            for what in (LIST, FILTER)
        ),
        *(Goal(of(what, many), of(what, few), many / few) for what in (LIST, FILTER, COMPARE)),
        Goal(of(TEAM, middle), of(LIST, middle), 300, more=True),
        Goal(of(REINDEX, middle), NOTHING, 5_000, more=True),
        Goal(of(PANDAS, middle), of(MLFLOW, middle), 0.1),
        Goal(of(ROWS, many), of(MLFLOW_BEST, many), 1),
        Goal(of(ALL, few), of(MLFLOW_LIST, few), 0.15),
        Goal(of(ALL, few), of(AIM_LIST, few), 0.15),
        Goal(of(ROWS, few), of(AIM_BEST, few), 1),
        Goal(of(PANDAS, few), of(AIM, few), 1),
    ]


def _growths(asked: Asked) -> list[Growth]:
    whats = (LIST, FILTER, COMPARE, REINDEX, ROWS, PANDAS, MLFLOW_BEST, MLFLOW)
    told = dict.fromkeys(whats, asked.sizes)
    told |= {TEAM: asked.sizes[:-1], AIM_BEST: AIM_SIZES, AIM: AIM_SIZES}
    return [
        Growth(what, "runs", {count: of(what, count) for count in sizes})
        for what, sizes in told.items()
        if len(sizes) > 1
    ]
