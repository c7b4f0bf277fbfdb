"""Random states and positions in each checkpoint, by RndCallback."""

from __future__ import annotations

from collections.abc import Callable

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader

from benchmarks.harness import Goal, Report, measure
from thexp_pl import rnd
from thexp_pl.callbacks import RndCallback

TITLE = "Random states of a checkpoint"


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


def report(repeats: int) -> Report:
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
        "nothing": lambda: None,
        "RndCallback.state_dict": callback.state_dict,
        "rnd.get_state": rnd.get_state,
        "rnd.set_state": lambda: rnd.set_state(state),
    }
    goal = Goal("RndCallback.state_dict", "nothing", 0.2, more=True)
    return Report(TITLE, measure(cases, repeats), [goal])
