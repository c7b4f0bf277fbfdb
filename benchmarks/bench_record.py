"""What recording a run costs: its start and end, the snapshot of its code, each training step."""

from __future__ import annotations

import logging
import os
import subprocess
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from benchmarks.harness import Goal, Report, measure
from thexp_pl import Experiment, Meter, RunLogger
from thexp_pl.callbacks import MeterCallback
from thexp_pl.record.code import take_snapshot

FILES = 2_000
WARM_UP = 100  # with the first values that are logged, which import what writes them
STEPS = 400
DEPTHS = (1, 10, 50)  # layers that stay in the processor's cache
PLAIN = "pl.Trainer.fit of one batch"
RECORDED = "the same, recorded"
SNAPSHOT, STATUS = "snapshot, nothing changed", "git status of the same files"
NOTHING = "nothing"


class Net(pl.LightningModule):
    """Layers small enough that a step's time is that of the processor, not of the memory."""

    def __init__(self, depth: int) -> None:
        super().__init__()
        layers = [torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.ReLU())] * depth
        self.layers = torch.nn.Sequential(*layers)

    def training_step(self, batch: torch.Tensor, batch_idx: int) -> Any:
        """Measure ten values, whoever wants them."""
        loss = self.layers(batch).square().mean()
        meter = Meter()
        for index in range(10):
            setattr(meter, f"value{index}", loss.detach())
        return {"loss": loss, "meter": meter}

    def configure_optimizers(self) -> Any:
        """Use plain SGD."""
        return torch.optim.SGD(self.parameters(), 0.01)


def project(folder: Path) -> Path:
    """Make a git repository of many files, all committed."""
    for number in range(FILES):
        path = folder / f"package{number % 40}" / f"module{number}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"VALUE = {number}\n" * 20)
    identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
    for words in (["init", "-q"], ["add", "."], [*identity, "commit", "-qm", "all"]):
        subprocess.run(["git", *words], cwd=folder, check=True)
    return folder


class Clock(pl.Callback):
    """Times the steps of a training, without what comes before and after them."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._start = 0.0

    def on_train_batch_start(self, *args: Any) -> None:
        """Begin once the first steps are done, which are slower."""
        if args[-1] == WARM_UP:
            self._start = time.perf_counter()

    def on_train_batch_end(self, *args: Any) -> None:
        """Stop after the last one; the callbacks that record come before this one."""
        if args[-1] == WARM_UP + STEPS - 1:
            self.seconds = (time.perf_counter() - self._start) / STEPS


def train(root: Path, folder: Path, depth: int, steps: int, recorded: bool) -> float:
    """Train on batches that are ready; give the seconds of a step."""
    batches = DataLoader([torch.randn(256, 64)] * steps, batch_size=None)
    clock, logger, meters = Clock(), None, []
    if recorded:
        experiment = Experiment(root, "a", project=folder)
        experiment.start_exp()
        logger, meters = RunLogger(experiment=experiment), [MeterCallback()]
    trainer = pl.Trainer(
        max_epochs=1,
        logger=logger or False,
        callbacks=[*meters, clock],
        accelerator="cpu",
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
    )
    trainer.fit(Net(depth), batches)
    if recorded:
        experiment.end_exp()
    return clock.seconds


def report(repeats: int) -> Report:
    """Measure on a project of 2,000 files."""
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["THEXP_HOME"] = f"{scratch}/home"
        root, folder = Path(scratch, "exp"), project(Path(scratch, "project"))
        cases: dict[str, Callable[[], object]] = {
            PLAIN: lambda: train(root, folder, 1, 1, False),
            RECORDED: lambda: train(root, folder, 1, 1, True),
            NOTHING: lambda: None,
            SNAPSHOT: lambda: take_snapshot(folder, root),
            STATUS: lambda: subprocess.run(
                ["git", "status"], cwd=folder, stdout=subprocess.DEVNULL, check=True
            ),
        }
        rounds = max(repeats // 5, 3)
        seconds = measure(cases, rounds)
        goals = [Goal(RECORDED, PLAIN, 150, more=True), Goal(SNAPSHOT, NOTHING, 50, more=True)]
        for depth in DEPTHS:
            plain, recorded = f"a step, depth {depth}", f"a step, depth {depth}, recorded"
            goals.append(Goal(recorded, plain, 1.02))
            for _ in range(rounds):
                for case in (plain, recorded):
                    taken = train(root, folder, depth, WARM_UP + STEPS, case == recorded)
                    seconds.setdefault(case, []).append(taken)
    logging.disable(logging.NOTSET)
    return Report("Recording a run", seconds, goals)
