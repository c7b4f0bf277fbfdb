"""A training that is through has ended, whatever comes later in the script."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import Any

import pytest

from thexp_pl import Experiment, ExperimentViewer, RunLogger
from thexp_pl.record import read_metrics
from thexp_pl.record.faults import RecorderWarning

SWEEP = """
import os, signal, sys
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader
from thexp_pl import RunLogger
from thexp_pl.callbacks import ExperimentCallback, SaverCallback

class Lit(pl.LightningModule):
    def __init__(self, deed=""):
        super().__init__()
        self.layer, self.deed = torch.nn.Linear(2, 1), deed

    def training_step(self, batch, batch_idx):
        if self.deed == "raise":
            raise ValueError("boom of the third")
        if self.deed == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        loss = self.layer(batch).mean()
        self.log("loss", loss)
        return loss

    def test_step(self, batch, batch_idx):
        self.log("test_loss", self.layer(batch).mean())

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)

loader = DataLoader([torch.ones(2)] * 4)
quiet = {"enable_progress_bar": False, "enable_model_summary": False, "log_every_n_steps": 1}

def fit(name, deed="", **more):
    trainer = pl.Trainer(max_epochs=1, **{**quiet, "logger": RunLogger("exp", name), **more})
    trainer.fit(Lit(deed), loader)
    return trainer
"""


def run(folder: Path, script: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a script in a folder of its own."""
    (folder / "script.py").write_text(SWEEP + textwrap.dedent(script))
    return subprocess.run(
        [sys.executable, "-W", "ignore", "script.py"],
        cwd=folder,
        env=os.environ | env,
        capture_output=True,
        text=True,
        timeout=300,
    )


def runs_of(root: Path) -> dict[str, dict[str, Any]]:
    """What is known of the one run of each experiment."""
    runs = ExperimentViewer(roots=[root]).runs()
    found = {run.paths.experiment: run.to_dict() for run in runs}
    assert len(found) == len(runs)
    return found


@pytest.mark.parametrize(("deed", "status"), [("raise", "failed"), ("kill", "killed")])
def test_what_fails_in_a_sweep_is_one_run(tmp_path: Path, deed: str, status: str) -> None:
    done = run(tmp_path, f"fit('a')\nfit('b')\nfit('c', {deed!r})")
    assert done.returncode != 0
    runs = runs_of(tmp_path / "exp")
    assert [runs[name]["status"] for name in "abc"] == ["finished", "finished", status]
    assert [runs[name]["cause"] is None for name in "abc"] == [True, True, False]
    assert runs["a"]["end"] < runs["c"]["start"]


def test_a_script_that_fails_after_its_training_leaves_it_finished(tmp_path: Path) -> None:
    script = """
    trainer = fit("a", callbacks=[SaverCallback()])
    trainer.test(dataloaders=loader, verbose=False)
    trainer.test(ckpt_path="best", dataloaders=loader, verbose=False)
    trainer.logger.log_metrics({"score": 0.5}, 9)
    trainer.logger.finalize("success")
    fit("a", logger=trainer.logger)
    raise RuntimeError("plotting failed")
    """
    done = run(tmp_path, script)
    assert "plotting failed" in done.stderr.splitlines()[-1]
    info = runs_of(tmp_path / "exp")["a"]
    assert (info["status"], info["cause"]) == ("finished", None)
    counts = {name: numbers["count"] for name, numbers in info["metrics"].items()}
    assert counts == {"loss": 8, "test_loss": 2, "score": 1}
    rows = read_metrics(Path(info["folder"], "metrics.csv"))
    assert [rows.name.count(name) for name in counts] == [8, 2, 1]


@pytest.mark.parametrize(
    "name",
    [
        "RANK",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("LOCAL_RANK", "SLURM_PROCID")),
    ],
)
def test_a_rank_left_over_in_the_environment_does_not_hide_a_run(tmp_path: Path, name: str) -> None:
    done = run(tmp_path, "fit('a', callbacks=[SaverCallback()])", **{name: "1"})
    assert done.returncode == 0, done.stderr
    info = runs_of(tmp_path / "exp")["a"]
    assert (info["status"], info["metrics"]["loss"]["count"]) == ("finished", 4)


def test_a_fault_of_the_users_own_in_a_checkpoint_is_not_taken_for_ours(tmp_path: Path) -> None:
    script = """
    class Bad(pl.Callback):
        def on_save_checkpoint(self, *args):
            raise KeyError("mine")
    fit("a", callbacks=[SaverCallback(), Bad()])
    """
    done = run(tmp_path, script)
    assert "KeyError: 'mine'" in done.stderr
    assert runs_of(tmp_path / "exp")["a"]["status"] == "failed"


def test_a_run_that_pauses_lets_go_and_goes_on(tmp_path: Path) -> None:
    def left() -> tuple[int, int]:
        return threading.active_count(), len(list(Path("/proc/self/fd").iterdir()))

    seen = []
    exp = Experiment(tmp_path, "a")
    exp.start_exp()
    part = exp.hold_exp_part("part", [".txt"])
    (part / "a.txt").write_text("1")
    for step in range(10):
        exp.log_metrics(step, 0, {"loss": 1.0})
        exp.pause()
        manifest = json.loads(exp.paths.manifest.read_text())
        assert (manifest["status"], manifest["metrics"]["loss"]["count"]) == ("finished", step + 1)
        seen.append(left())
    # not one more with each of the ten times; one that is just going may still be there
    assert all(last <= first + 4 for first, last in zip(seen[0], seen[-1], strict=True))
    assert exp.is_open
    exp.params = {"lr": 1}
    assert json.loads(exp.paths.manifest.read_text())["status"] == "running"
    (part / "b.txt").write_text("2")
    exp.end_exp()
    assert not exp.is_open
    (info,) = (run.to_dict() for run in ExperimentViewer(roots=[tmp_path]).runs())
    assert (info["status"], info["params"]) == ("finished", {"lr": 1})
    assert set(ExperimentViewer(roots=[tmp_path]).backtracking(".txt")[exp.key]) == {
        "part/a.txt",
        "part/b.txt",
    }


def test_what_leaves_a_with_block_after_a_pause_is_how_the_run_ended(tmp_path: Path) -> None:
    def fail_late() -> None:
        with Experiment(tmp_path, "a") as exp:
            exp.pause()
            raise ValueError("late")

    with pytest.raises(ValueError, match="late"):
        fail_late()
    (run,) = ExperimentViewer(roots=[tmp_path]).runs()
    assert (run.status, run.cause and run.cause["message"]) == ("failed", "late")
    with Experiment(tmp_path, "b") as exp:
        exp.pause()
    assert not exp.is_open
    assert json.loads(exp.paths.manifest.read_text())["status"] == "finished"


def test_a_root_that_is_a_url_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Exception, match=r"is a URL, and a record is made of local files"):
        RunLogger("s3://bucket/runs", "a")


@pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")
def test_a_logger_whose_run_was_interrupted_at_its_start_says_that_it_records_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git = tmp_path / "bin" / "git"  # it is called to keep the code
    git.parent.mkdir()
    git.write_text("#!/bin/sh\nkill -INT $PPID\n")
    git.chmod(0o755)
    monkeypatch.setenv("PATH", str(git.parent), prepend=os.pathsep)
    logger = RunLogger(tmp_path / "exp", "a", project=git.parent, board=False)

    with pytest.raises(KeyboardInterrupt):
        logger.log_metrics({"loss": 1.0}, 0)
    gc.collect()  # a process that was being started just then, which Python lets go of

    with pytest.warns(RecorderWarning, match="has ended: what comes now is not recorded"):
        logger.log_metrics({"loss": 1.0}, 0)
    assert ExperimentViewer([tmp_path / "exp"]).exp_info("@last")["status"] == "interrupted"
