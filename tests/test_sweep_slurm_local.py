"""submitit's other two clusters: processes of this machine, and the process itself."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from slurm_helpers import light_sweep, opened, run_out, until

from thexp_pl.sweeps.standing import state_of
from thexp_pl.sweeps.sweep import read_points


@pytest.mark.parametrize("cluster", ["local", "debug"])
def test_points_run_without_slurm(tmp_path: Path, cluster: str) -> None:
    sweep, _ = light_sweep(tmp_path, ["0.1", "13"])
    before = dict(os.environ), signal.getsignal(signal.SIGTERM)
    engine = opened(sweep, options={"cluster": cluster}, jobs=2)
    engine.check(tmp_path)
    assert engine.room() == 2
    for number in range(2):
        engine.start(number)
    assert engine.room() == 0
    assert engine.running() == ({0, 1} if cluster == "debug" else set())  # begun before its end
    ended = run_out(engine, 2)
    assert (ended[0].code, ended[1].code) == (0, 1)
    engine.close()
    assert [state_of(sweep, point).status for point in read_points(sweep)] == ["finished", "failed"]
    assert (dict(os.environ), signal.getsignal(signal.SIGTERM)) == before


def test_a_local_job_ends_its_run_when_it_is_asked_to(tmp_path: Path) -> None:
    sweep, shared = light_sweep(tmp_path, ["0.1"])
    (shared / "hold").touch()
    engine = opened(sweep, options={"cluster": "local"})
    engine.start(0)
    engine.wait(0)
    until((shared / "begun-0.1").exists, "the run begins")
    assert engine.running() == {0}
    engine.stop(for_good=False)
    assert run_out(engine, 1)[0].code == 143
    assert (shared / "left").read_text().split()[1:] == ["15"]
    engine.close()


def test_a_local_job_whose_time_is_up_goes_on(tmp_path: Path) -> None:
    sweep, shared = light_sweep(tmp_path, ["0.1"])
    (shared / "hold").touch()
    engine = opened(sweep, options={"cluster": "local"})
    engine.start(0)
    engine.wait(0)
    until((shared / "begun-0.1").exists, "the run begins")
    (shared / "begun-0.1").unlink()
    tasks = [int(folder.name) for folder in Path("/proc").glob("[0-9]*") if _is_task(folder, sweep)]
    assert len(tasks) == 1
    os.kill(tasks[0], signal.SIGUSR2)
    until((shared / "begun-0.1").exists, "the run begins again")
    (shared / "hold").unlink()
    assert run_out(engine, 1)[0].code == 0
    assert (shared / "left").read_text().split()[1:] == ["15"]


def test_a_local_job_that_is_killed_is_gone(tmp_path: Path) -> None:
    sweep, shared = light_sweep(tmp_path, ["0.1"])
    (shared / "hold").touch()
    engine = opened(sweep, options={"cluster": "local"})
    engine.start(0)
    engine.wait(0)
    until((shared / "begun-0.1").exists, "the run begins")
    task = next(folder for folder in Path("/proc").glob("[0-9]*") if _is_task(folder, sweep))
    os.kill(int(task.name), signal.SIGKILL)
    ended = run_out(engine, 1)[0]
    assert ended.code is None
    assert ended.reason.endswith("is gone (nobody says why)")
    (shared / "hold").unlink()  # the run itself lives on, and its point's lock tells so
    point = read_points(sweep)[0]
    until(lambda: state_of(sweep, point).status == "finished", "the run ends")


def _is_task(folder: Path, sweep: object) -> bool:
    try:
        words = (folder / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return b"submitit.core._submit" in words and any(sweep.key.encode() in word for word in words)  # type: ignore[attr-defined]
