"""A sweep of trainings whose command and runs are killed at once, as when a machine goes down."""

from __future__ import annotations

import contextlib
import random
import subprocess
from pathlib import Path
from typing import Any

import psutil
import pytest
from sweep_command_helpers import SECONDS, begun, sweep, until
from sweep_local_helpers import is_alive

from thexp_pl.record.metrics import read_history
from thexp_pl.runs.run import read_runs

pytestmark = pytest.mark.slow  # a training for each point, begun again and again

SCRIPT = """
import os
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from thexp_pl import Params, Trainer

class MyTrainer(Trainer):
    def initial_trainer(self, params):
        self.model = nn.Sequential(nn.Linear(1, 8), nn.Dropout(0.2), nn.Linear(8, 1))
        self.optim = torch.optim.SGD(self.model.parameters(), lr=params.lr, momentum=0.9)
        xs = torch.linspace(-1, 1, 24).reshape(24, 1)
        self.regist_databundler(train=DataLoader(TensorDataset(xs, xs**2), 4, shuffle=True))

    def train_batch(self, eidx, idx, global_step, batch_data, params, device):
        with open(os.environ["STEPS"], "ab", buffering=0) as file:
            file.write(b".")
        loss = nn.functional.mse_loss(self.model(batch_data[0]), batch_data[1])
        loss.backward()
        self.optim.step()
        self.optim.zero_grad()
        return {"loss": loss}

if __name__ == "__main__":
    params = Params()
    params.epoch, params.device, params.lr = 8, "cpu", 0.05
    params.from_args()
    torch.manual_seed(7)
    trainer = MyTrainer(params)
    trainer.initial_exp("./experiment")
    trainer.train()
"""
WORDS = ("train.py", "--lr=0.05,0.02,0.01", "-j", "2")
STEPS = 3 * 8 * 6


def kill_together(command: subprocess.Popen[str]) -> None:
    """Kill a command and all that it has started; stopped first, it starts no more."""
    driver = psutil.Process(command.pid)
    driver.suspend()
    until(lambda: driver.status() in (psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE))
    runs = driver.children(recursive=True)
    for each in (*runs, driver):
        with contextlib.suppress(psutil.NoSuchProcess):
            each.kill()
    command.communicate(timeout=SECONDS)
    until(lambda: not any(is_alive(each.pid) for each in runs))


def results(folder: Path) -> dict[float, list[tuple[Any, ...]]]:
    """Give the rows of the runs that have finished, by what varies; there is one of each."""
    runs = [run for run in read_runs([folder / "experiment"]) if run.status == "finished"]
    assert sorted(run.params["lr"] for run in runs) == [0.01, 0.02, 0.05]
    return {
        run.params["lr"]: [
            (step, epoch, name, repr(value))
            for step, epoch, _, name, value in read_history(run.paths).rows()
        ]
        for run in runs
    }


def project(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder.mkdir()
    (folder / "train.py").write_text(SCRIPT)
    monkeypatch.chdir(folder)
    for name, value in {"OMP_NUM_THREADS": "1", "STEPS": f"{folder}.steps"}.items():
        monkeypatch.setenv(name, value)
    return folder


@pytest.fixture(scope="module")
def never_stopped(tmp_path_factory: pytest.TempPathFactory) -> dict[float, list[tuple[Any, ...]]]:
    """The results of the same sweep, left alone."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        whole = project(tmp_path_factory.mktemp("whole") / "project", monkeypatch)
        assert "sweep: 3 of 3 done" in sweep(*WORDS)
        return results(whole)


@pytest.mark.parametrize("seed", range(5))
def test_all_that_was_killed_at_any_moment_comes_to_the_results_of_a_sweep_left_alone(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    never_stopped: dict[float, list[tuple[Any, ...]]],
    seed: int,
) -> None:
    here = project(tmp_path / "project", monkeypatch)
    steps, chance = Path(f"{here}.steps"), random.Random(seed)
    steps.touch()
    for _ in range(3):
        then = steps.stat().st_size + chance.randrange(STEPS // 4)
        command = begun({}, *WORDS)
        until(lambda: steps.stat().st_size > then or command.poll() is not None)  # noqa: B023
        if command.poll() is None:
            kill_together(command)
    sweep(*WORDS)
    assert results(here) == never_stopped
    assert all(len(rows) == 8 for rows in never_stopped.values())  # one value an epoch
