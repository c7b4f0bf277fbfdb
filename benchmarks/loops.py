"""The same training, written in each of the ways that are compared."""

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
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytorch_lightning as pl
import torch
from torch import nn
from torch.optim import SGD
from torch.utils.data import DataLoader

from thexp_pl import Meter, Params, RunLogger, Trainer
from thexp_pl.callbacks import MeterCallback, RndCallback, SaverCallback

__all__ = [
    "Task",
    "facade",
    "own_home",
    "raw",
    "thexp_epoch",
    "with_callbacks",
    "with_self_log",
]


@dataclass(frozen=True)
class Task:
    """What is trained: layers of a width on batches that are ready.

    Args:
        values: How many are recorded in a step.
        steps: How many are timed.
        warm_up: How many come before, with the first values that are shown and logged.
        depth: The layers.
        width: Of each layer.
        rows: Of a batch.
        device: Where.
        clock: What is read at the beginning and the end of the timed steps.
    """

    values: int = 10
    steps: int = 400
    warm_up: int = 100
    depth: int = 4
    width: int = 64
    rows: int = 64
    device: str = "cpu"
    clock: Callable[[], float] = time.perf_counter


class Work:
    """One step of a task; a clock that runs from one step to another.

    Args:
        task: The task.
    """

    def __init__(self, task: Task) -> None:
        torch.manual_seed(0)
        layers = [
            nn.Sequential(nn.Linear(task.width, task.width), nn.ReLU()) for _ in range(task.depth)
        ]
        self.model = nn.Sequential(*layers).to(task.device)
        self.optim = SGD(self.model.parameters(), lr=0.01, momentum=0.9)
        self.names = [f"value{index}" for index in range(task.values)]
        self.seconds = 0.0
        self.task = task
        self._step = 0
        self._start = 0.0

    def batches(self) -> DataLoader[Any]:
        """Give batches that are ready."""
        task = self.task
        batch = torch.randn(task.rows, task.width, device=task.device)
        data = [batch] * (task.warm_up + task.steps + 1)
        return DataLoader(data, batch_size=None)  # type: ignore[arg-type]

    def tick(self) -> None:
        """Begin at one step and end at another; all loops call it at the same place."""
        task = self.task
        if self._step == task.warm_up:
            self._start = task.clock()
        elif self._step == task.warm_up + task.steps:
            self.seconds = (task.clock() - self._start) / task.steps
        self._step += 1

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

    def filled(self, meter: Any, loss: torch.Tensor) -> Any:
        """Put the step's values into a meter."""
        value = loss.detach()
        for name in self.names:
            setattr(meter, name, value)
        return meter

    def recorded(self, meter: Any, batch: torch.Tensor) -> Any:
        """Take a step and put its values into a meter."""
        self.tick()
        return self.filled(meter, self.train(batch))


def raw(task: Task) -> float:
    """Train in a plain loop that records nothing; as all here, give the seconds of a step."""
    work = Work(task)
    for batch in work.batches():
        work.tick()
        work.train(batch)
    return work.seconds


def facade(task: Task, root: Path) -> float:
    """Train with everything that the facade records, shows and saves by default."""
    work = Work(task)

    class Case(Trainer):
        def initial_trainer(self, params: Params) -> None:
            self.model, self.optim = work.model, work.optim
            self.regist_databundler(train=work.batches())

        def train_batch(self, eidx: int, idx: int, global_step: int, batch: Any, *_: Any) -> Any:
            return work.recorded(Meter(), batch)

    params = Params()
    params.device = task.device
    trainer = Case(params, max_epochs=1)
    trainer.initial_exp(root)
    trainer.train()
    trainer.experiment.end_exp()
    return work.seconds


class _Module(pl.LightningModule):
    """Lightning's own loop around the work."""

    def __init__(self, work: Work) -> None:
        super().__init__()
        self.model = work.model
        self._work = work

    def configure_optimizers(self) -> Any:
        """Give the optimizer."""
        return self._work.optim


class _SelfLog(_Module):
    """Logs each value by itself."""

    def training_step(self, batch: torch.Tensor, batch_idx: int) -> Any:
        """Take a step."""
        self._work.tick()
        loss = self._work.loss(batch)
        for name in self._work.names:
            self.log(name, loss.detach(), on_step=True, on_epoch=True)
        return loss


class _Metered(_Module):
    """Gives its values in a Meter, whoever wants them."""

    def training_step(self, batch: torch.Tensor, batch_idx: int) -> Any:
        """Take a step."""
        self._work.tick()
        loss = self._work.loss(batch)
        return {"loss": loss, "meter": self._work.filled(Meter(), loss)}


def with_self_log(task: Task) -> float:
    """Train by Lightning with a `self.log` for each value, and nothing else."""
    return _fit(_SelfLog(work := Work(task)), work)


def with_callbacks(task: Task, root: Path | None, *, everything: bool = False) -> float:
    """Train by Lightning with our callbacks.

    Args:
        task: What is trained.
        root: Of the experiments; None: each step gives its Meter, and nobody takes it.
        everything: Random states, checkpoints, a snapshot of the code and the board as well.
    """
    module = _Metered(work := Work(task))
    if root is None:
        return _fit(module, work)
    logger = RunLogger(root, "a", board=everything, code=everything)
    options: dict[str, Any] = {"callbacks": [MeterCallback()]}
    if everything:
        options = {
            "callbacks": [MeterCallback(), RndCallback(), SaverCallback()],
            "enable_checkpointing": True,
        }
    seconds = _fit(module, work, logger=logger, **options)
    logger.experiment.end_exp()
    return seconds


def _fit(module: _Module, work: Work, **options: Any) -> float:
    batches = work.batches()
    trainer = pl.Trainer(
        max_epochs=1,
        accelerator="cpu" if work.task.device == "cpu" else "gpu",
        devices=1,
        enable_progress_bar=False,
        enable_model_summary=False,
        **{"logger": False, "enable_checkpointing": False, **options},
    )
    trainer.fit(module, batches)
    return work.seconds


def thexp_epoch(frame: Any, task: Task, *, shows: bool) -> float:
    """Train by thexp's own epoch, with or without its line for every step.

    Args:
        frame: The package ``thexp.frame``.
        task: What is trained.
        shows: Whether the two callbacks are hooked that its Trainer hooks by default.
    """
    work = Work(task)

    class Case(frame.Trainer):  # type: ignore[misc]
        def train_batch(self, eidx: int, idx: int, global_step: int, batch: Any, *_: Any) -> Any:
            return work.recorded(frame.Meter(), batch)

    params = frame.Params()
    params.device = task.device
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


@contextlib.contextmanager
def own_home() -> Iterator[Path]:
    """Give a root for experiments that no other home knows, and keep the terminal quiet."""
    logging.disable(logging.WARNING)
    with (
        tempfile.TemporaryDirectory() as scratch,
        patch.dict(os.environ, THEXP_HOME=f"{scratch}/home"),
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        yield Path(scratch, "exp")
    logging.disable(logging.NOTSET)
