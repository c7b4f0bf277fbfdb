"""The points of a sweep as SLURM's jobs: submitted, found again, lost, and left in the queue."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from slurm_helpers import OPTIONS, FakeSlurm, light_sweep, opened, run_out, start_slurm, until

from thexp_pl.errors import UsageError
from thexp_pl.runs.index import Index
from thexp_pl.sweeps.engines.slurm import SlurmEngine
from thexp_pl.sweeps.standing import standing
from thexp_pl.sweeps.sweep import Sweep, read_points


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSlurm:
    return start_slurm(tmp_path, monkeypatch)


def statuses(sweep: Sweep) -> list[str]:
    return [state.status for state in standing(sweep, read_points(sweep)).values()]


def test_the_points_are_one_array_of_jobs_and_each_is_a_recorded_run(
    slurm: FakeSlurm, tmp_path: Path
) -> None:
    sweep, _ = light_sweep(tmp_path, ["0.1", "13", "0.3"])
    engine = opened(sweep, options={**OPTIONS, "partition": "long"}, cpus_per_run=2, jobs=2)
    engine.check(tmp_path)
    for number in range(3):
        engine.start(number)
    ended = run_out(engine, 3)
    engine.close()
    assert [ended[number].code for number in range(3)] == [0, 1, 0]
    assert statuses(sweep) == ["finished", "failed", "finished"]
    done = {"100_0": "COMPLETED", "100_1": "FAILED", "100_2": "COMPLETED"}
    until(lambda: slurm.states() == done, "SLURM knows how they ended")
    batch = (slurm.folder / "100.sh").read_text()
    for line in ("array=0-2%2", "partition=long", "cpus-per-task=2", "time=5", "requeue"):
        assert f"#SBATCH --{line}\n" in batch
    assert f"#SBATCH --job-name={sweep.key}\n" in batch
    assert all("--cpus-per-task=2" in call for call in slurm.calls("srun"))
    assert "an unlucky number" in sweep.paths.log(1).read_text()


def test_a_run_does_not_take_itself_for_a_rank_of_the_job(slurm: FakeSlurm, tmp_path: Path) -> None:
    sweep, shared = light_sweep(tmp_path, ["0.1"])
    engine = opened(sweep, options=OPTIONS)
    engine.start(0)
    assert run_out(engine, 1)[0].code == 0
    seen = json.loads((shared / "begun-0.1").read_text())
    assert seen["SLURM_JOB_ID"] == "100"
    assert not {"SLURM_NTASKS", "SLURM_PROCID", "SLURM_LOCALID", "SLURM_NODEID"} & seen.keys()


def test_a_job_whose_time_is_up_ends_its_run_first_and_is_queued_again_once(
    slurm: FakeSlurm, tmp_path: Path
) -> None:
    sweep, shared = light_sweep(tmp_path, ["0.1"])
    (shared / "hold").touch()
    engine = opened(sweep, options=OPTIONS)
    engine.start(0)
    engine.wait(0)
    until((shared / "begun-0.1").exists, "the run begins")
    (shared / "begun-0.1").unlink()
    slurm.call("scancel", "100", "--signal=USR2")
    until((shared / "begun-0.1").exists, "the run begins again")
    assert (shared / "left").read_text().split()[1:] == ["15"]
    (shared / "hold").unlink()
    assert run_out(engine, 1)[0].code == 0
    assert slurm.calls("scontrol")[1:] == ["scontrol requeue 100"]
    assert len(slurm.calls("sbatch")) == 1
    assert statuses(sweep) == ["finished"]


def test_a_job_that_reached_its_limit_too_often_says_so(slurm: FakeSlurm, tmp_path: Path) -> None:
    sweep, shared = light_sweep(tmp_path, ["0.1"])
    (shared / "hold").touch()
    engine = opened(sweep, options={**OPTIONS, "max_num_timeout": "0"})
    engine.start(0)
    engine.wait(0)
    until((shared / "begun-0.1").exists, "the run begins")
    slurm.call("scancel", "100", "--signal=USR2")
    ended = run_out(engine, 1)[0]
    assert ended.code == 143
    assert ended.reason.endswith(
        "is not queued again: Job not requeued because: timed-out too many times."
    )
    assert slurm.calls("scontrol")[1:] == []


def test_what_sigterm_ended_waits_for_slurm_to_queue_it_again(
    slurm: FakeSlurm, tmp_path: Path
) -> None:
    sweep, shared = light_sweep(tmp_path, ["0.1"])
    (shared / "hold").touch()
    engine = opened(sweep, options=OPTIONS)
    engine.start(0)
    engine.wait(0)
    until((shared / "begun-0.1").exists, "the run begins")
    slurm.call("scancel", "100", "--signal=TERM")
    until((shared / "left").exists, "the run ends")
    (shared / "hold").unlink()
    assert engine.wait(1) == []  # neither failed nor done: it is SLURM that decides
    assert slurm.states() == {"100": "RUNNING"}
    slurm.call("scancel", "100", "--signal=USR2")
    assert run_out(engine, 1)[0].code == 0
    assert slurm.calls("scontrol")[1:] == ["scontrol requeue 100"]


def test_ctrl_c_leaves_the_jobs_and_the_same_command_finds_them(
    slurm: FakeSlurm, tmp_path: Path
) -> None:
    sweep, _ = light_sweep(tmp_path, ["0.1", "0.2"])
    (slurm.folder / "full").touch()
    first = opened(sweep, options=OPTIONS)
    for number in (0, 1):
        first.start(number)
    first.wait(0)
    assert first.running() == set()
    said = first.stop(for_good=False)
    assert {each.point for each in first.wait(0)} == {0, 1}
    first.close()
    assert said.startswith("2 jobs stay in SLURM's queue")
    assert said.endswith("to cancel them: scancel 100")
    assert slurm.states() == {"100_0": "PENDING", "100_1": "PENDING"}
    second = opened(sweep, options=OPTIONS)
    for number in (0, 1):
        second.start(number)
    second.wait(0)
    (slurm.folder / "full").unlink()
    assert {each.code for each in run_out(second, 2).values()} == {0}
    assert len(slurm.calls("sbatch")) == 1
    third = opened(sweep, options=OPTIONS)  # none of them is in the queue any more
    third.start(0)
    assert run_out(third, 1)[0].code == 0
    assert len(slurm.calls("sbatch")) == 2
    with closing(Index([sweep.paths.root])) as index:  # and a finished point has no second run
        index.refresh()
        assert index.count() == 2


def test_a_job_that_is_cancelled_from_outside_is_told_of_with_the_reason(
    slurm: FakeSlurm, tmp_path: Path
) -> None:
    sweep, _ = light_sweep(tmp_path, ["0.1", "0.2"])
    (slurm.folder / "full").touch()
    engine = opened(sweep, options=OPTIONS)
    for number in (0, 1):
        engine.start(number)
    engine.wait(0)
    slurm.call("scancel", "100_1")
    ended = run_out(engine, 1)
    assert ended[1] == (1, None, "job 100_1 is gone (CANCELLED)")
    assert engine.wait(0) == []
    engine.stop(for_good=True)


def test_who_cancels_a_sweep_ends_what_runs_and_what_waits(
    slurm: FakeSlurm, tmp_path: Path
) -> None:
    sweep, shared = light_sweep(tmp_path, ["0.1", "0.2"])
    (shared / "hold").touch()
    engine = opened(sweep, options=OPTIONS, jobs=1)
    for number in (0, 1):
        engine.start(number)
    engine.wait(0)
    until((shared / "begun-0.1").exists, "the first run begins")
    engine.stop(for_good=True)
    ended = run_out(engine, 2)
    assert [ended[number].reason for number in (0, 1)] == [
        "job 100_0 is gone (CANCELLED)",
        "job 100_1 is gone (CANCELLED)",
    ]
    assert (shared / "left").read_text().split()[1:] == ["15"]
    assert not (shared / "begun-0.2").exists()


def test_a_slurm_that_does_not_answer_for_a_while_loses_nothing(
    slurm: FakeSlurm, tmp_path: Path
) -> None:
    sweep, _ = light_sweep(tmp_path, ["0.1"])
    (slurm.folder / "full").touch()
    engine = opened(sweep, options=OPTIONS)
    engine.start(0)
    engine.wait(0)
    (slurm.folder / "down").touch()
    asked = len(slurm.calls("squeue"))
    until(lambda: engine.wait(0.1) or len(slurm.calls("squeue")) > asked + 1, "SLURM is asked")
    assert engine.wait(0) == []
    with pytest.raises(UsageError, match=r"SLURM does not answer: .*Unable to contact slurm"):
        SlurmEngine(options=OPTIONS).check(tmp_path)
    (slurm.folder / "down").unlink()
    (slurm.folder / "full").unlink()
    assert run_out(engine, 1)[0].code == 0


def test_more_points_than_an_array_may_have_are_several_arrays(
    slurm: FakeSlurm, tmp_path: Path
) -> None:
    (slurm.folder / "largest_array").write_text("2")
    (slurm.folder / "full").touch()
    sweep, _ = light_sweep(tmp_path, ["1", "2", "3", "4", "5"])
    engine = opened(sweep, options=OPTIONS)
    for number in range(5):
        engine.start(number)
    engine.wait(0)
    assert sorted(slurm.states()) == ["100_0", "100_1", "101_0", "101_1", "102"]
    engine.stop(for_good=True)
    assert len(run_out(engine, 5)) == 5


def test_jobs_that_slurm_refuses_are_one_line_and_nothing_waits(
    slurm: FakeSlurm, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (slurm.folder / "refuses").write_text("Batch job submission failed: Invalid account\x1b[31m")
    sweep, _ = light_sweep(tmp_path, ["0.1"])
    engine = opened(sweep, options=OPTIONS)
    engine.start(0)
    with pytest.raises(UsageError) as refused:
        engine.wait(1)
    assert str(refused.value).startswith("SLURM refuses the jobs: ")
    assert "Invalid account\\x1b[31m" in str(refused.value)
    assert capfd.readouterr().err == ""
    engine.stop(for_good=False)
    assert engine.wait(0) == [(0, None, "not submitted")]  # whoever waits, does not for ever


def test_a_search_hands_over_as_many_points_as_run_at_a_time(tmp_path: Path) -> None:
    sweep, _ = light_sweep(tmp_path, ["0.1"])
    grid = opened(sweep, options=OPTIONS, jobs=3)
    assert grid.room() > 100_000
    search = opened(replace(sweep, study={"sampler": "tpe"}), options=OPTIONS, jobs=3)
    assert search.room() == 3
    search.start(0)
    assert search.room() == 2


def test_jobs_that_a_killed_command_could_not_note_do_not_wait_for_ever(
    slurm: FakeSlurm, tmp_path: Path
) -> None:
    sweep, _ = light_sweep(tmp_path, ["0.1", "0.2"])
    (slurm.folder / "full").touch()
    other = tmp_path / "other.sh"
    other.write_text("#!/bin/sh\n#SBATCH --job-name=other\n")
    slurm.call("sbatch", str(other))
    killed = opened(sweep, options=OPTIONS)
    killed.start(0)
    killed.start(1)
    killed.wait(0)
    (sweep.paths.folder / "slurm" / "jobs.json").write_text('{"schema"')  # as on a full disk
    engine = opened(sweep, options=OPTIONS)
    for number in (0, 1):
        engine.start(number)
    engine.wait(0)
    waiting = {"100": "PENDING", "102_0": "PENDING", "102_1": "PENDING"}
    assert slurm.states() == {"101_0": "CANCELLED", "101_1": "CANCELLED", **waiting}
    (slurm.folder / "full").unlink()
    assert {each.code for each in run_out(engine, 2).values()} == {0}


def test_a_damaged_list_of_jobs_is_none(slurm: FakeSlurm, tmp_path: Path) -> None:
    sweep, _ = light_sweep(tmp_path, ["0.1"])
    (sweep.paths.folder / "slurm").mkdir()
    for text in (
        "",
        "[]",
        '{"schema": 1, "jobs": [{"point": 0, "job": "1; rm", "token": "x"}, 7]}',
    ):
        (sweep.paths.folder / "slurm" / "jobs.json").write_text(text)
        engine = opened(sweep, options=OPTIONS)
        engine.start(0)
        assert engine.room() > 0
    assert run_out(engine, 1)[0].code == 0
