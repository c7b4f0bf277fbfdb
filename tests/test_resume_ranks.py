"""Trainings on two ranks, killed and resumed: on two ranks the same bits, on one the same sums."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from resume_nursery import Nursery, nursery
from test_resume_exact import assert_same_end, killed_and_resumed

TWO_RANKS = {"strategy": "ddp_fork", "devices": 2}


@pytest.fixture(scope="module")
def children() -> Iterator[Nursery]:
    with nursery("resume_subjects") as opened:
        yield opened


@pytest.mark.parametrize(
    ("more", "kill"),
    [
        ({}, ["on_train_batch_start", 3]),
        ({"every": 3}, ["on_train_batch_end", 4]),
        ({"workers": 2}, ["on_validation_batch_end", 2]),
    ],
    ids=str,
)
def test_a_training_on_two_ranks_ends_with_the_same_bits(
    children: Nursery, tmp_path: Path, more: dict[str, Any], kill: list[Any]
) -> None:
    how = {"kind": "automatic", "options": TWO_RANKS, **more}
    unbroken = tmp_path / "unbroken"
    unbroken.mkdir()
    assert children.call("train", folder=str(unbroken), **how) == 0
    killed_and_resumed(children, tmp_path / "killed", [kill], how)
    assert_same_end(unbroken, tmp_path / "killed")


def test_resumed_on_one_rank_with_the_same_global_batch_it_is_equal(
    children: Nursery, tmp_path: Path
) -> None:
    how: dict[str, Any] = {"kind": "elastic", "data": "per item"}
    one, two = tmp_path / "one", tmp_path / "two"
    for folder in (one, two):
        folder.mkdir()
    assert children.call("train", folder=str(one), batch=4, **how) == 0
    kill = ["on_train_batch_start", 6]
    code = children.call("train", folder=str(two), batch=2, kill=kill, options=TWO_RANKS, **how)
    assert code == -signal.SIGKILL
    assert children.call("train", folder=str(two), batch=4, resume=True, **how) == 0
    a, b = (torch.load(folder / "final.ckpt", weights_only=True) for folder in (one, two))
    torch.testing.assert_close(a["state_dict"], b["state_dict"], rtol=0, atol=1e-6)
    assert "[6," not in (two / "losses1").read_text()
