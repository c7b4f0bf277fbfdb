"""A loader that knows its place, a callback that saves everywhere, and how to compare."""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Checkpoint
from trainer_helpers import make_data

from thexp_pl.callbacks.after import after_module_hook

BATCHES = 4
DATA = make_data(4 * BATCHES)


class Loader:
    """A loader of the user's own: a new order each epoch, and samples changed at random."""

    def __init__(self) -> None:
        self.epoch, self.done, self.read = 0, 0, []

    def __iter__(self) -> Iterator[Any]:
        self.load_state_dict(Loader.state_dict(self))  # an epoch that is through is the next one
        order = np.random.RandomState(self.epoch).permutation(len(DATA)).reshape(BATCHES, -1)
        while self.done < BATCHES:
            self.done += 1
            self.read.append((self.epoch, self.done))
            xs, ys = zip(*(DATA[index] for index in order[self.done - 1]), strict=True)
            yield torch.stack(xs) + self.noise(), torch.stack(ys)

    def noise(self) -> torch.Tensor:
        return torch.rand(1) * random.random() * np.random.rand()

    def state_dict(self) -> dict[str, int]:
        batches = self.epoch * BATCHES + self.done
        return {"epoch": batches // BATCHES, "done": batches % BATCHES}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.epoch, self.done = state["epoch"], state["done"]


class Sized(Loader):
    def __len__(self) -> int:
        return BATCHES


class SaveEach(Checkpoint):
    """Saves after every batch, or where a validation is due once that has ended, and each epoch."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        for hook in ("on_train_batch_end", "on_validation_end"):
            after_module_hook(pl_module, hook, partial(self.save, trainer, hook))

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.save(trainer, "on_train_epoch_end")

    def save(self, trainer: pl.Trainer, hook: str) -> None:
        loop = trainer.fit_loop
        validates = loop.epoch_loop._should_check_val_fx(loop._data_fetcher)
        if hook != "on_train_batch_end" or not (validates or loop.epoch_loop._is_training_done):
            step = loop.epoch_loop.batch_progress.total.processed
            trainer.save_checkpoint(self.folder / f"{step}.{hook}.ckpt")


def same(one: Any, two: Any) -> bool:
    if isinstance(one, torch.Tensor):
        return torch.equal(one, two)
    if isinstance(one, dict):
        return one.keys() == two.keys() and all(same(one[key], two[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(two) and all(map(same, one, two))
    return bool(one == two)
