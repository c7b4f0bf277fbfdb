"""What a training step costs above a loop without any framework, with 1, 10 and 50 values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import loops
from benchmarks.bench_meter import thexp_frame
from benchmarks.harness import Scale, in_turn
from benchmarks.loops import Task
from benchmarks.report import Goal, Growth, Report

RAW = "the raw loop itself"
FACADE, BARE, LIGHTNING = "facade", "Lightning, no value", "Lightning, each value by self.log"
RECORDED, EVERYTHING = "Lightning, MeterCallback and RunLogger", "Lightning, everything on"
THEXP, SHOWING = "thexp", "thexp with its line"
LEAST = 1e-9  # what is lost in the noise: a recorder does not make a loop faster
WHY = """\
The floor is the raw loop, whose own time is taken off all others; the last cases are whole steps of
Lightning's, unrecorded and with everything on (random states, checkpoints, a snapshot of the code,
meters, the logger and its board), on layers small enough to stay in the processor's cache. Most of
what the facade and our callbacks add to the raw loop is Lightning's own, as its case without a
value shows: thexp's loop calls two callbacks where Lightning runs its hooks and keeps its progress.
What recording adds is the same whatever is trained, so that its share is large where a step takes
less than a millisecond."""


def named(kind: str, values: int) -> str:
    """Name a case."""
    return f"{kind}, {values} value{'s' if values > 1 else ''}"


def above_raw(
    frame: Any, values: Sequence[int], root: Path, scale: Scale
) -> dict[str, list[float]]:
    """Give by name what each kind of loop adds to the raw one, round by round."""
    seconds: dict[str, list[float]] = {RAW: []}
    for count in values:
        task = sized(scale, values=count)
        kinds = {
            FACADE: partial(loops.facade, task, root),
            LIGHTNING: partial(loops.with_self_log, task),
            RECORDED: partial(loops.with_callbacks, task, root),
            EVERYTHING: partial(loops.with_callbacks, task, root, everything=True),
        }
        if frame is not None:
            kinds[THEXP] = partial(loops.thexp_epoch, frame, task, shows=False)
            kinds[SHOWING] = partial(loops.thexp_epoch, frame, task, shows=True)
        cases: dict[str, Callable[[], float]] = {RAW: partial(loops.raw, task)}
        cases |= {named(kind, count): loop for kind, loop in kinds.items()}
        if count == values[0]:
            cases[BARE] = partial(loops.with_self_log, sized(scale, values=0))
        found = in_turn(cases, scale.rounds(5))
        without = found.pop(RAW)
        seconds[RAW] += without
        for name, taken in found.items():
            above = (one - floor for one, floor in zip(taken, without, strict=True))
            seconds[name] = [max(each, LEAST) for each in above]
    return seconds


def whole(depth: int, root: Path, scale: Scale) -> tuple[dict[str, list[float]], Goal]:
    """Time whole steps of Lightning's with a Meter of ten values, recorded and not."""
    task = sized(scale, depth=depth, rows=256)
    plain = f"a whole step, {depth} layer{'s' if depth > 1 else ''}"
    recorded = f"{plain}, everything on"
    cases = {
        plain: partial(loops.with_callbacks, task, None),
        recorded: partial(loops.with_callbacks, task, root, everything=True),
    }
    return in_turn(cases, scale.rounds(5)), Goal(recorded, plain, 1.02)


def sized(scale: Scale, **task: int) -> Task:
    """Make a task, short where it only has to run."""
    return scale.pick(Task(**task), Task(**task, steps=10, warm_up=2))  # type: ignore[arg-type]


def report(scale: Scale) -> Report:
    """Measure each kind of loop in turn."""
    absent: list[str] = []
    frame = thexp_frame(absent)
    values, depths = scale.pick((1, 10, 50), (1, 10)), scale.pick((1, 10, 50), (1,))
    # the callbacks that thexp hooks by itself show a line, as the facade's do
    goals = [
        Goal(named(FACADE, 10), named(against, 10), limit)
        for against, limit in ((SHOWING, 1.0), (LIGHTNING, 0.12))
    ]
    with loops.own_home() as root:
        seconds = above_raw(frame, values, root, scale)
        for depth in depths:
            taken, goal = whole(depth, root, scale)
            seconds |= taken
            goals.append(goal)
    growths = [
        Growth(
            f"{kind}, above the raw loop", "values", {each: named(kind, each) for each in values}
        )
        for kind in (FACADE, LIGHTNING, RECORDED, EVERYTHING, THEXP, SHOWING)
    ]
    title = "A step, above the raw loop"
    return Report(title, seconds, goals, absent, growths=growths, why=WHY.replace("\n", " "))
