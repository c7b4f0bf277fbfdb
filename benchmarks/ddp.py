"""The same training on two processes, written in each of the ways that are compared."""

from __future__ import annotations

import itertools
import logging
import os
import time
import warnings
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from typing import Any

import pytorch_lightning as pl
import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from thexp_pl import Params, Trainer

__all__ = ["run_rank"]


class Clock:
    """Times the steps of an epoch but for the first ones.

    Args:
        steps: How many there are.
    """

    def __init__(self, steps: int) -> None:
        self.seconds = 0.0
        self._steps = steps
        self._first = steps // 3
        self._done = 0
        self._start = 0.0

    def tick(self) -> None:
        """Note that a step begins; all loops call it at the same place."""
        self._done += 1
        if self._done == self._first:
            self._start = time.perf_counter()
        elif self._done == self._steps:
            self.seconds = (time.perf_counter() - self._start) / (self._steps - self._first)
            self._done = 0


class Work:
    """One step on linear layers of some widths, with batches that are each process's own.

    Args:
        widths: Of what goes in, of what lies between, of what comes out.
        steps: How many an epoch has.
    """

    shares_itself = True

    def __init__(self, widths: tuple[int, ...], steps: int) -> None:
        layers: list[nn.Module] = []
        for before, after in itertools.pairwise(widths):
            layers += [nn.Linear(before, after), nn.ReLU()]
        self.model = nn.Sequential(*layers[:-1])
        self.optim = torch.optim.SGD(self.model.parameters(), lr=0.01)
        self.clock = Clock(steps)
        self._batches = [torch.randn(16, widths[0])] * steps

    def __len__(self) -> int:
        return len(self._batches)

    def __iter__(self) -> Iterator[torch.Tensor]:
        return iter(self._batches)

    def loss(self, batch: torch.Tensor, model: nn.Module | None = None) -> torch.Tensor:
        """Begin a step by its forward pass."""
        self.clock.tick()
        result: torch.Tensor = (model or self.model)(batch).square().mean()
        return result


class Module(pl.LightningModule):
    """Calls manual_backward, which is what Lightning's own "ddp" synchronises by."""

    def __init__(self, work: Work) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.model = work.model
        self._work = work

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Give the optimizer."""
        return self._work.optim

    def training_step(self, batch: torch.Tensor, batch_idx: int) -> None:
        """Train on one batch."""
        optimizer = self.optimizers()
        self.manual_backward(self._work.loss(batch))
        optimizer.step()  # type: ignore[union-attr]
        optimizer.zero_grad()  # type: ignore[union-attr]


class FacadeTrainer(Trainer):
    """Does the same through the facade."""

    _work: Work

    def initial_callback(self) -> None:
        """Show nothing."""

    def initial_trainer(self, params: Any) -> None:
        """Take the model."""
        self.model, self.optim = self._work.model, self._work.optim
        self.regist_databundler(train=self._work)

    def train_batch(self, eidx: int, idx: int, global_step: int, batch_data: Any, *_: Any) -> None:
        """Train on one batch."""
        self._work.loss(batch_data).backward()
        self.optim.step()
        self.optim.zero_grad()


def plain(work: Work) -> Callable[[], None]:
    """Give what trains one epoch more without any framework."""
    model = DistributedDataParallel(work.model)

    def epoch() -> None:
        for batch in work:
            work.loss(batch, model).backward()
            work.optim.step()
            work.optim.zero_grad()

    return epoch


def bare(work: Work) -> Callable[[], None]:
    """Give what trains one epoch more through Lightning's own "ddp"."""
    trainer = pl.Trainer(
        accelerator="cpu",
        devices=distributed.get_world_size(),
        strategy="ddp",
        max_epochs=0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
    )
    module = Module(work)

    def epoch() -> None:
        trainer.fit_loop.max_epochs += 1  # type: ignore[operator]
        trainer.fit(module, work)

    return epoch


def facade(work: Work) -> Callable[[], None]:
    """Give what trains one epoch more through the facade."""
    params = Params()
    params.epoch, params.device = 0, "cpu"
    trainer = FacadeTrainer(
        params,
        accelerator="cpu",
        devices=distributed.get_world_size(),
        strategy="ddp",
        enable_checkpointing=False,
    )
    trainer._work = work
    trainer.initial_exp("experiment", code=False, console=False, board=False)

    def epoch() -> None:
        params.epoch += 1
        trainer.train()

    return epoch


_LOOPS = {"plain": plain, "bare": bare, "facade": facade}


def run_rank(rank: int, world: int, folder: str, steps: int, asked: Connection) -> None:
    """Be one of the processes: train an epoch of each case that is asked for, until asked for None.

    Args:
        rank: Its number.
        world: How many there are.
        folder: Where they meet, and where the facade records.
        steps: How many an epoch has.
        asked: Where a case comes from, the kind of loop and the widths of its model, and where the
            seconds of a step go to.
    """
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    os.environ |= {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "GROUP_RANK": "0",
        "WORLD_SIZE": str(world),
        "LOCAL_WORLD_SIZE": str(world),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": "29500",  # nobody listens: the processes are connected below
        "TORCHELASTIC_RUN_ID": "none",
        "THEXP_HOME": folder,
    }
    os.chdir(folder)
    store = f"file://{folder}/store"
    distributed.init_process_group("gloo", init_method=store, rank=rank, world_size=world)
    made: dict[Any, tuple[Work, Callable[[], None]]] = {}
    while case := asked.recv():
        loop, widths = case
        if case not in made:
            work = Work(widths, steps)
            made[case] = work, _LOOPS[loop](work)
        work, epoch = made[case]
        epoch()
        asked.send(work.clock.seconds)
