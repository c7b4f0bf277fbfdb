"""What a training step costs above a loop without any framework, with 1, 10 and 50 values."""

from __future__ import annotations

import contextlib
import importlib
import io
import logging
import os
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytorch_lightning as pl
import torch
from torch import nn
from torch.optim import SGD
from torch.utils.data import DataLoader

from benchmarks.bench_meter import thexp_frame
from benchmarks.harness import Goal, Report
from thexp_pl import Meter, Params, Trainer

WARM_UP = 100  # with the first values that are shown and logged
STEPS = 400
VALUES = (1, 10, 50)
RAW = "the raw loop itself"
FACADE, LIGHTNING = "facade", "Lightning, each value by self.log"
THEXP, SHOWING = "thexp", "thexp with its line"


class Work:
    """One step on a small model; a clock that runs from one step to another."""

    def __init__(self, values: int) -> None:
        torch.manual_seed(0)
        self.model = nn.Sequential(*[nn.Sequential(nn.Linear(64, 64), nn.ReLU()) for _ in range(4)])
        self.optim = SGD(self.model.parameters(), lr=0.01, momentum=0.9)
        self.names = [f"value{index}" for index in range(values)]
        self.step = 0
        self.seconds = 0.0
        self._start = 0.0

    def batches(self) -> DataLoader[Any]:
        """Give batches that are ready."""
        data = [torch.randn(64, 64)] * (WARM_UP + STEPS + 1)
        return DataLoader(data, batch_size=None)  # type: ignore[arg-type]

    def tick(self) -> None:
        """Begin at one step and end at another; all cases call it at the same place."""
        if self.step == WARM_UP:
            self._start = time.perf_counter()
        elif self.step == WARM_UP + STEPS:
            self.seconds = (time.perf_counter() - self._start) / STEPS
        self.step += 1

    def loss(self, batch: torch.Tensor) -> torch.Tensor:
        """Run the forward pass."""
        return self.model(batch).square().mean()

    def train(self, batch: torch.Tensor) -> torch.Tensor:
        """Take a step as a user writes it."""
        loss = self.loss(batch)
        loss.backward()
        self.optim.step()
        self.optim.zero_grad()
        return loss

    def recorded(self, meter: Any, batch: torch.Tensor) -> Any:
        """Take a step and put its values into a meter."""
        self.tick()
        value = self.train(batch).detach()
        for name in self.names:
            setattr(meter, name, value)
        return meter


def raw(values: int) -> float:
    """Train in a plain loop that records nothing."""
    work = Work(values)
    for batch in work.batches():
        work.tick()
        work.train(batch)
    return work.seconds


def facade(values: int, root: Path) -> float:
    """Train with everything that the facade records, shows and saves by default."""
    work = Work(values)

    class Case(Trainer):
        def initial_trainer(self, params: Params) -> None:
            self.model, self.optim = work.model, work.optim
            self.regist_databundler(train=work.batches())

        def train_batch(self, eidx: int, idx: int, global_step: int, batch: Any, *_: Any) -> Any:
            return work.recorded(Meter(), batch)

    trainer = Case(max_epochs=1, accelerator="cpu")
    trainer.initial_exp(root)
    trainer.train()
    trainer.experiment.end_exp()
    return work.seconds


def lightning(values: int) -> float:
    """Train with a `self.log` for each value, and nothing else."""
    work = Work(values)

    class Case(pl.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.model = work.model

        def training_step(self, batch: Any, batch_idx: int) -> Any:
            work.tick()
            loss = work.loss(batch)
            for name in work.names:
                self.log(name, loss.detach(), on_step=True, on_epoch=True)
            return loss

        def configure_optimizers(self) -> Any:
            return work.optim

    trainer = pl.Trainer(
        max_epochs=1,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(Case(), work.batches())
    return work.seconds


def thexp_epoch(frame: Any, values: int, shows: bool) -> float:
    """Train by thexp's own epoch, with or without its line for every step.

    Args:
        frame: The package ``thexp.frame``.
        values: How many are recorded.
        shows: Whether the two callbacks are hooked that its Trainer hooks by default.
    """
    work = Work(values)

    class Case(frame.Trainer):  # type: ignore[misc]
        def train_batch(self, eidx: int, idx: int, global_step: int, batch: Any, *_: Any) -> Any:
            return work.recorded(frame.Meter(), batch)

    params = frame.Params()
    params.device = "cpu"
    trainer = Case(params)
    trainer.regist_train_databundler(work.batches())
    if shows:
        trainer.logger = frame.Logger()
        trainer.experiment = SimpleNamespace(exp_dir=".")
        callbacks = importlib.import_module("thexp.frame.callbacks")
        callbacks.EvalCallback(5, 5).hook(trainer)  # not due after this epoch
        callbacks.LoggerCallback().hook(trainer)
    trainer.train_epoch(1, params)
    return work.seconds


def measured(frame: Any, repeats: int, root: Path) -> dict[str, list[float]]:
    """Give by name what each kind of loop adds to the raw one, round by round."""
    kinds: dict[str, Callable[[int], float]] = {
        FACADE: lambda values: facade(values, root),
        LIGHTNING: lightning,
    }
    if frame is not None:
        kinds[THEXP] = lambda values: thexp_epoch(frame, values, shows=False)
        kinds[SHOWING] = lambda values: thexp_epoch(frame, values, shows=True)
    seconds: dict[str, list[float]] = {RAW: []}
    for _ in range(repeats):
        for values in VALUES:
            without = raw(values)
            seconds[RAW].append(without)
            for kind, train in kinds.items():
                name = named(kind, values)
                seconds.setdefault(name, []).append(train(values) - without)
    return seconds


def named(kind: str, values: int) -> str:
    """Name a case."""
    return f"{kind}, {values} value{'s' if values > 1 else ''}"


def report(repeats: int) -> Report:
    """Measure each kind of loop in turn."""
    absent: list[str] = []
    frame = thexp_frame(absent)
    with tempfile.TemporaryDirectory() as scratch, _quiet():
        os.environ["THEXP_HOME"] = f"{scratch}/home"
        seconds = measured(frame, max(repeats // 5, 3), Path(scratch, "exp"))
    # the callbacks that thexp hooks by itself show a line, as the facade's do
    goals = [
        Goal(named(FACADE, 10), named(against, 10), limit)
        for against, limit in ((SHOWING, 1.0), (LIGHTNING, 0.12))
    ]
    return Report("A step, above the raw loop", seconds, goals, absent)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    logging.disable(logging.WARNING)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield
    logging.disable(logging.NOTSET)
