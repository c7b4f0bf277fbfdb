"""Random states and positions in each checkpoint, by RndCallback."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader

from benchmarks.harness import Scale, measure
from benchmarks.report import Goal, Report
from benchmarks.timing import nothing
from thexp_pl import rnd
from thexp_pl.callbacks import RndCallback

TITLE = "Random states of a checkpoint"
NOTHING, OURS = "nothing", "RndCallback.state_dict"
BY_HAND = "the generators' own states, by hand"
WHY = (
    "The floor is asking the generators of Python, numpy and torch for their states, each of some"
    " kilobytes; what is above it is the place of each loader in its data, and copies that later"
    " draws do not change. Setting is slower than asking, in torch too."
)


class Module(pl.LightningModule):
    """Trains one batch, so that there is a fit whose states can be taken."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 1)

    def training_step(self, batch: torch.Tensor, batch_idx: int) -> torch.Tensor:
        """Give a loss."""
        return self.layer(batch).sum()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Give the optimizer."""
        return torch.optim.SGD(self.parameters(), lr=0.1)


def report(scale: Scale) -> Report:
    """Measure what a checkpoint takes for it, and the parts of that by themselves."""
    callback = RndCallback()
    trainer = pl.Trainer(
        max_epochs=1,
        accelerator="cpu",
        logger=False,
        callbacks=[callback],
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(Module(), DataLoader(torch.randn(8, 4), 4))
    state = rnd.get_state()
    cases: dict[str, Callable[[], object]] = {
        NOTHING: nothing,
        OURS: callback.state_dict,
        "rnd.get_state": rnd.get_state,
        BY_HAND: by_hand,
        "rnd.set_state": lambda: rnd.set_state(state),
    }
    goals = [Goal(OURS, NOTHING, 0.2, more=True), Goal(OURS, BY_HAND, 2.5)]
    return Report(TITLE, measure(cases, scale), goals, why=WHY)


def by_hand() -> tuple[object, ...]:
    """Ask the generators, as a script does without us."""
    return random.getstate(), np.random.get_state(), torch.get_rng_state()
