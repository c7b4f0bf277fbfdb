"""How often a training step has the host wait for the GPU, with and without recording."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial

from benchmarks import loops
from benchmarks.gpu import has_gpu, waits_counted
from benchmarks.harness import Scale, in_turn
from benchmarks.loops import Task
from benchmarks.report import Goal, Report

PLAIN, SELF_LOG = "Lightning, a Meter that nobody takes", "Lightning, each value by self.log"
RECORDED, FACADE = "Lightning, everything on", "facade"
WHY = (
    "The floor is none: a step only hands work to the GPU. The values that are recorded are read on"
    " every fiftieth step for the loggers, and where the console line is drawn; each number that is"
    " read by itself is a wait."
)


def counted(loop: Callable[[Task], float], task: Task) -> float:
    """Give the waits of a step, with ten values."""
    with waits_counted() as count:
        return loop(dataclasses.replace(task, clock=count))


def report(scale: Scale) -> Report:
    """Count them, where there is a GPU."""
    absent: list[str] = []
    waits: dict[str, list[float]] = {}
    if has_gpu(absent):
        task = Task(device="cuda", steps=scale.pick(400, 50), warm_up=scale.pick(100, 5))
        with loops.own_home() as root:
            kinds: dict[str, Callable[[Task], float]] = {
                PLAIN: partial(loops.with_callbacks, root=None),
                SELF_LOG: loops.with_self_log,
                RECORDED: partial(loops.with_callbacks, root=root, everything=True),
                FACADE: partial(loops.facade, root=root),
            }
            cases = {name: partial(counted, loop, task) for name, loop in kinds.items()}
            waits = in_turn(cases, scale.rounds(5))
    goals = [Goal(name, PLAIN, 0.3, more=True) for name in (RECORDED, FACADE)]
    title = "How often the host waits for the GPU"
    return Report(title, waits, goals, absent, unit="waits a step", why=WHY)
