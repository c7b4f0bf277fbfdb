"""What goes wrong while recording stays out of the run's way, and secrets out of its record."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from thexp_pl.errors import UsageError
from thexp_pl.record import Experiment, ExperimentViewer
from thexp_pl.record.faults import RecorderWarning


def info_of(root: Path) -> dict[str, Any]:
    """What is known of the one run under a root."""
    return ExperimentViewer(roots=[root]).exp_info("@last")


def run(folder: Path, script: str) -> subprocess.CompletedProcess[str]:
    """Run a script that records under ``folder/exp``."""
    path = folder / "script.py"
    path.write_text("from thexp_pl import Experiment\n" + textwrap.dedent(script))
    return subprocess.run([sys.executable, str(path)], cwd=folder, capture_output=True, text=True)


def test_planted_secrets_are_in_no_file_of_the_record(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent(
            """
            import os, sys
            from thexp_pl import Experiment
            exp = Experiment("./exp", "a")
            exp.params = {"hub": {"token": "planted-1"}, "url": "ftp://me:planted-2@host"}
            exp.start_exp()
            exp.log_event("login", api_key="planted-3", text=os.environ["HUB_TOKEN"])
            exp.note("the password is in " + os.environ["HUB_TOKEN"])
            raise RuntimeError("refused: " + sys.argv[-1] + " " + os.environ["HUB_TOKEN"])
            """
        )
    )
    done = subprocess.run(
        [sys.executable, str(script), "--api_token=planted-4", "--password", "planted-5"],
        cwd=tmp_path,
        env=os.environ | {"HUB_TOKEN": "planted-6"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    info = info_of(tmp_path / "exp")
    assert info["status"] == "failed"
    assert info["cause"]["message"].startswith("refused: <redacted>")
    files = [path for path in (tmp_path / "exp").rglob("*") if path.is_file()]
    assert len(files) >= 4
    for path in files:
        assert b"planted-" not in path.read_bytes(), path


def test_a_fault_of_the_recorder_is_one_warning_and_the_run_goes_on(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        """
        import shutil
        exp = Experiment("./exp", "a")
        exp.start_exp()
        shutil.rmtree("exp")
        exp.log_metrics(0, 0, {"loss": 1.0})
        exp.log_event("checkpoint", path="x")
        exp.log_event("checkpoint", path="y")
        exp.params = {"lr": 1}
        exp.note("n")
        exp.end_exp()
        print("went on")
        """,
    )
    assert (done.returncode, done.stdout) == (0, "went on\n")
    assert done.stderr.count("RecorderWarning: the run of 'a' is not recorded in full") == 1
    assert "Traceback" not in done.stderr


def test_a_disk_that_fills_during_the_run_is_one_warning(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        """
        import resource
        exp = Experiment("./exp", "a")
        exp.start_exp()
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
        for step in range(5000):
            exp.log_metrics(step, 0, {"loss": 1.0})
        exp.end_exp()
        print("went on")
        """,
    )
    assert (done.returncode, done.stdout) == (0, "went on\n")
    assert done.stderr.count("RecorderWarning") == 1


def test_an_unwritable_home_is_one_warning_and_the_run_is_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("THEXP_HOME", str(tmp_path / "file"))
    exp = Experiment(tmp_path / "exp", "a")
    with pytest.warns(RecorderWarning, match="Not a directory"):
        exp.start_exp()
    exp.end_exp()
    assert info_of(tmp_path / "exp")["status"] == "finished"


def test_a_listener_that_fails_does_not_keep_the_run_from_ending(tmp_path: Path) -> None:
    def listener(path: Path, mode: str) -> None:
        raise UsageError("the listener's own fault")

    exp = Experiment(tmp_path, "a")
    exp.start_exp()
    exp.add_event_listener(listener, [".txt"])
    (exp.hold_exp_part("log", [".txt"]) / "a.txt").write_text("")
    with pytest.warns(RecorderWarning, match="the listener's own fault"):
        exp.end_exp()
    assert info_of(tmp_path)["status"] == "finished"
    assert "log/a.txt" in ExperimentViewer(roots=[tmp_path]).backtracking("a.txt")[exp.key]
