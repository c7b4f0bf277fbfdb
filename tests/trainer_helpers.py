"""Small facade Trainers and data for the tests of the trainer, its callbacks and its logger."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch import nn
from torch.optim import SGD
from torch.utils.data import DataLoader, TensorDataset

from thexp_pl import Meter, Params, Trainer
from thexp_pl.record.metrics import read_metrics

torch.set_num_threads(1)  # small tensors: a second thread only waits where cores are busy

SAMPLES, BATCH = 20, 4
BATCHES = SAMPLES // BATCH


def make_data(samples: int = SAMPLES) -> TensorDataset:
    """Give pairs of six numbers and one of three classes, always the same."""
    generator = torch.Generator().manual_seed(7)
    xs = torch.randn(samples, 6, generator=generator)
    return TensorDataset(xs, (xs.sum(1) > 0).long() + (xs[:, 0] > 0.5).long())


def make_loader(shuffle: bool = False, samples: int = SAMPLES) -> DataLoader:
    return DataLoader(make_data(samples), BATCH, shuffle=shuffle)


def make_model() -> nn.Sequential:
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))


def plain_trainer(**options: Any) -> pl.Trainer:
    """Make a Lightning Trainer without a display, on the CPU."""
    quiet = {
        "accelerator": "cpu",
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
    }
    return pl.Trainer(**{**quiet, **options})


def lightnings_own_warnings(test: Any) -> Any:
    """Let pass what Lightning warns of in a plain Trainer, whatever is trained."""
    for message in (
        r".*`isinstance\(treespec, LeafSpec\)` is deprecated",
        ".*does not have many workers",
        ".*is smaller than the logging interval",
    ):
        test = pytest.mark.filterwarnings(f"ignore:{message}")(test)
    return test


class PlainModule(pl.LightningModule):
    """The module of `TinyTrainer`, as a LightningModule that returns a Meter."""

    def __init__(self) -> None:
        super().__init__()
        self.model = make_model()

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        meter = Meter()
        meter.loss = nn.functional.cross_entropy(self.model(batch[0]), batch[1])
        return {"loss": meter.loss, "meter": meter}

    def configure_optimizers(self) -> SGD:
        return SGD(self.parameters(), lr=0.1, momentum=0.9)


class TinyTrainer(Trainer):
    """Three epochs of five batches, unless its parameters say otherwise."""

    def initial_trainer(self, params: Params) -> None:
        self.model = make_model()
        self.optim = SGD(self.model.parameters(), lr=0.1, momentum=0.9)
        loader = make_loader()
        self.regist_databundler(train=loader, eval=loader, test=loader)

    def train_batch(self, eidx, idx, global_step, batch_data, params, device):  # type: ignore[no-untyped-def]
        meter = self.measure(batch_data)
        meter.loss.backward()
        self.optim.step()
        self.optim.zero_grad()
        return meter

    def measure(self, batch_data: Any) -> Meter:
        xs, ys = batch_data
        meter = Meter()
        meter.loss = nn.functional.cross_entropy(self.model(xs), ys)
        return meter


class EvalTrainer(TinyTrainer):
    """As `TinyTrainer`, with an evaluation."""

    def test_eval_logic(self, dataloader: Any, params: Params) -> Meter:
        meter = Meter()
        losses = [self.measure(batch).loss for batch in dataloader]
        meter.loss = torch.stack(losses).mean()
        return meter


_started: list[Any] = []


def start(trainer_class: type[Trainer], root: Path, epoch: int = 3, **options: Any) -> Any:
    """Make a trainer on the CPU and begin its run."""
    params = trainer_class.params_class()()
    params["epoch"], params["device"] = epoch, "cpu"
    trainer = trainer_class(params, **options)
    _started.append(trainer)
    trainer.initial_exp(root)
    return trainer


@pytest.fixture(autouse=True)
def ended_runs() -> Iterator[None]:
    """End the runs of a test with the test."""
    yield
    while _started:
        trainer = _started.pop()
        if trainer._run is not None:
            trainer.experiment.end_exp()


def weights_of(trainer: Any) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in trainer.module.state_dict().items()}


def same_weights(one: Any, two: Any) -> bool:
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


def manifest(trainer: Any) -> dict[str, Any]:
    return json.loads(trainer.experiment.paths.manifest.read_text())


def metrics_of(experiment: Any) -> dict[str, list[tuple[Any, Any, float]]]:
    """End a run and give its metrics: (step, epoch, value) by name."""
    experiment.end_exp()
    rows: dict[str, list[tuple[Any, Any, float]]] = {}
    for step, epoch, _, name, value in read_metrics(experiment.paths.metrics).rows():
        rows.setdefault(name, []).append((step, epoch, value))
    return rows
