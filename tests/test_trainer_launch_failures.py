"""Where one rank fails, all end within seconds, and what is told is why."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from launch_helpers import SUBJECTS, Ran, forked, same, script
from resume_nursery import Nursery, nursery

FORK = {"strategy": "ddp_fork", "devices": 2}
SPAWN = {"strategy": "ddp_spawn", "devices": 2}


@pytest.fixture(scope="module")
def children() -> Iterator[Nursery]:
    with nursery("launch_subjects") as opened:
        yield opened


def pair(children: Nursery, folder: Path, at: list[Any], **how: Any) -> Ran:
    return forked(children, folder, "pair", options={}, deed={"at": at}, **how)


def last_line(text: str) -> str:
    return text.strip().splitlines()[-1]


# -- an exception --------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["initial_trainer", "batch 3"])
@pytest.mark.parametrize("rank", [0, 1])
def test_an_exception_on_one_rank_is_told_by_the_other(
    children: Nursery, tmp_path: Path, rank: int, where: str
) -> None:
    ran = pair(children, tmp_path, [rank, where, "raise"])

    assert ran.codes == [1, 1]
    assert ran.run.status == "failed"
    own, others = ran.printed(rank), ran.printed(1 - rank)
    assert "in initial_trainer" in own if where == "initial_trainer" else "in train_batch" in own
    assert last_line(own) == f"[rank{rank}]: ValueError: on purpose"
    expected = f"TrainerError: rank {rank} failed: ValueError: on purpose"
    assert last_line(others).endswith(expected)
    assert others.count("Traceback") == 1
    cause = ran.run.cause
    assert cause["message"].endswith("on purpose")


def test_a_rank_that_is_killed_is_named_by_the_other(children: Nursery, tmp_path: Path) -> None:
    ran = pair(children, tmp_path, [1, "batch 3", "SIGKILL"])

    assert ran.codes == [1, -signal.SIGKILL]
    assert ran.run.status == "failed"
    assert "TrainerError: rank 1 was killed" in last_line(ran.printed(0))
    assert ran.run.ranks[0]["status"] == "killed"


def test_a_rank_that_leaves_the_training_is_named_by_the_other(
    children: Nursery, tmp_path: Path
) -> None:
    ran = pair(children, tmp_path, [1, "batch 3", "exit"])

    assert ran.codes == [1, 0]
    assert ran.run.status == "failed"
    told = "TrainerError: rank 1 has left the training: SystemExit: 0"
    assert last_line(ran.printed(0)).endswith(told)
    assert ran.printed(0).count("Traceback") == 1
    assert ran.run.ranks[0]["status"] == "interrupted"


@pytest.mark.parametrize(("what", "code"), [("raise", 1), ("exit", 0)])
@pytest.mark.parametrize("rank", [0, 1])
def test_a_rank_that_has_ended_after_the_training_is_not_waited_for(
    children: Nursery, tmp_path: Path, rank: int, what: str, code: int
) -> None:
    ran = pair(children, tmp_path, [rank, "after training", what])

    assert (ran.codes[rank], ran.codes[1 - rank]) == (code, 1)
    others = ran.printed(1 - rank)
    assert f"TrainerError: rank {rank} has ended while rank {1 - rank} waits" in last_line(others)
    assert others.count("Traceback") == 1


@pytest.mark.parametrize("look_seconds", [0.01, pytest.param(5, marks=pytest.mark.slow)])
def test_a_rank_that_ends_before_the_training_ends_the_script(
    tmp_path: Path, look_seconds: float
) -> None:
    deed = {"at": [1, "initial_trainer", "raise"]}
    how = json.dumps({"deed": deed, "look_seconds": look_seconds})
    ran = script(tmp_path, str(SUBJECTS), how)

    assert ran.codes == [1]
    assert ran.run.status == "failed"
    assert ran.output.count("ValueError: on purpose") == 1
    told = "rank 1 ended with code 1 before the training could begin"
    assert f"error: {told}" in ran.output
    assert told in ran.run.cause["message"]


def test_a_run_that_rank_0_cannot_begin_ends_all_with_its_line(
    children: Nursery, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    ran = forked(children, tmp_path, "pair", options={}, root="file/exp")

    assert ran.codes == [1, 1]
    lines = [last_line(ran.printed(rank)).removeprefix(f"[rank{rank}]: ") for rank in (0, 1)]
    assert lines[0] == lines[1]
    assert "RecordError" in lines[0]


def test_what_a_forked_copy_raises_is_shown_whole_and_once(
    children: Nursery, tmp_path: Path
) -> None:
    deed = {"at": [1, "batch 3", "raise"]}
    ran = forked(children, tmp_path, "alone", options=FORK, deed=deed)

    assert ran.codes == [1]
    assert ran.run.status == "failed"
    assert ran.output.count("ValueError: on purpose") == 1
    assert "launch_subjects.py" in ran.output.partition("ValueError: on purpose")[0]
    assert ran.run.ranks[1]["cause"]["message"] == "on purpose"


# -- signals -------------------------------------------------------------------------------------


def test_a_training_that_sigterm_ended_goes_on_with_the_same_bits(
    children: Nursery, tmp_path: Path
) -> None:
    unbroken = forked(children, tmp_path / "unbroken", "pair", options={}, epoch=3)
    broken = pair(children, tmp_path / "broken", [1, "batch 5", "SIGTERM"], epoch=3)
    assert broken.codes == [128 + signal.SIGTERM] * 2
    assert (broken.run.status, broken.run.cause["signal"]) == ("interrupted", "SIGTERM")
    first = ["load_latest_checkpoint"]
    resumed = forked(children, broken.folder, "pair", options={}, epoch=3, first=first)

    assert resumed.codes == [0, 0]
    assert len(resumed.runs) == 2
    for rank in (0, 1):
        assert same(resumed.state(rank), unbroken.state(rank))
        assert resumed.ended(rank)["seen"] == 12
        assert resumed.ended(rank)["eval"] == unbroken.ended(rank)["eval"]


def test_ctrl_c_ends_all_ranks_as_interrupted(children: Nursery, tmp_path: Path) -> None:
    ran = pair(children, tmp_path, ["all", "batch 2", "SIGINT"])

    assert ran.codes == [1, 1]
    assert ran.run.status == "interrupted"
    assert [path.name for path in (ran.run.paths.folder / "modules").glob("*.ckpt")] == [
        "0000000.ckpt"
    ]


# -- copies --------------------------------------------------------------------------------------


def test_a_training_in_copies_can_be_gone_on_with(children: Nursery, tmp_path: Path) -> None:
    then = ["train_more", "train_more"]
    beside = forked(children, tmp_path / "beside", "pair", options={}, then=then)
    ran = forked(children, tmp_path / "copied", "alone", options=FORK, then=then)

    assert (ran.codes, beside.codes) == ([0], [0, 0]), ran.output
    assert same(ran.state(0), beside.state(0))
    assert ran.ended(0)["history"] == beside.ended(0)["history"] == list(range(16))
    assert ran.run.status == "finished"


def test_what_cannot_be_copied_is_named_with_the_way_out(children: Nursery, tmp_path: Path) -> None:
    ran = forked(children, tmp_path, "alone", options=SPAWN, first=["hold_lambda"])

    assert ran.codes == [1]
    line = last_line(ran.output)
    assert "its attribute 'scale' (function) cannot be pickled" in line
    assert "use strategy='ddp'" in line
    assert ran.run.status == "failed"


# -- what cannot be ------------------------------------------------------------------------------


def test_a_script_that_has_run_on_one_device_is_not_run_again(
    children: Nursery, tmp_path: Path
) -> None:
    ran = forked(children, tmp_path, "alone", call="one_then_two")

    assert ran.codes == [1]
    assert "has begun a run on one device already" in last_line(ran.output)


def test_one_of_several_ranks_does_not_train_alone(children: Nursery, tmp_path: Path) -> None:
    ran = forked(children, tmp_path, "pair", options={"devices": 1})

    assert ran.codes == [1, 1]
    assert not (tmp_path / "exp").exists()
    for rank in (0, 1):
        assert "devices=1 contradicts torchrun or SLURM" in last_line(ran.printed(rank))


def test_at_a_prompt_several_devices_are_refused_and_one_trains(
    children: Nursery, tmp_path: Path
) -> None:
    ran = forked(children, tmp_path, "alone", call="at_a_prompt")

    assert ran.codes == [1]
    assert "UsageError: several devices are for scripts" in last_line(ran.output)
    assert not (tmp_path / "exp").exists()
