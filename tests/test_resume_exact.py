"""A training killed anywhere and resumed ends with the bits of the one that went through."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
import torch
from resume_nursery import Nursery, nursery
from resume_subjects import STEPS

# what a checkpoint holds that is no part of the training: where files lie, and how long it took
PLACES = {"dirpath", "best_model_path", "last_model_path", "kth_best_model_path", "notes"}


@pytest.fixture(scope="module")
def children() -> Iterator[Nursery]:
    with nursery("resume_subjects") as opened:
        yield opened


def losses_of(folder: Path) -> dict[str, str]:
    """The loss of each step on each rank, of the last time that the step was done."""
    return {
        f"{file.name} {step}": loss
        for file in folder.glob("losses?")
        for step, loss in map(json.loads, file.read_text().splitlines())
    }


def differences(one: Any, two: Any, place: str = "") -> list[str]:
    """Where two checkpoints are not the same bits."""
    if isinstance(one, torch.Tensor) and isinstance(two, torch.Tensor):
        same = one.dtype == two.dtype and torch.equal(one, two)
        return [] if same else [f"{place}: {one} != {two}"]
    if isinstance(one, dict) and isinstance(two, dict):
        keys = [key for key in {**one, **two} if key not in PLACES]
        missing = [f"{place}.{key} only in one" for key in keys if (key in one) != (key in two)]
        both = [key for key in keys if key in one and key in two]
        return missing + [d for k in both for d in differences(one[k], two[k], f"{place}.{k}")]
    if isinstance(one, (list, tuple)) and isinstance(two, (list, tuple)) and len(one) == len(two):
        return [d for n, (a, b) in enumerate(zip(one, two, strict=True))
                for d in differences(a, b, f"{place}[{n}]")]  # fmt: skip
    return [] if one == two and type(one) is type(two) else [f"{place}: {one!r} != {two!r}"]


def assert_same_end(one: Path, two: Path, kills: list[list[Any]] | None = None) -> None:
    a, b = (torch.load(folder / "final.ckpt", weights_only=True) for folder in (one, two))
    if kills and kills[-1][0] == "on_train_end":
        # its last checkpoint may be there: Lightning then trains nothing, and counts otherwise
        del a["loops"], b["loops"]
    assert differences(a, b) == []
    assert losses_of(one) == losses_of(two)


def killed_and_resumed(
    children: Nursery, folder: Path, kills: list[list[Any]], how: dict[str, Any], **later: Any
) -> None:
    """Train, be killed at each of some moments and go on, until the end."""
    folder.mkdir()
    for number, kill in enumerate(kills):
        code = children.call("train", folder=str(folder), kill=kill, resume=number > 0, **how)
        assert code == -signal.SIGKILL, f"it was over before {kill}"
    assert children.call("train", folder=str(folder), resume=True, **{**how, **later}) == 0


# fmt: off
WAYS: dict[str, dict[str, Any]] = {
    "automatic": {"kind": "automatic"},
    "automatic-validates-inside": {
        "kind": "automatic", "options": {"val_check_interval": 3}, "background": False
    },
    "automatic-accumulates": {"kind": "automatic", "every": 3},
    "automatic-bf16": {"kind": "automatic", "options": {"precision": "bf16-mixed"}},
    "automatic-workers": {"kind": "automatic", "workers": 2},
    "automatic-persistent": {"kind": "automatic", "workers": 2, "persistent": True},
    "automatic-bundler": {"kind": "automatic", "data": "bundler"},
    "automatic-stream": {"kind": "automatic", "data": "stream"},
    "automatic-stream-workers": {"kind": "automatic", "data": "stream", "workers": 2},
    "gan": {"kind": "gan"},
    "gan-validates-inside": {
        "kind": "gan", "options": {"val_check_interval": 2}, "background": False
    },
    "facade": {"kind": "facade"},
    "facade-waits-for-the-disk": {"kind": "facade", "background": False},
    "facade-plain-loader": {"kind": "facade", "data": "plain"},
    "facade-accumulates": {"kind": "facade", "every": 3},
    "facade-workers": {"kind": "facade", "workers": 2, "persistent": True},
    "facade-bundler": {"kind": "facade", "data": "bundler"},
    "facade-stream": {"kind": "facade", "data": "stream"},
    "facade-bf16": {"kind": "facade", "options": {"precision": "bf16-mixed"}},
}
# fmt: on
HOOKS = ("on_train_batch_start", "on_train_batch_end", "on_validation_batch_end")
ONCE_AN_EPOCH = ("on_validation_end", "on_train_epoch_end", "on_train_epoch_start")
# every step, and every moment between; two kills in one training at the end
MOMENTS = [
    *([[[hook, step]] for hook in HOOKS for step in range(STEPS)]),
    *([[[hook, epoch]] for hook in ONCE_AN_EPOCH for epoch in range(3)]),
    [["on_train_end", 0]],
    [["on_train_batch_end", 2], ["on_train_batch_start", 4]],
]


@pytest.fixture(scope="module")
def unbroken(children: Nursery, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The trainings that nobody interrupted, each made when it is first asked for."""

    class Made(dict[str, Path]):
        def __missing__(self, way: str) -> Path:
            folder = tmp_path_factory.mktemp("unbroken")
            assert children.call("train", folder=str(folder), **WAYS[way]) == 0
            self[way] = folder
            return folder

    return Made()


def happens(way: str, kills: list[list[Any]]) -> bool:
    """Whether a training comes to these moments: the facade has no validation of Lightning's."""
    is_facade = WAYS[way]["kind"] == "facade"
    return not (is_facade and any("validation" in hook for hook, _ in kills))


def covering() -> list[tuple[str, list[list[Any]]]]:
    """Every moment once and every way several times, dealt out in turn."""
    turn = cycle(WAYS)
    inside = [
        ("automatic-validates-inside", [["on_validation_batch_end", 5]]),
        ("gan-validates-inside", [["on_validation_batch_end", 1], ["on_validation_end", 2]]),
    ]
    dealt = [(next(way for way in turn if happens(way, kills)), kills) for kills in MOMENTS]
    return dealt + inside


@pytest.mark.parametrize(("way", "kills"), covering(), ids=str)
def test_a_killed_training_ends_with_the_same_bits(
    children: Nursery,
    unbroken: dict[str, Path],
    tmp_path: Path,
    way: str,
    kills: list[list[Any]],
) -> None:
    killed_and_resumed(children, tmp_path / "killed", kills, WAYS[way])
    assert_same_end(unbroken[way], tmp_path / "killed", kills)


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_a_training_killed_at_any_moment_ends_with_the_same_bits(
    children: Nursery, unbroken: dict[str, Path], tmp_path: Path, way: str
) -> None:
    for number, kills in enumerate(kills for kills in MOMENTS if happens(way, kills)):
        killed_and_resumed(children, tmp_path / str(number), kills, WAYS[way])
        assert_same_end(unbroken[way], tmp_path / str(number), kills)


@pytest.mark.parametrize(("before", "after"), [(0, 2), (2, 0), (2, 1)])
def test_resumed_with_other_workers_it_is_the_same(
    children: Nursery, tmp_path: Path, before: int, after: int
) -> None:
    how = {"kind": "automatic", "validation_noise": 0.0, "workers": before}
    unbroken, killed = tmp_path / "unbroken", tmp_path / "killed"
    unbroken.mkdir()
    assert children.call("train", folder=str(unbroken), **how) == 0
    killed_and_resumed(children, killed, [["on_train_batch_end", 6]], how, workers=after)
    assert_same_end(unbroken, killed)
