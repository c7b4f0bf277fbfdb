"""`thexp-pl sweep --engine slurm`: what the user of a cluster sees."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from slurm_helpers import DEADLINE, SCRIPT, FakeSlurm, start_slurm, until


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSlurm:
    (tmp_path / "shared").mkdir()
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "light.py").write_text(SCRIPT)
    monkeypatch.chdir(tmp_path / "project")
    return start_slurm(tmp_path, monkeypatch)


def sweep(tmp_path: Path, values: str, *more: str) -> subprocess.Popen[str]:
    words = ["light.py", f"--shared={tmp_path / 'shared'}", f"--lr={values}", "--engine=slurm"]
    return subprocess.Popen(
        [sys.executable, "-m", "thexp_pl", "sweep", *words, *(more or ["--slurm.timeout_min=5"])],
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_ctrl_c_leaves_the_jobs_to_slurm_and_the_same_command_waits_for_them(
    slurm: FakeSlurm, tmp_path: Path
) -> None:
    (slurm.folder / "full").touch()
    first = sweep(tmp_path, "0.1,0.2")
    until(lambda: list(slurm.states().values()) == ["PENDING"] * 2, "two jobs are in the queue")
    until(lambda: len(slurm.calls("squeue")) > 1, "the command waits for them")
    first.send_signal(signal.SIGINT)
    printed, said = first.communicate(timeout=DEADLINE)
    assert first.returncode == 130, said
    assert "SIGINT: 2 jobs stay in SLURM's queue" in printed
    assert "to cancel them: scancel 100\n" in printed
    assert "point 0" not in printed  # nothing has become of it
    assert said == ""
    assert "interrupted: 0 of 2 done; the same command goes on" in printed
    asked = len(slurm.calls("squeue"))
    second = sweep(tmp_path, "0.1,0.2")
    # whether SLURM answers, which jobs are its own, which of them live; then it waits for them
    until(lambda: len(slurm.calls("squeue")) >= asked + 4, "the second command waits for them")
    (slurm.folder / "full").unlink()
    printed, said = second.communicate(timeout=DEADLINE)
    assert second.returncode == 0, said
    assert "2 of 2 done" in printed
    assert len(slurm.calls("sbatch")) == 1


def test_a_sweep_that_fails_fast_cancels_what_is_queued(slurm: FakeSlurm, tmp_path: Path) -> None:
    hold = tmp_path / "shared" / "hold"
    hold.touch()
    failing = sweep(tmp_path, "13,0.2,0.3", "--slurm.timeout_min=5", "-j", "1", "--fail_fast")
    until((tmp_path / "shared" / "begun-13").exists, "the first run begins")
    (slurm.folder / "full").touch()  # no other does
    hold.unlink()
    printed, said = failing.communicate(timeout=DEADLINE)
    assert (failing.returncode, said) == (1, "")
    assert "point 0 has failed, and no more are begun: SLURM cancels 2 jobs" in printed
    assert "0 of 3 done, 1 failed, 2 left" in printed
    assert "point 1" not in printed
    assert {**slurm.states(), "100_0": ""} == {
        "100_0": "",
        "100_1": "CANCELLED",
        "100_2": "CANCELLED",
    }


def test_jobs_that_slurm_refuses_end_the_command_with_one_line(
    slurm: FakeSlurm, tmp_path: Path
) -> None:
    (slurm.folder / "refuses").write_text("Batch job submission failed: Invalid account")
    refused = sweep(tmp_path, "0.1,0.2", "--slurm.timeout_min=5", "--slurm.account=nobody")
    _, said = refused.communicate(timeout=DEADLINE)
    assert refused.returncode == 2
    reason = "sbatch: error: Batch job submission failed: Invalid account"
    assert said == f"error: SLURM refuses the jobs: {reason}\n"


def test_ctrl_c_ends_a_sweep_that_runs_in_the_command_itself(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "hold").touch()
    Path("light.py").write_text(SCRIPT)
    tried = sweep(tmp_path, "0.1,0.2", "--slurm.cluster=debug")
    until((tmp_path / "shared" / "begun-0.1").exists, "the first run begins")
    tried.send_signal(signal.SIGINT)
    printed, said = tried.communicate(timeout=DEADLINE)
    assert tried.returncode == 130, said
    assert "interrupted: 0 of 2 done" in printed
    assert "failed" not in printed
    assert not (tmp_path / "shared" / "begun-0.2").exists()


def test_a_sigint_that_is_ignored_as_in_the_background_of_a_script_ends_nothing(
    tmp_path: Path,
) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "hold").touch()
    Path("light.py").write_text(SCRIPT)
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        tried = sweep(tmp_path, "0.1,0.2", "--slurm.cluster=debug")
    finally:
        signal.signal(signal.SIGINT, before)
    until((tmp_path / "shared" / "begun-0.1").exists, "the first run begins")
    tried.send_signal(signal.SIGINT)
    (tmp_path / "shared" / "hold").unlink()
    printed, said = tried.communicate(timeout=DEADLINE)
    assert (tried.returncode, said) == (0, "")
    assert "point 0 begun" in printed
    assert "2 of 2 done" in printed
