"""A step on two processes over gloo: the facade's averaging against Lightning's own "ddp"."""

from __future__ import annotations

import itertools
import json
import logging
import multiprocessing
import os
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch import distributed, nn

from benchmarks.bench_loader import all_processors
from benchmarks.harness import Goal, Report
from thexp_pl import Params, Trainer

STEPS, FIRST = 60, 20  # batches an epoch, and how many of them are not timed
MODELS = {
    "small, 3 thousand numbers": (32, 64, 10),
    "mid-size, 3.7 million": (512, 1536, 1536, 256),
}
BARE, FACADE = "Lightning ddp, manual_backward", "facade, raw backward"
WORLD = 2


def network(sizes: tuple[int, ...]) -> nn.Sequential:
    """Make a network of linear layers."""
    layers: list[nn.Module] = []
    for before, after in itertools.pairwise(sizes):
        layers += [nn.Linear(before, after), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


class Batches:
    """The same batch again and again, on each process its own."""

    shares_itself = True

    def __init__(self, width: int) -> None:
        self.batch = torch.randn(16, width)

    def __len__(self) -> int:
        return STEPS

    def __iter__(self) -> Any:
        return iter([self.batch] * STEPS)


class Module(pl.LightningModule):
    """Calls manual_backward, which is what Lightning's own "ddp" synchronises by."""

    def __init__(self, sizes: tuple[int, ...]) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.model = network(sizes)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Give the optimizer."""
        return torch.optim.SGD(self.parameters(), lr=0.01)

    def training_step(self, batch: torch.Tensor, batch_idx: int) -> None:
        """Train on one batch."""
        optimizer = self.optimizers()
        self.manual_backward(self.model(batch).square().mean())
        optimizer.step()  # type: ignore[union-attr]
        optimizer.zero_grad()  # type: ignore[union-attr]


class FacadeTrainer(Trainer):
    """Does the same through the facade."""

    _sizes: tuple[int, ...] = ()

    def initial_callback(self) -> None:
        """Show nothing."""

    def initial_trainer(self, params: Any) -> None:
        """Make the model."""
        self.model = network(self._sizes)
        self.optim = torch.optim.SGD(self.model.parameters(), lr=0.01)
        self.regist_databundler(train=Batches(self._sizes[0]))

    def train_batch(self, eidx: int, idx: int, global_step: int, batch_data: Any, *_: Any) -> None:
        """Train on one batch."""
        self.model(batch_data).square().mean().backward()
        self.optim.step()
        self.optim.zero_grad()


class Clock(pl.Callback):
    """Times the later steps of each epoch."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self._start = 0.0

    def on_train_batch_end(self, trainer: Any, *_: Any) -> None:
        """Start or stop."""
        done = trainer.fit_loop.epoch_loop.batch_progress.current.processed
        if done == FIRST:
            self._start = time.perf_counter()
        elif done == STEPS:
            self.seconds.append((time.perf_counter() - self._start) / (STEPS - FIRST))


def bare(sizes: tuple[int, ...], clock: Clock) -> Callable[[], None]:
    """Give what trains one epoch more through Lightning's own "ddp"."""
    trainer = pl.Trainer(
        accelerator="cpu",
        devices=WORLD,
        strategy="ddp",
        max_epochs=0,
        logger=False,
        callbacks=[clock],
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
    )
    module, loader = Module(sizes), Batches(sizes[0])

    def epoch() -> None:
        trainer.fit_loop.max_epochs += 1  # type: ignore[operator]
        trainer.fit(module, loader)

    return epoch


def facade(sizes: tuple[int, ...], clock: Clock) -> Callable[[], None]:
    """Give what trains one epoch more through the facade."""
    params = Params()
    params.epoch, params.device = 0, "cpu"
    trainer = FacadeTrainer(
        params,
        accelerator="cpu",
        devices=WORLD,
        strategy="ddp",
        callbacks=[clock],
        enable_checkpointing=False,
    )
    trainer._sizes = sizes
    trainer.initial_exp("experiment", code=False, console=False, board=False)

    def epoch() -> None:
        params.epoch += 1
        trainer.train()

    return epoch


def run_rank(rank: int, folder: str, repeats: int) -> None:
    """Run all cases in turn on one of the processes; rank 0 writes down what it measured."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    os.environ |= {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "GROUP_RANK": "0",
        "WORLD_SIZE": str(WORLD),
        "LOCAL_WORLD_SIZE": str(WORLD),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": "29500",  # nobody listens: the processes are connected below
        "TORCHELASTIC_RUN_ID": "none",
        "THEXP_HOME": folder,
    }
    os.chdir(folder)
    store = f"file://{folder}/store"
    distributed.init_process_group("gloo", init_method=store, rank=rank, world_size=WORLD)
    clocks: dict[str, Clock] = {}
    epochs: list[Callable[[], None]] = []
    for what, sizes in MODELS.items():
        for who, make in ((BARE, bare), (FACADE, facade)):
            clocks[f"{who}: {what}"] = clock = Clock()
            epochs.append(make(sizes, clock))
    for _ in range(repeats):
        for epoch in epochs:
            epoch()
    if rank == 0:
        measured = {name: clock.seconds for name, clock in clocks.items()}
        Path(folder, "seconds.json").write_text(json.dumps(measured), "utf-8")


def report(repeats: int) -> Report:
    """Measure steps of a small and a mid-size model."""
    spawn = multiprocessing.get_context("spawn")  # what other benchmarks have started stays here
    with all_processors(), tempfile.TemporaryDirectory() as folder:
        ranks = [spawn.Process(target=run_rank, args=(r, folder, repeats)) for r in range(WORLD)]
        for rank in ranks:
            rank.start()
        for rank in ranks:
            rank.join()
        seconds = json.loads(Path(folder, "seconds.json").read_text("utf-8"))
    goals = [Goal(f"{FACADE}: {what}", f"{BARE}: {what}", 1.25) for what in MODELS]
    return Report("A step on two processes", seconds, goals)
