"""Workers that do not see the experiment root: runs are brought home, and sent back to go on."""

from __future__ import annotations

import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from ray_helpers import (
    AWAY_CPUS,
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


def _can_hide() -> bool:
    tried = ["unshare", "-m", "sh", "-c", "mount -t tmpfs none /mnt"]
    try:
        return subprocess.run(tried, capture_output=True, timeout=180).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


pytestmark = pytest.mark.skipif(
    not _can_hide(), reason="a folder is hidden by a mount namespace, which takes root's rights"
)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    # the names of Ray's sockets are long, and a socket's name may have 107 bytes
    with (
        tempfile.TemporaryDirectory(dir="/tmp", ignore_cleanup_errors=True) as folder,
        ray_cluster(Path(folder), away=True) as running,
    ):
        yield running


@pytest.fixture
def hidden(cluster: Cluster, tmp_path: Path) -> Path:
    assert cluster.away is not None
    return cluster.away / tmp_path.name


def test_runs_come_home_with_their_code_and_their_sweep_those_that_failed_too(
    cluster: Cluster, hidden: Path, tmp_path: Path
) -> None:
    sweep, _ = light_sweep(hidden, ["0.1", "13"], shared=tmp_path)
    driving = driven(sweep, address=cluster.address, cpus_per_run=AWAY_CPUS)
    lines = driving.lines()
    assert lines[-1]["text"] == "1 of 2 done, 1 failed", lines
    now = states(sweep)
    assert [state.status for state in now.values()] == ["finished", "failed"]
    for number, state in now.items():
        assert state.run is not None
        assert state.run.manifest["sweep"]["key"] == sweep.key
        assert state.run.manifest["sweep"]["point"] == number
        assert state.run.manifest["code"]["tree"] == sweep.tree
        assert len(rows_of(state)) == 5
    assert "an unlucky number" in sweep.paths.log(1).read_text()
    assert not list(sweep.paths.folder.glob("homing*"))
    where = Path((tmp_path / "where-0.1").read_text())
    assert not where.is_relative_to(hidden)
    assert not where.exists()


@pytest.mark.slow
def test_a_run_that_was_interrupted_away_goes_on_from_what_came_home(
    cluster: Cluster, hidden: Path, tmp_path: Path
) -> None:
    sweep, _ = light_sweep(hidden, ["0.5"], saves=True, shared=tmp_path)
    (tmp_path / "hold").touch()
    driving = driven(sweep, address=cluster.address, cpus_per_run=AWAY_CPUS)
    driving.until((tmp_path / "held-0.5").exists, "the run has saved twice")
    driving.process.send_signal(signal.SIGTERM)
    driving.lines()
    assert driving.code == 143
    (before,) = states(sweep).values()
    assert before.status == "interrupted"
    assert len(rows_of(before)) == 2
    (tmp_path / "hold").unlink()
    again = driven(sweep, address=cluster.address, cpus_per_run=AWAY_CPUS)
    assert again.lines()[-1]["text"] == "1 of 1 done"
    (after,) = states(sweep).values()
    assert after.paths == before.paths
    assert [row.split(",")[0] for row in rows_of(after)] == ["0", "1", "2", "3", "4"]
    assert (tmp_path / "begun-0.5").read_text().split() == ["0", "2"]


@pytest.mark.slow
def test_a_worker_killed_away_leaves_its_run_there_and_the_retry_goes_on_with_it(
    cluster: Cluster, hidden: Path, tmp_path: Path
) -> None:
    sweep, _ = light_sweep(hidden, ["0.5"], saves=True, shared=tmp_path)
    (tmp_path / "hold").touch()
    driving = driven(sweep, address=cluster.address, cpus_per_run=AWAY_CPUS, retries=1)
    driving.until((tmp_path / "held-0.5").exists, "the run has saved twice")
    run = process_at(tmp_path / "pid-0.5")
    worker_above(run).kill()
    until(lambda: has_ended(run), "its run ends")
    (tmp_path / "hold").unlink()
    assert driving.lines()[-1]["text"] == "1 of 1 done"
    (state,) = states(sweep).values()
    assert [row.split(",")[0] for row in rows_of(state)] == ["0", "1", "2", "3", "4"]
    assert (tmp_path / "begun-0.5").read_text().split() == ["0", "2"]
