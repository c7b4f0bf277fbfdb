"""Steps of a small and a large model on a GPU, recorded and not, and how long 10 GB of it stall."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import torch

from benchmarks import loops
from benchmarks.gpu import has_gpu, synced
from benchmarks.harness import Scale, in_turn
from benchmarks.loops import Task
from benchmarks.report import Goal, Report
from benchmarks.saving import BACKGROUND, DCP, LIGHTNING, TORCH, WAYS, sized, state_of
from benchmarks.timing import timed

SMALL = Task(device="cuda", clock=synced)
LARGE = Task(device="cuda", clock=synced, depth=8, width=4096, rows=4096, steps=60, warm_up=20)
MODELS = {"small model": SMALL, "large model": LARGE}
RAW, PLAIN, RECORDED = "raw loop", "Lightning", "Lightning, everything on"
FACADE = "facade"
MEGABYTES = 10_000
WHY = (
    "The floor of a step is the raw loop. With the small model the GPU waits for the host, and what"
    " Lightning and recording add shows in full; with the large one it runs beside the GPU's work."
    " The floor of a save is the copy to the host's memory: the bandwidth of the bus."
)


def on_gpu(state: Any) -> Any:
    """Move the tensors of nested dicts."""
    if isinstance(state, dict):
        return {name: on_gpu(value) for name, value in state.items()}
    return state.cuda()


def steps(model: str, scale: Scale) -> dict[str, list[float]]:
    """Time whole steps of a model in each kind of loop, in turn."""
    task = MODELS[model]
    with loops.own_home() as root:
        cases = {
            RAW: partial(loops.raw, task),
            PLAIN: partial(loops.with_callbacks, task, None),
            RECORDED: partial(loops.with_callbacks, task, root, everything=True),
            FACADE: partial(loops.facade, task, root),
        }
        found = in_turn(cases, scale.rounds(5))
    return {f"{name}, {model}": seconds for name, seconds in found.items()}


def stalls(megabytes: int, scale: Scale) -> dict[str, list[float]]:
    """Time how long each way to save a state keeps the training waiting, in turn."""
    state = on_gpu(state_of(megabytes))
    with tempfile.TemporaryDirectory() as folder:
        cases = {}
        for name in (TORCH, BACKGROUND, LIGHTNING, DCP):
            save, wait = WAYS[name](Path(folder), state)
            cases[sized(name, megabytes)] = partial(timed, save, wait)
        torch.cuda.synchronize()
        for case in cases.values():  # the first save of each finds nothing prepared
            case()
        return in_turn(cases, scale.rounds(10))


def report(scale: Scale) -> Report:
    """Measure both, where there is a GPU."""
    absent: list[str] = []
    seconds: dict[str, list[float]] = {}
    models = scale.pick(tuple(MODELS), ("small model",))
    megabytes = scale.pick(MEGABYTES, 10)
    if has_gpu(absent):
        for model in models:
            seconds |= steps(model, scale)
        seconds |= stalls(megabytes, scale)
    goals = [Goal(f"{RECORDED}, {model}", f"{PLAIN}, {model}", 1.02) for model in models]
    stall = sized(BACKGROUND, megabytes)
    goals += [Goal(stall, sized(TORCH, megabytes), 0.15), Goal(stall, sized(DCP, megabytes), 1.0)]
    return Report("On a GPU", seconds, goals, absent, why=WHY)
