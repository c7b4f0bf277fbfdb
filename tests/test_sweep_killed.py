"""A sweep whose processes are killed: started again it comes to what it would have come to."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sweep_local_helpers import SECONDS, Heard, light_sweep, root, run_all, runs_of, until

from thexp_pl.record.folders import as_root
from thexp_pl.record.metrics import read_history
from thexp_pl.runs.run import Run
from thexp_pl.sweeps.engines.local import LocalEngine
from thexp_pl.sweeps.point import Point
from thexp_pl.sweeps.standing import standing
from thexp_pl.sweeps.submission import submit
from thexp_pl.sweeps.sweep import read_points

__all__ = ["root"]

_DRIVER = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from sweep_local_helpers import run_all
from thexp_pl.record.sweep_folder import SweepFolder
from thexp_pl.sweeps.sweep import read_sweep
sweep = read_sweep(SweepFolder(Path({root!r}), {key!r}))
sys.exit(run_all(sweep).exit_code)
"""
_COUNTING = """
with recorded() as exp:
    exp.params = {"lr": lr}
    for step in range(10):
        exp.log_metrics(step, 0, {"loss": float(lr) * step})
        time.sleep(0.01)
"""
_TRAINING = """
import os, signal, time
from pathlib import Path
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from thexp_pl import Params, Trainer

root = Path(os.environ["TEST_ROOT"])

class MyTrainer(Trainer):
    def initial_trainer(self, params: Params):
        self.model = nn.Sequential(nn.Linear(1, 8), nn.Dropout(0.2), nn.Linear(8, 1))
        self.optim = torch.optim.SGD(self.model.parameters(), lr=0.05, momentum=0.9)
        xs = torch.linspace(-1, 1, 24).reshape(24, 1)
        self.regist_databundler(train=DataLoader(TensorDataset(xs, xs**2), 4, shuffle=True))

    def train_batch(self, eidx, idx, global_step, batch_data, params, device):
        mark = root.parent / "was-killed"
        if global_step == 15 and "killed" in str(self.experiment.path) and not mark.exists():
            deadline = time.monotonic() + 180  # the checkpoint is written in the background
            while not [*root.glob("killed/*/modules/*.ckpt.json")]:
                assert time.monotonic() < deadline
                time.sleep(0.01)
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        loss = nn.functional.mse_loss(self.model(batch_data[0]), batch_data[1])
        loss.backward()
        self.optim.step()
        self.optim.zero_grad()
        return {"loss": loss}
"""


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 20))]
)
def test_a_driver_that_is_killed_at_any_moment_is_started_again(root: Path, seed: int) -> None:
    values = [str(number) for number in range(6)]
    sweep = light_sweep(root, _COUNTING, values)
    names = {"tests": str(Path(__file__).parent), "root": str(sweep.paths.root), "key": sweep.key}
    words = [sys.executable, "-c", _DRIVER.format(**names)]
    chance = random.Random(seed)
    for _ in range(3):
        driver = subprocess.Popen(words, start_new_session=True)
        try:
            driver.wait(chance.uniform(0.1, 1.2))
        except subprocess.TimeoutExpired:
            os.kill(driver.pid, signal.SIGKILL)
            driver.wait(SECONDS)
    assert subprocess.run(words, timeout=2 * SECONDS, check=False).returncode == 0
    runs = runs_of(root)
    assert sorted(run.params["lr"] for run in runs) == values  # none was lost, none was run twice
    assert {run.status for run in runs} == {"finished"}
    for run in runs:
        assert run.metrics["loss"]["count"] == 10
        assert run.metrics["loss"]["last"] == float(run.params["lr"]) * 9
    states = standing(sweep, read_points(sweep)).values()
    assert {state.status for state in states} == {"finished"}


def test_runs_that_were_killed_too_are_run_again(root: Path) -> None:
    body = f"if first_time(f'one-{{lr}}'):\n    wait_for('never')\n{_COUNTING}"
    sweep = light_sweep(root, body, ["1", "2"])
    engine, number = LocalEngine(2), {0, 1}
    engine.open(sweep)
    for point in number:
        engine.start(point)
    until(lambda: all((root.parent / f"one-{lr}").exists() for lr in "12"))
    engine.close()  # as a machine that goes down
    heard = Heard()
    assert run_all(sweep, listener=heard).done == 2
    assert sorted(run.params["lr"] for run in runs_of(root)) == ["1", "2"]


def _history(run: Run) -> list[tuple[Any, ...]]:
    return [(step, epoch, name, repr(value)) for step, epoch, _, name, value in
            read_history(run.paths).rows()]  # fmt: skip


@pytest.mark.slow  # two trainings at a time, and one more
def test_a_training_that_was_killed_goes_on_from_its_checkpoint_to_the_same_numbers(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONWARNINGS", "ignore")
    Path("parts.py").write_text(_TRAINING)
    fit = ["fit", "--trainer_class", "parts:MyTrainer", "--epoch", "4", "--device", "cpu"]
    names = ("killed", "whole")
    points = [Point(n, {"exp_name": name}, f"digest-{name}") for n, name in enumerate(names)]
    words = [*fit, "--seed_everything", "7"]
    sweep = submit(as_root(root), words, ["exp_name"], points, command="thexp-pl sweep")
    heard = Heard()
    first = run_all(sweep, listener=heard)
    assert (first.finished, first.failed) == (1, 1), sweep.paths.log(0).read_text()
    before = {run.paths.experiment: run.key for run in runs_of(root)}
    assert "SIGKILL" in next(reason for number, _, reason, _ in heard.endings if number == 0)
    assert run_all(sweep).done == 2, sweep.paths.log(0).read_text()
    runs = {run.paths.experiment: run for run in runs_of(root)}
    assert {name: run.key for name, run in runs.items()} == before  # it went on in its own folder
    journal = runs["killed"].paths.journal.read_text()
    assert '"resume"' in journal
    assert _history(runs["killed"]) == _history(runs["whole"])
    assert len(_history(runs["whole"])) == 4  # one value an epoch
