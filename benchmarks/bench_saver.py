"""How long a save keeps the training waiting, and what a full folder costs a save."""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch

from benchmarks.harness import Scale, in_turn, measure
from benchmarks.report import Goal, Growth, Report
from benchmarks.saving import BACKGROUND, DCP, LIGHTNING, TORCH, WAYS, sized, state_of
from benchmarks.timing import timed
from thexp_pl import Saver

SIZES = {10: 1, 100: 2, 1_000: 5}  # megabytes, and the share of the rounds that they are worth
QUICK_SIZES = {1: 1, 10: 1}
FLOOR, FIRST = "the tensors copied, into memory that is there", f"{BACKGROUND}, its first save"
WHY = f"""\
The floor of a save in the background is one copy of the state: memory bandwidth. Its first save
asks the system for new memory, page by page; those that follow use that memory again, while
{LIGHTNING} and {DCP} make new copies each time, whose memory may or may not be new. Saver in the
foreground is slower than {TORCH}, which leaves the bytes in the page cache: it takes their SHA-256
and waits until the disk has them."""


def copying(state: Any) -> Callable[[], object]:
    """Copy all tensors of a state, each to a place of its own."""
    tensors = list(tensors_in(state))
    places = [tensor.clone() for tensor in tensors]

    def copy() -> None:
        for place, tensor in zip(places, tensors, strict=True):
            place.copy_(tensor)

    return copy


def tensors_in(state: Any) -> Iterator[torch.Tensor]:
    """Find the tensors of nested dicts."""
    if isinstance(state, torch.Tensor):
        yield state
    else:
        for value in state.values():
            yield from tensors_in(value)


def first_save(folder: Path, state: Any) -> float:
    """Give the seconds that the first save of a new Saver blocks."""
    with Saver(folder / "first", 1, background=True) as saver:
        return timed(partial(saver.save_checkpoint, 0, state))


def at_size(megabytes: int, rounds: int) -> dict[str, list[float]]:
    """Measure how long each way blocks, in turn; each begins once the one before has written."""
    state = state_of(megabytes)
    with tempfile.TemporaryDirectory() as folder:
        cases = {FLOOR: partial(timed, copying(state))}
        for name, way in WAYS.items():
            cases[name] = partial(timed, *way(Path(folder), state))
        for case in cases.values():  # the first save of each finds nothing prepared
            case()
        cases[FIRST] = partial(first_save, Path(folder), state)
        found = in_turn(cases, rounds)
    return {sized(name, megabytes): seconds for name, seconds in found.items()}


def in_full_folders(scale: Scale, sizes: tuple[int, ...]) -> dict[str, list[float]]:
    """Measure a save of nothing in folders that hold some keypoints, or none."""
    with tempfile.TemporaryDirectory() as folder:
        cases = {}
        for size in sizes:
            saver = Saver(Path(folder, str(size)))
            for epoch in range(size):
                saver.save_keypoint(epoch, {})
            cases[beside(size)] = partial(saver.save_checkpoint, 0, {})
        return measure(cases, scale)


def beside(keypoints: int) -> str:
    """Name the case of a folder."""
    return f"Saver, {keypoints:,} keypoints in its folder"


def report(scale: Scale) -> Report:
    """Measure states of 10 MB to 1 GB, and folders of up to a thousand files."""
    sizes = scale.pick(SIZES, QUICK_SIZES)
    keypoints = scale.pick((0, 100, 1_000), (0, 5, 20))
    seconds: dict[str, list[float]] = {}
    goals = []
    logging.disable(logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for size, share in sizes.items():
            seconds |= at_size(size, scale.rounds(share))
            ours = sized(BACKGROUND, size)
            limits = {TORCH: 0.15, LIGHTNING: 1.0, DCP: 1.0}
            goals += [Goal(ours, sized(peer, size), limit) for peer, limit in limits.items()]
        seconds |= in_full_folders(scale, keypoints)
    logging.disable(logging.NOTSET)
    goals.append(Goal(beside(keypoints[-1]), beside(0), 20, more=True))
    growths = [
        Growth(f"The stall of {name}", "MB", {size: sized(name, size) for size in sizes})
        for name in (TORCH, BACKGROUND, LIGHTNING, DCP)
    ]
    full = {number: beside(number) for number in keypoints if number}
    growths.append(Growth("A save", "keypoints in the folder", full))
    return Report("Saving", seconds, goals, growths=growths, why=WHY.replace("\n", " "))
