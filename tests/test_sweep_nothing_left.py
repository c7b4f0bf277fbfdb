"""What runs of a sweep leave behind is ended, and not waited for without end."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest
import slurm_helpers
from sweep_local_helpers import SECONDS, is_alive, light_sweep, root, run_all, until

from thexp_pl.record.locks import is_held
from thexp_pl.sweeps.engines import local
from thexp_pl.sweeps.engines.local import LocalEngine

pytestmark = pytest.mark.timeout(3 * SECONDS)
__all__ = ["root"]  # a fixture

# a process below the run's, which holds the point's lock and has nobody to look after it
LEFT = """
if os.fork() == 0:
    (here / "orphan").write_text(str(os.getpid()))
    time.sleep(600)
    os._exit(0)
wait_for("orphan")
with recorded() as exp:
    pass
"""


def orphan(root: Path) -> int:
    return int((root.parent / "orphan").read_text() or 0)


def test_a_process_that_a_run_has_left_is_killed_after_a_while(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "_ORPHAN_SECONDS", 0.2)
    sweep = light_sweep(root, LEFT, ["1"])
    try:
        assert run_all(sweep).finished == 1
        until(lambda: not is_alive(orphan(root)))
    finally:
        end(orphan(root))


def test_closing_ends_what_a_run_has_left_that_has_ended_itself(root: Path) -> None:
    sweep = light_sweep(root, LEFT, ["1"])
    engine = LocalEngine(1)
    engine.open(sweep)
    engine.start(0)
    process = engine._processes[0]
    assert process.wait(SECONDS) == 0
    try:
        assert is_held(sweep.paths.point_lock(0))
        engine.close()
        until(lambda: not is_alive(orphan(root)))
    finally:
        end(orphan(root))


def test_closing_kills_the_jobs_that_submitit_runs_on_this_machine(tmp_path: Path) -> None:
    sweep, shared = slurm_helpers.light_sweep(tmp_path, ["0.1"])
    (shared / "hold").touch()
    engine = slurm_helpers.opened(sweep, options={"cluster": "local"})
    engine.start(0)
    engine.wait(0)
    begun = shared / "begun-0.1"
    until(lambda: begun.exists() and begun.read_text())
    job = int(json.loads(begun.read_text())["SUBMITIT_LOCAL_JOB_ID"])
    try:
        assert is_alive(job)
        engine.close()
        until(lambda: not is_alive(job))
        until(lambda: not is_held(sweep.paths.point_lock(0)))
        assert not (shared / "left").exists()  # killed, and not asked
    finally:
        (shared / "hold").unlink()
        end(job)


def end(pid: int) -> None:
    if is_alive(pid):
        os.kill(pid, signal.SIGKILL)
