"""The command line in a forked child, for trainings that are killed and gone on with by command."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytorch_lightning  # noqa: F401 - imported once, before any fork
import torch

import thexp_pl.cli.training  # noqa: F401 - likewise
from thexp_pl.cli.main import main

torch.set_num_threads(1)

PROJECT = """
import glob, os, signal, time
import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from thexp_pl import Params, Trainer


def loader():
    xs = torch.linspace(-1, 1, 24).reshape(24, 1)
    return DataLoader(TensorDataset(xs, xs ** 2), 4, shuffle=True)


def network():
    return nn.Sequential(nn.Linear(1, 8), nn.Dropout(0.2), nn.Linear(8, 1))


def meet(step):
    number, _, at = os.environ.get("STOP", "").partition("@")
    if at and int(at) == step:
        while not glob.glob("experiment/*/*/modules/[!.]*.json"):  # written in the background
            time.sleep(0.01)
        os.kill(os.getpid(), int(number))


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
        self.log("loss", loss, on_epoch=True)
        return loss

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05, momentum=0.9)


class MyData(pl.LightningDataModule):
    def train_dataloader(self):
        return loader()
"""


def command(words: list[str], folder: str, stop: str = "") -> None:
    """Run a command in a folder, and leave the process with its code."""
    os.chdir(folder)
    os.environ["STOP"] = stop
    os.environ["THEXP_HOME"] = str(Path(folder) / "home")
    sys.path.insert(0, folder)
    sys.exit(main(words))
