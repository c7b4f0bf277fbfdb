"""A training that is killed in a sweep goes on exactly where it was."""

from __future__ import annotations

import hashlib
import signal
from pathlib import Path

import pytest
from swept_helpers import git, point_of, run_of, state, write

from thexp_pl.record.metrics.history import read_history
from thexp_pl.runs import Run
from thexp_pl.sweeps.attempt import begin_attempt
from thexp_pl.sweeps.point import Point
from thexp_pl.sweeps.submission import submit

SECONDS = 240

PROJECT = """
import os, signal, time
from pathlib import Path
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from thexp_pl import Params, Trainer

torch.set_num_threads(1)


class MyTrainer(Trainer):
    def initial_trainer(self, params: Params):
        xs = torch.tensor(list(map(float, Path("data/xs").read_text().split()))).reshape(24, 1)
        self.model = nn.Sequential(nn.Linear(1, 8), nn.Dropout(0.2), nn.Linear(8, 1))
        self.optim = torch.optim.SGD(self.model.parameters(), lr=0.05, momentum=0.9)
        self.regist_databundler(train=DataLoader(TensorDataset(xs, xs ** 2), 4, shuffle=True))

    def train_batch(self, eidx, idx, global_step, batch_data, params, device):
        number, _, at = os.environ.get("STOP", "").partition("@")
        if at and int(at) == global_step:
            while not list(Path("../../../..").glob("*/*/modules/*.ckpt.json")):
                time.sleep(0.01)  # it is written beside the training
            os.kill(os.getpid(), int(number))
        loss = nn.functional.mse_loss(self.model(batch_data[0]), batch_data[1])
        loss.backward()
        self.optim.step()
        self.optim.zero_grad()
        return {"loss": loss}
"""


@pytest.mark.slow
def test_a_training_that_is_killed_and_then_asked_to_end_goes_on_exactly() -> None:
    project = Path.cwd()
    numbers = " ".join(str(number / 24) for number in range(24))
    write(project, {"mine.py": PROJECT, ".gitignore": "data\n", "data/xs": numbers})
    git(project, "init", "-q")
    words = ["fit", "--trainer_class=mine:MyTrainer", "--epoch=3", "--seed_everything=7"]
    points = [Point(0, {}, "stopped"), Point(0, {}, "straight")]
    sweep = submit("experiment", words, [], points, command="")
    write(project, {"mine.py": "raise SystemExit('edited')"})

    def attempt(number: int, stop: str = "") -> int:
        process = begin_attempt(sweep, point_of(sweep, number), environment={"STOP": stop})
        return process.wait(SECONDS)

    assert attempt(0, f"{int(signal.SIGKILL)}@8") == -signal.SIGKILL
    assert state(sweep).status == "killed"
    begun = run_of(sweep)
    assert attempt(0, f"{int(signal.SIGTERM)}@14") == 128 + signal.SIGTERM
    assert state(sweep).status == "interrupted"
    assert attempt(0) == attempt(1) == 0, sweep.paths.log(0).read_text()
    stopped, straight = run_of(sweep), run_of(sweep, 1)
    assert (stopped.key, stopped.status) == (begun.key, "finished")
    assert rows(stopped) == rows(straight)
    assert weights(stopped) == weights(straight)
    assert stopped.manifest["code"] == begun.manifest["code"]


def rows(run: Run) -> list[tuple[object, ...]]:
    """Read its metrics without the times at which they came."""
    return [(step, epoch, *rest) for step, epoch, _, *rest in read_history(run.paths).rows()]


def weights(run: Run) -> str:
    import torch

    newest = run.paths.folder / "modules" / "0000003.ckpt"
    state = torch.load(newest, weights_only=True)["state_dict"]
    data = b"".join(state[name].numpy().tobytes() for name in sorted(state))
    return hashlib.sha256(data).hexdigest()
