"""One small training through each of the three doors, to be recorded and gone on with."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from reproduce_helpers import write

from thexp_pl import ExperimentViewer
from thexp_pl.record.metrics import read_history
from thexp_pl.runs import Run

SECONDS = 240
EPOCHS = 4

PARTS = """
import os, signal, time
from pathlib import Path
import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from thexp_pl import Params, RunLogger, Trainer
from thexp_pl.callbacks import RndCallback, SaverCallback
from thexp_pl.data import exact

torch.set_num_threads(1)

def loader():
    xs = torch.linspace(-1, 1, 24).reshape(24, 1)
    return DataLoader(TensorDataset(xs, xs ** 2), 4, shuffle=True)

def network():
    return nn.Sequential(nn.Linear(1, 8), nn.Dropout(0.2), nn.Linear(8, 1))

def meet(step):
    if os.environ.get("STOP") != str(step):
        return
    deadline = time.monotonic() + 180
    written = lambda: [*Path("experiment").glob("*/*/modules/*.ckpt.json")]
    while len(written()) < 2:  # the second is written in the background
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGKILL)

class MyTrainer(Trainer):
    def initial_trainer(self, params: Params):
        self.model = network()
        self.optim = torch.optim.SGD(self.model.parameters(), lr=0.05, momentum=0.9)
        self.regist_databundler(train=loader())

    def train_batch(self, eidx, idx, global_step, batch_data, params, device):
        meet(global_step)
        loss = nn.functional.mse_loss(self.model(batch_data[0]), batch_data[1])
        loss.backward()
        self.optim.step()
        self.optim.zero_grad()
        return {"loss": loss}

class MyModule(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.model = network()

    def training_step(self, batch, batch_idx):
        meet(self.trainer.fit_loop.total_batch_idx)
        loss = nn.functional.mse_loss(self.model(batch[0]), batch[1])
        self.log("loss", loss, on_step=True, on_epoch=True)
        return loss

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05, momentum=0.9)
"""

FACADE = """
from parts import MyTrainer, Params

params = Params()
params.epoch, params.device = 4, "cpu"
params.build_exp_name("small")
trainer = MyTrainer(params)
trainer.initial_exp("./experiment")
trainer.train()
"""

PLAIN = """
from parts import *

trainer = pl.Trainer(
    max_epochs=4,
    accelerator="cpu",
    logger=RunLogger("./experiment", "small"),
    callbacks=[RndCallback(), SaverCallback(every_n_batches=4, max_to_keep=None)],
    enable_progress_bar=False,
    log_every_n_steps=1,
)
trainer.fit(MyModule(), exact(loader()))
"""

WAYS = {
    "facade": ["facade.py"],
    "plain": ["plain.py"],
    "fit": [
        *("-m", "thexp_pl", "fit", "--trainer_class", "parts:MyTrainer", "--epoch", "4"),
        *("--device", "cpu", "--exps_dir", "experiment"),
    ],
}

# Lightning is imported once, and each training runs in a fork that is as if started by itself.
RUNNER = """
import gc, json, os, runpy, sys
import pytorch_lightning
gc.freeze()
for folder, words, stop in json.loads(sys.argv[1]):
    child = os.fork()
    if child == 0:
        break
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code == (-9 if stop else 0), (words, code)
else:
    sys.exit()
os.chdir(folder)
os.environ["STOP"] = stop
sys.orig_argv[:] = [sys.executable, *words]
sys.path[0] = folder
if words[0] == "-m":
    sys.argv = words[1:]
    runpy.run_module(words[1], run_name="__main__", alter_sys=True)
else:
    sys.argv = words
    runpy.run_path(words[0], run_name="__main__")
"""


def trained(folder: Path, *trainings: tuple[str, str]) -> list[Path]:
    """Record trainings, each in a project of its own.

    Args:
        folder: Where the projects are made.
        *trainings: The way, and the step at which it is killed, or an empty text.
    """
    import json

    projects = []
    for number, (way, _) in enumerate(trainings):
        project = folder / f"{way}{number}"
        files = {"parts.py": PARTS, "facade.py": FACADE, "plain.py": PLAIN, "pyproject.toml": ""}
        write(project, files)
        projects.append(project)
    jobs = [
        [str(project), WAYS[way], stop]
        for project, (way, stop) in zip(projects, trainings, strict=True)
    ]
    command = [sys.executable, "-c", RUNNER, json.dumps(jobs)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, done.stdout + done.stderr
    return projects


def run_of(project: Path, key: str = "@last") -> Run:
    return ExperimentViewer([project / "experiment"]).run(key)


def history(run: Run) -> list[tuple[Any, ...]]:
    """Give a run's rows without their times, NaN as text."""
    rows: Iterator[tuple[Any, ...]] = read_history(run.paths).rows()
    return [(step, epoch, name, repr(value)) for step, epoch, _, name, value in rows]


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
