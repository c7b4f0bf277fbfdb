"""Trainings on two ranks from the command line, and beside what else a script starts."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from launch_helpers import SUBJECTS, forked, rows_of, script
from resume_nursery import Nursery, nursery

FIT = ["fit", "--trainer_class=launch_subjects:Launched", "--trainer.accelerator=cpu"]


@pytest.fixture(scope="module")
def children() -> Iterator[Nursery]:
    with nursery("launch_subjects") as opened:
        yield opened


def last_line(text: str) -> str:
    return text.strip().splitlines()[-1]


def test_the_command_trains_on_two_ranks_and_says_so_once(tmp_path: Path) -> None:
    ran = script(tmp_path, "-m", "thexp_pl", *FIT, "--trainer.devices=2", "--exps_dir=exp")

    assert ran.codes == [0], ran.output
    assert (ran.run.status, ran.run.manifest["world_size"]) == ("finished", 2)
    assert ran.output.count("\nrun:  ") == 1
    assert ran.output.count("\nlook: ") == 1
    assert ran.output.count(" 10/10 | 4/4 | ") == 1
    assert rows_of(ran.run)["loss"] == 10


def test_the_command_takes_a_strategy(children: Nursery, tmp_path: Path) -> None:
    words = [*FIT, "--trainer.devices=2", "--trainer.strategy=ddp_fork", "--exps_dir=exp"]
    ran = forked(children, tmp_path, "alone", call="command", words=words)

    assert ran.codes == [0], ran.output
    assert (ran.run.status, ran.run.manifest["world_size"]) == ("finished", 2)
    assert ran.output.count("\nrun:  ") == 1


def test_the_command_predicts_all_batches_whatever_the_strategy(
    children: Nursery, tmp_path: Path
) -> None:
    words = ["predict", *FIT[1:], "--trainer.devices=2", "--trainer.strategy=ddp_fork"]
    ran = forked(children, tmp_path, "alone", call="command", words=[*words, "--exps_dir=exp"])

    assert ran.codes == [0], ran.output
    predictions = torch.load(ran.run.paths.predictions, weights_only=True)
    assert [tuple(batch.shape) for batch in predictions] == [(3, 3)] * 8
    assert "predictions of 8 batches" in ran.output


@pytest.mark.parametrize(
    ("word", "line"),
    [
        ("--trainer.devices=atuo", "did you mean 'auto'?"),
        ("--trainer.devices=0", "devices '0' are none"),
        ("--trainer.strategy=dpp", "did you mean 'ddp'?"),
    ],
)
def test_the_command_refuses_wrong_devices_in_one_line(
    children: Nursery, tmp_path: Path, word: str, line: str
) -> None:
    ran = forked(children, tmp_path, "alone", call="command", words=[*FIT, word])

    assert ran.codes == [2]
    assert len(ran.output.strip().splitlines()) == 1, ran.output
    assert line in ran.output


def test_what_a_rank_starts_besides_is_a_run_of_its_own(tmp_path: Path) -> None:
    """The variables are those that a rank of a script which is run again has, and hands on."""
    handed_on = {
        "THEXP_PL_RANK": str(os.getpid()),
        "THEXP_PL_RUNS": json.dumps({"process": 1, "runs": [["/nowhere", "old", "run"]]}),
        "LOCAL_RANK": "1",
        "RANK": "1",
        "WORLD_SIZE": "2",
        "LOCAL_WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": "1",
        "TORCHELASTIC_RUN_ID": "none",
    }
    how = json.dumps({"options": {}, "epoch": 1})
    ran = script(tmp_path, str(SUBJECTS), how, **handed_on)

    assert ran.codes == [0], ran.output
    assert (ran.run.status, ran.run.manifest["world_size"]) == ("finished", None)
    assert rows_of(ran.run) == {"eval_loss": 1, "loss": 1, "test_loss": 1}
    assert ran.output.count(" 1/1 | 8/8 | ") == 1


def test_without_a_checkpoint_all_ranks_start_at_nothing(children: Nursery, tmp_path: Path) -> None:
    first = ["load_latest_checkpoint"]
    ran = forked(children, tmp_path, "pair", options={}, first=first)

    assert ran.codes == [0, 0], ran.output
    assert [ran.ended(rank)["seen"] for rank in (0, 1)] == [8, 8]


def test_the_checkpoint_of_one_run_is_found_by_the_next_of_the_script(
    children: Nursery, tmp_path: Path
) -> None:
    how = {"options": {}, "trainings": 2, "epoch": 1, "first": ["load_latest_checkpoint"]}
    ran = forked(children, tmp_path, "pair", then=["train_more"], **how)

    assert ran.codes == [0, 0], ran.output
    for rank in (0, 1):
        assert [ran.ended(rank, number)["eidx"] for number in (0, 1)] == [3, 3]
        assert ran.ended(rank, 1)["history"] == list(range(8)), "nothing was left to train"
    assert last_line(ran.printed(0)).endswith(f"@loss={ran.ended(0, 1)['eval']['eval_loss']:.4f}")
