"""What the start and the end of a recorded run cost, in roots that hold few runs and many."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from benchmarks.harness import Scale, in_turn
from benchmarks.loops import own_home
from benchmarks.projects import make_project
from benchmarks.report import Goal, Growth, Report
from benchmarks.stores import make_store
from benchmarks.timing import timed
from thexp_pl import Experiment, RunLogger
from thexp_pl.callbacks import MeterCallback

FILES = 2_000
RUNS, QUICK_RUNS = (10, 1_000, 10_000), (10, 100)
PLAIN, RECORDED = "pl.Trainer.fit of one batch", "the same, recorded"
WHY = """\
The floor is Lightning's own start. What a recorded run adds is, for the largest part, the snapshot
of the code, which waits for git to look at every file; the rest asks for the facts of the machine
and the packages, watches the folder, and writes the manifest at the start and at the end."""


class Net(pl.LightningModule):
    """As little to train as can be."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(4, 1)

    def training_step(self, batch: torch.Tensor, batch_idx: int) -> Any:
        """Take a step."""
        return self.layer(batch).square().mean()

    def configure_optimizers(self) -> Any:
        """Use plain SGD."""
        return torch.optim.SGD(self.parameters(), 0.01)


def fit(logger: RunLogger | None) -> None:
    """Train on one batch."""
    trainer = pl.Trainer(
        max_epochs=1,
        logger=logger or False,
        callbacks=[MeterCallback()] if logger else [],
        accelerator="cpu",
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
    )
    trainer.fit(Net(), DataLoader([torch.randn(2, 4)], batch_size=None))  # type: ignore[arg-type]


def recorded(root: Path, project: Path) -> float:
    """Record a training of one batch; give its seconds, and take the run away."""
    experiment = Experiment(root, "a", project=project)

    def train() -> None:
        experiment.start_exp()
        fit(RunLogger(experiment=experiment))
        experiment.end_exp()

    return timed(train, lambda: shutil.rmtree(root / "a"))


def named(runs: int) -> str:
    """Name the case of a root."""
    return f"{RECORDED}, {runs:,} runs in the root"


def report(scale: Scale) -> Report:
    """Measure on a project of 2,000 files."""
    sizes = scale.pick(RUNS, QUICK_RUNS)
    with own_home() as scratch:
        scratch.mkdir()
        project = make_project(scratch / "project", scale.pick(FILES, FILES // 20))
        cases = {PLAIN: partial(timed, partial(fit, None))}
        for runs in sizes:
            root = make_store(scratch / f"root{runs}", runs)
            cases[named(runs)] = partial(recorded, root, project)
        for case in cases.values():  # what is imported, and the first snapshot
            case()
        seconds = in_turn(cases, scale.rounds(2))
    goals = [Goal(named(runs), PLAIN, 150, more=True) for runs in sizes]
    growths = [Growth("A recorded run", "runs in the root", {n: named(n) for n in sizes})]
    title = "The start and the end of a recorded run"
    return Report(title, seconds, goals, growths=growths, why=WHY.replace("\n", " "))
