"""A sweep on a Ray cluster that is there: its runs, its failures, and who is killed in mid-run."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from ray_helpers import (
    DEADLINE,
    SCRIPT,
    Cluster,
    driven,
    has_ended,
    light_sweep,
    process_at,
    ray_cluster,
    rows_of,
    states,
    until,
    worker_above,
)

from thexp_pl import ExperimentViewer, __version__


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    # the names of Ray's sockets are long, and a socket's name may have 107 bytes
    with (
        tempfile.TemporaryDirectory(dir="/tmp", ignore_cleanup_errors=True) as folder,
        ray_cluster(Path(folder)) as running,
    ):
        yield running


def test_the_points_of_a_sweep_are_recorded_runs_and_the_failed_one_says_why(
    cluster: Cluster, tmp_path: Path
) -> None:
    sweep, _ = light_sweep(tmp_path, ["0.1", "13", "0.3"])
    driving = driven(sweep, address=cluster.address)
    lines = driving.lines()
    assert driving.code == 1
    assert lines[-1] == {"text": "2 of 3 done, 1 failed", "changed": []}
    assert [each["reason"] for each in lines if each.get("status") == "failed"] == [
        "ValueError: an unlucky number"
    ]
    now = states(sweep)
    assert [state.status for state in now.values()] == ["finished", "failed", "finished"]
    assert "attempt at 0.1" in sweep.paths.log(0).read_text()
    for number, state in now.items():
        assert state.run is not None
        told = state.run.manifest["sweep"]
        assert (told["key"], told["point"]) == (sweep.key, number)
        assert state.run.manifest["code"]["tree"] == sweep.tree
    assert not list(sweep.paths.folder.glob(".seen-*"))


def test_a_worker_that_is_killed_saves_and_the_retry_goes_on_in_the_same_run(
    cluster: Cluster, tmp_path: Path
) -> None:
    sweep, shared = light_sweep(tmp_path, ["0.5"], saves=True)
    (shared / "hold").touch()
    driving = driven(sweep, address=cluster.address, retries=1)
    driving.until((shared / "held-0.5").exists, "the run has saved twice")
    run = process_at(shared / "pid-0.5")
    worker_above(run).kill()
    until(lambda: has_ended(run), "its run ends")
    (shared / "hold").unlink()
    lines = driving.lines()
    assert driving.code == 0, lines
    (ended,) = (each for each in lines if each.get("again"))
    assert ended["reason"] == "its Ray worker died: it was killed, or out of memory"
    assert (shared / "begun-0.5").read_text().split() == ["0", "2"]
    state = states(sweep)[0]
    assert len(list(sweep.paths.root.glob("light/*/run.json"))) == 1
    assert [row.split(",")[0] for row in rows_of(state)] == ["0", "1", "2", "3", "4"]


def test_a_driver_that_is_killed_leaves_no_run_behind_and_the_next_goes_on(
    cluster: Cluster, tmp_path: Path
) -> None:
    sweep, shared = light_sweep(tmp_path, ["0.5"], saves=True)
    (shared / "hold").touch()
    driving = driven(sweep, address=cluster.address)
    driving.until((shared / "held-0.5").exists, "the run has saved twice")
    run = process_at(shared / "pid-0.5")
    driving.process.kill()
    driving.process.communicate()
    until(lambda: has_ended(run), "its run ends")
    until(lambda: states(sweep)[0].status == "interrupted", "its lock is free")
    (shared / "hold").unlink()
    again = driven(sweep, address=cluster.client)
    lines = again.lines()
    assert lines[-1].get("text") == "1 of 1 done", lines
    assert (shared / "begun-0.5").read_text().split() == ["0", "2"]


def test_each_run_has_its_own_devices_and_ends_when_the_driver_is_asked_to(
    cluster: Cluster, tmp_path: Path
) -> None:
    sweep, shared = light_sweep(tmp_path, ["0.1", "0.2", "0.3", "0.4", "0.5"])
    (shared / "hold").touch()
    driving = driven(sweep, address=cluster.address, gpus_per_run=1)
    driving.until(lambda: len(list(shared.glob("held-*"))) == 2, "two runs, a GPU each")
    told = [json.loads(path.read_text()) for path in shared.glob("environment-*")]
    assert {each["CUDA_VISIBLE_DEVICES"] for each in told} == {"0", "1"}
    assert [each["OMP_NUM_THREADS"] for each in told] == ["1", "1"]
    assert not any("PYTHONBREAKPOINT" in each for each in told)
    driving.process.send_signal(signal.SIGINT)
    lines = driving.lines()
    assert driving.code == 130
    assert lines[-1]["text"] == "interrupted: 0 of 5 done; the same command goes on"
    statuses = sorted(state.status for state in states(sweep).values())
    assert statuses == ["interrupted", "interrupted", "waiting", "waiting", "waiting"]
    assert not any(state.is_alive for state in states(sweep).values())


def test_the_command_sweeps_a_script_on_the_cluster(cluster: Cluster, tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "light.py").write_text(SCRIPT)
    ray = ["--engine=ray", f"--address={cluster.address}"]
    words = ["light.py", *ray, "--lr=0.1,0.2", "--saves=no", f"--shared={tmp_path}"]
    ended = subprocess.run(
        [sys.executable, "-m", "thexp_pl", "sweep", *words],
        cwd=project,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
    )
    assert ended.returncode == 0, ended
    assert "2 of 2 done" in ended.stdout + ended.stderr
    assert not [line for line in ended.stderr.splitlines() if "ray" in line.lower()], ended.stderr
    runs = ExperimentViewer([project / "experiment"]).runs()
    assert sorted(run.params["lr"] for run in runs) == [0.1, 0.2]


def test_workers_with_another_thexp_pl_are_refused_before_anything_starts(
    cluster: Cluster, tmp_path: Path
) -> None:
    sweep, shared = light_sweep(tmp_path, ["0.1"])
    driving = driven(sweep, version="0.0.9", address=cluster.address)
    (line,) = driving.lines()
    assert driving.code == 2
    assert f"has thexp_pl '{__version__}', and this is 0.0.9: install the same" in line["refused"]
    assert not list(shared.iterdir())
