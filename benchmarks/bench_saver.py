"""How long a save keeps the training waiting, and what a full folder costs a save."""

from __future__ import annotations

import logging
import tempfile
import time
import warnings
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.distributed.checkpoint as dcp

from benchmarks.harness import Goal, Report, measure
from thexp_pl.saver import Saver

# bytes, and weights in them: ten layers, fifty layers
SIZES = {"10 MB": (10_000_000, 20), "1 GB": (1_000_000_000, 100)}
KEYPOINTS = 1_000
EMPTY, FULL = "Saver, an empty folder", f"Saver, {KEYPOINTS:,} keypoints in it"


def state_of(size: int, weights: int) -> dict[str, Any]:
    """Make the state of a model and its Adam: three tensors a weight, and a step."""
    each = size // 4 // 3 // weights
    moments = ("exp_avg", "exp_avg_sq")
    return {
        "state_dict": {f"layers.{number}.weight": torch.randn(each) for number in range(weights)},
        "optimizer_states": {
            number: {"step": torch.tensor(1.0), **{name: torch.randn(each) for name in moments}}
            for number in range(weights)
        },
    }


def blocked(save: Callable[[], object], wait: Callable[[Any], object]) -> float:
    """Give the seconds until a save returns; then wait, untimed, until it is written."""
    start = time.perf_counter()
    given = save()
    taken = time.perf_counter() - start
    wait(given)
    return taken


def saving(folder: Path, state: dict[str, Any]) -> dict[str, Callable[[], float]]:
    """Name the ways to save a state; each gives the seconds that it blocked."""
    foreground, background = Saver(folder / "fore", 1), Saver(folder / "back", 1, background=True)

    def written(future: Future[Any]) -> None:
        future.result()

    def nothing(given: object) -> None:
        pass

    def flushed(given: object) -> None:
        background.flush()

    plain = partial(torch.save, state, folder / "plain.pt")
    save_async = partial(dcp.async_save, state, checkpoint_id=folder / "dcp")
    return {
        "torch.save": partial(blocked, plain, nothing),
        "Saver": partial(blocked, partial(foreground.save_checkpoint, 0, state), nothing),
        "Saver in the background": partial(
            blocked, partial(background.save_checkpoint, 0, state), flushed
        ),
        "dcp.async_save": partial(blocked, save_async, written),
    }


def of_a_size(name: str, rounds: int, seconds: dict[str, list[float]]) -> list[Goal]:
    """Measure the ways at one size, in turn."""
    with tempfile.TemporaryDirectory() as folder:
        ways = saving(Path(folder), state_of(*SIZES[name]))
        for way in ways.values():  # the first save of each finds nothing prepared
            way()
        for _ in range(rounds):
            for way, case in ways.items():
                seconds.setdefault(f"{way}, {name}", []).append(case())
    ours = f"Saver in the background, {name}"
    return [Goal(ours, f"torch.save, {name}", 0.15), Goal(ours, f"dcp.async_save, {name}", 1)]


def report(repeats: int) -> Report:
    """Measure at 10 MB and at 1 GB of state, and in a folder of a thousand files."""
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    seconds: dict[str, list[float]] = {}
    goals = of_a_size("10 MB", repeats, seconds)
    goals += of_a_size("1 GB", max(repeats // 5, 3), seconds)
    with tempfile.TemporaryDirectory() as folder:
        empty, full = Saver(Path(folder, "empty")), Saver(Path(folder, "full"))
        for epoch in range(KEYPOINTS):
            full.save_keypoint(epoch, {})
        cases = {EMPTY: partial(empty.save_checkpoint, 0, {})}
        cases[FULL] = partial(full.save_checkpoint, 0, {})
        seconds |= measure(cases, repeats)
    logging.disable(logging.NOTSET)
    return Report("Saving", seconds, [*goals, Goal(FULL, EMPTY, 20, more=True)])
