"""A user's project and the command line, for the tests of the training commands."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

PACKAGE = Path(__file__).parents[1]

FACADE = '''
import torch
from torch.utils.data import DataLoader, TensorDataset
from thexp_pl import Meter, Params, Trainer


class MyParams(Params):
    """Parameters.

    Args:
        kind: Which way.
        drop: The rate of dropout, 50% by %(default)s.
    """

    def __init__(self):
        super().__init__()
        self.epoch = 2
        self.choice("kind", "quick", "slow")
        self.choice("size", 1, 2.5)
        self.arange("drop", 0.5, 0, 1)
        self.optim_option(lr=0.05, betas=(0.9, 0.99), nesterov=False)
        self.label = "x"
        self.maybe = None
        self.width = 4


def make_loader(size=8, shuffle=False):
    generator = torch.Generator().manual_seed(0)
    xs = torch.randn(64, 4, generator=generator)
    return DataLoader(
        TensorDataset(xs, xs.sum(1, keepdim=True)), batch_size=size, shuffle=shuffle
    )


class MyTrainer(Trainer):
    def initial_trainer(self, params: MyParams):
        loader = make_loader()
        self.regist_databundler(train=make_loader(shuffle=True), eval=loader, test=loader)
        self.model = torch.nn.Sequential(
            torch.nn.Linear(4, params.width), torch.nn.Linear(params.width, 1)
        )
        self.optim = torch.optim.SGD(self.model.parameters(), lr=params.optim.lr)

    def measure(self, batch):
        meter = Meter()
        meter.loss = ((self.model(batch[0]) - batch[1]) ** 2).mean()
        return meter

    def train_batch(self, eidx, idx, global_step, batch_data, params, device):
        meter = self.measure(batch_data)
        meter.loss.backward()
        self.optim.step()
        self.optim.zero_grad()
        return meter

    def test_eval_logic(self, dataloader, params):
        return self.measure(next(iter(dataloader)))

    def predict(self, batch_data):
        return self.model(batch_data[0])


class OtherTrainer(MyTrainer):
    def initial_trainer(self, params: MyParams):
        super().initial_trainer(params)
        self.model = torch.nn.Linear(4, 1)
        self.optim = torch.optim.SGD(self.model.parameters(), lr=params.optim.lr)


class NoTrainer:
    pass
'''

LIGHTNING = """
import pytorch_lightning as pl
import torch
from mine import MyParams, make_loader


class Bare(pl.LightningModule):
    def __init__(self, lr: float = 0.1, hidden: int = 3):
        super().__init__()
        self.save_hyperparameters()
        self.layer = torch.nn.Linear(4, 1)

    def training_step(self, batch, batch_idx):
        loss = ((self.layer(batch[0]) - batch[1]) ** 2).mean()
        self.log("loss", loss, on_epoch=True)
        return loss

    def validation_step(self, batch, batch_idx):
        self.log("val_loss", ((self.layer(batch[0]) - batch[1]) ** 2).mean())

    def test_step(self, batch, batch_idx):
        self.log("test_loss", ((self.layer(batch[0]) - batch[1]) ** 2).mean())

    def predict_step(self, batch, batch_idx):
        return self.layer(batch[0])

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=self.hparams.lr)


class Loaders:
    def train_dataloader(self):
        return make_loader(shuffle=True)

    def val_dataloader(self):
        return make_loader()

    def test_dataloader(self):
        return make_loader()

    def predict_dataloader(self):
        return make_loader()


class Model(Loaders, Bare):
    pass


class Data(Loaders, pl.LightningDataModule):
    def __init__(self, size: int = 8):
        super().__init__()


class WithParams(pl.LightningModule):
    def __init__(self, params: MyParams, extra: int = 3):
        super().__init__()
        self.params, self.extra = params, extra
        self.layer = torch.nn.Linear(4, 1)

    def train_dataloader(self):
        return make_loader(shuffle=True)

    def training_step(self, batch, batch_idx):
        return ((self.layer(batch[0]) - batch[1]) ** 2).mean()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=self.params.optim.lr)


class NoModule:
    pass


class FailingModel(Model):
    def __init__(self):
        raise ValueError("the user's own, in a model")


class FailingStep(Model):
    def training_step(self, batch, batch_idx):
        raise ValueError("the user's own, in a step")
"""

# Lightning's console output is not what is tested
QUIET = ("--trainer.enable_progress_bar=false", "--trainer.enable_model_summary=false")


@dataclass
class Ended:
    """How a command ended."""

    code: int | str | None
    out: str
    err: str

    @property
    def run(self) -> Path:
        """The folder of the run that the command recorded."""
        return Path(next(line for line in self.out.splitlines() if line[:5] == "run: ")[6:])

    def refusal(self) -> str:
        """The one line of a command that was refused before anything was done."""
        assert self.code == 2, self.err
        assert "run: " not in self.out
        return self.line()

    def line(self) -> str:
        """The one line on stderr."""
        assert self.err.count("\n") == 1, self.err
        assert self.err.startswith("error: ")
        return self.err[len("error: ") : -1]

    def yaml(self) -> dict[str, Any]:
        """What the command printed, read as YAML."""
        assert self.code == 0, self.err
        return yaml.safe_load(self.out)


class CommandLine:
    """``thexp-pl`` in this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *words: str) -> Ended:
        from thexp_pl.cli.main import main

        code: int | str | None
        self._capsys.readouterr()
        try:
            code = main(words)
        except SystemExit as ending:
            code = ending.code
        return Ended(code, *self._capsys.readouterr())

    def mine(self, *words: str) -> Ended:
        """Train the project's facade."""
        return self("fit", "--trainer_class=mine:MyTrainer", *words)


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder of the user's modules ``mine`` and ``lit``."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "mine.py").write_text(FACADE)
    (folder / "lit.py").write_text(LIGHTNING)
    return folder


@pytest.fixture
def thexp_pl(
    project: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[CommandLine]:
    """Give the command line, in an empty folder and with the project's modules at hand."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(project)
    for name in [name for name in os.environ if name.startswith("PL_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("THEXP_DEBUG", "0")
    environment = dict(os.environ)
    yield CommandLine(capsys)
    os.environ.clear()
    os.environ.update(environment)  # seeding leaves variables behind


def in_process(project: Path, *words: str, cwd: Path, **options: Any) -> Ended:
    """Run ``python -m thexp_pl`` in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "thexp_pl", *words], cwd=cwd, capture_output=True, text=True,
        env=environment(project), timeout=300, **options,
    )  # fmt: skip
    return Ended(done.returncode, done.stdout, done.stderr)


def environment(project: Path) -> dict[str, str]:
    """Give the environment of a process that finds the package and the project."""
    own = {
        "PYTHONPATH": f"{PACKAGE}{os.pathsep}{project}",
        "PYTHONUNBUFFERED": "",
        "OMP_NUM_THREADS": "1",  # more would only wait for one another on small tensors
    }
    return {**os.environ, **own}


def metrics(run: Path) -> list[tuple[str, str, str, str]]:
    """Give step, epoch, name and value of each row, without the times."""
    with (run / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return [(row["step"], row["epoch"], row["name"], row["value"]) for row in rows]


def manifest(run: Path) -> dict[str, Any]:
    """Give a run's manifest."""
    return json.loads((run / "run.json").read_text())
