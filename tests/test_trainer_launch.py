"""However its processes are launched, a training on two ranks is one run, and all ranks agree."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from launch_helpers import SUBJECTS, Ran, forked, rows_of, same, script
from resume_nursery import Nursery, nursery

TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2")
HOW = json.dumps({})


@pytest.fixture(scope="module")
def children() -> Iterator[Nursery]:
    with nursery("launch_subjects") as opened:
        yield opened


def assert_one_run(ran: Ran, number: int = 0, of: int = 1, copied: bool = False) -> None:
    """Check a training of two epochs: its record, and what its ranks have seen."""
    assert set(ran.codes) == {0}, ran.output
    assert len(ran.runs) == of
    ended = [ran.ended(rank, number) for rank in ((0,) if copied else (0, 1))]
    (run,) = [run for run in ran.runs if run.key == ended[0]["key"]]
    assert run.status == "finished"
    assert run.manifest["world_size"] == 2
    assert [rank["rank"] for rank in run.ranks] == ([0, 1] if copied else [1])
    assert {rank["status"] for rank in run.ranks} == {"finished"}
    assert rows_of(run) == {"eval_loss": 2, "loss": 2, "test_loss": 1}
    names = ["0000001.ckpt", "0000002.ckpt", "1000002.ckpt", "model.0000002.pth"]
    modules = run.paths.folder / "modules"
    assert sorted(path.name for path in modules.glob("*[ht]")) == names
    for one in ended:
        assert one["saved"] == str(modules / "1000002.ckpt")
        assert (one["eidx"], one["global_step"]) == (3, 7)
        assert one["eval"] == ended[0]["eval"]
    lines = [line for line in ran.output.splitlines() if " 2/2 | 4/4 | " in line]
    assert len(lines) == of, ran.output
    assert ran.output.count(" - eval - ") == 3 * of  # after two epochs, and in the end
    logged = "".join(path.read_text() for path in (run.paths.folder / "logs").glob("*[0-9].log"))
    assert logged.count(" 2/2 | 4/4 | ") == 1
    assert "Initializing distributed" not in ran.output
    assert "distributed_backend" not in ran.output


def test_a_script_that_is_run_again_records_each_of_its_trainings_once(tmp_path: Path) -> None:
    ran = script(tmp_path, str(SUBJECTS), json.dumps({"trainings": 2}))

    for number in (0, 1):
        assert_one_run(ran, number, of=2)
        assert same(ran.state(0, number)["model"], ran.state(1, number)["model"])


def test_torchrun_says_how_many_devices_there_are(tmp_path: Path) -> None:
    ran = script(tmp_path, *TORCHRUN, str(SUBJECTS), json.dumps({"options": {}}))

    assert_one_run(ran)


@pytest.mark.slow
def test_a_module_is_run_again_as_a_module(tmp_path: Path) -> None:
    assert_one_run(script(tmp_path, "-m", "launch_subjects", HOW))


def test_processes_of_slurm_find_one_another(children: Nursery, tmp_path: Path) -> None:
    ran = forked(children, tmp_path, "pair", options={})

    assert_one_run(ran)
    assert ran.printed(1) == ""


def test_a_training_in_forked_copies_brings_everything_back(
    children: Nursery, tmp_path: Path
) -> None:
    beside = forked(children, tmp_path / "beside", "pair", options={})
    ran = forked(
        children, tmp_path / "copied", "alone", options={"strategy": "ddp_fork", "devices": 2}
    )

    assert_one_run(ran, copied=True)
    assert_came_back(ran, beside)


@pytest.mark.slow
def test_a_training_in_spawned_copies_brings_everything_back(
    children: Nursery, tmp_path: Path
) -> None:
    beside = forked(children, tmp_path / "beside", "pair", options={})
    (tmp_path / "copied").mkdir()
    how = json.dumps({"options": {"strategy": "ddp_spawn", "devices": 2}})
    ran = script(tmp_path / "copied", str(SUBJECTS), how)

    assert_one_run(ran, copied=True)
    assert_came_back(ran, beside)


@pytest.mark.parametrize(
    ("function", "options"),
    [("alone", {}), ("alone", {"strategy": "ddp_fork", "devices": 2}), ("pair", {})],
)
def test_a_training_goes_on_as_if_nothing_had_been_predicted(
    children: Nursery, tmp_path: Path, function: str, options: dict[str, Any]
) -> None:
    then = {"beside": ["train_more"], "between": ["predict_all", "train_more"]}
    beside, between = (
        forked(children, tmp_path / name, function, options=options, then=steps, epoch=1)
        for name, steps in then.items()
    )

    for rank in range(len(between.codes)):
        assert same(between.state(rank), beside.state(rank))
        assert [len(batch) for batch in between.ended(rank)["predicted"]] == [3] * 8


def assert_came_back(ran: Ran, beside: Ran) -> None:
    """Compare the process that has launched copies with rank 0 of a training without them."""
    assert same(ran.state(0), beside.state(0))
    got, expected = ran.ended(0), beside.ended(0)
    for name in ("seen", "history", "params", "metrics", "eval", "predicted"):
        assert got[name] == expected[name], name
    assert [Path(path).name for path in got["found"]] == [
        Path(path).name for path in expected["found"]
    ]
