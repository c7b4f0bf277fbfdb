"""Trainings on several ranks whose state is more than the weights that are trained."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from ddp_cases import begin, make
from torch import nn
from torch.nn.functional import mse_loss
from torch.optim import SGD, Adam, Optimizer

from thexp_pl import Meter, Params, Trainer
from thexp_pl.strategies import ManualDDPStrategy


class Batches:
    """Other batches on each rank."""

    shares_itself = True

    def __init__(self, rank: int, count: int = 4) -> None:
        self.rank = rank
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[torch.Tensor]:
        generator = torch.Generator().manual_seed(self.rank)
        return (torch.randn(4, 3, generator=generator) for _ in range(self.count))


class Stateful(Trainer):
    """BatchNorm, and tensors of other shapes and values on each rank, one on rank 0 alone."""

    _rank, _seen, _before = 0, (), ()

    def initial_trainer(self, params: Params) -> None:
        torch.manual_seed(self._rank)
        self.model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
        self.optim = SGD(self.model.parameters(), lr=0.1)
        self.same_shape = torch.randn(3)
        self.other_shape = torch.randn(2 + self._rank)
        self.other_dtype = torch.ones(2, dtype=torch.float64 if self._rank else torch.float32)
        self.sparse = torch.eye(3 + self._rank).to_sparse()
        self.truths = torch.tensor([self._rank == 0, True])
        self.complexes = torch.full((2,), 1j * (self._rank + 1)).conj()
        self.transposed = torch.randn(2, 3).t()
        self.empty = torch.zeros(0)
        if self._rank == 0:
            self.on_first_only = torch.randn(2)
        loader = Batches(self._rank)
        self.regist_databundler(train=loader, eval=loader)

    def train_batch(self, eidx, idx, global_step, batch_data, params, device):  # type: ignore[no-untyped-def]
        loss = self.model(batch_data).square().mean()
        loss.backward()
        self.optim.step()
        self.optim.zero_grad()
        self._before = self.model[1].running_mean.clone()

    def test_eval_logic(self, dataloader: Any, params: Params) -> Meter:
        self._seen = {name: tensor.clone() for name, tensor in self.tensors().items()}
        return Meter()

    def tensors(self) -> dict[str, torch.Tensor]:
        plain = {name: one for name, one in vars(self).items() if isinstance(one, torch.Tensor)}
        named = {name: one for name, one in plain.items() if name[0] != "_"}
        return {**named, **dict(self.model.named_buffers())}


def state(rank: int, folder: Path) -> dict[str, Any]:
    """Train, evaluate and save."""
    trainer = make(Stateful, 2, epoch=1, _rank=rank, options={"enable_checkpointing": True})
    begin(trainer, folder)
    trainer.train()
    saved = sorted(Path(folder).rglob("*.ckpt"))
    return {
        "own": trainer._before,
        "evaluated": trainer._seen,
        "weights": trainer.model.state_dict(),
        "saved": torch.load(saved[0], weights_only=False)["state_dict"],
    }


class Growing(Trainer):
    """Has a module, an optimizer and a parameter more from the second epoch on."""

    _rank = 0

    def initial_trainer(self, params: Params) -> None:
        torch.manual_seed(self._rank)
        self.model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
        self.optim = SGD(self.model.parameters(), lr=0.1)
        self.regist_databundler(train=Batches(self._rank))

    def train_batch(self, eidx, idx, global_step, batch_data, params, device):  # type: ignore[no-untyped-def]
        out = self.model(batch_data)
        if eidx > 1:
            out = self.more(out) + self.shift
        if eidx == 3 and idx == 1:  # with the same values on all ranks
            with torch.no_grad():
                self.model.append(nn.Linear(2, 2))
                self.model[-1].weight.fill_(0.5), self.model[-1].bias.fill_(0.5)
            self.optim.add_param_group({"params": self.model[-1].parameters()})
            out = self.model(batch_data)
        out.square().mean().backward()
        for optimizer in [self.optim, *([self.more_optim] if eidx > 1 else [])]:
            optimizer.step()
            optimizer.zero_grad()
        if eidx == 1 and idx == 3:
            torch.manual_seed(10 + self._rank)
            self.more = nn.Linear(2, 2)
            self.shift = torch.randn(2, requires_grad=True)
            self.more_optim = Adam([*self.more.parameters(), self.shift], lr=0.01)


def grown(rank: int, folder: Path) -> dict[str, torch.Tensor]:
    """Train what grows."""
    trainer = make(Growing, 2, epoch=3, _rank=rank)
    begin(trainer, folder)
    trainer.train()
    return {**trainer.module.state_dict(), "shift": trainer.shift.detach()}


class Fits(Trainer):
    """A model that is trained in the given precision."""

    _rank = 0

    def initial_trainer(self, params: Params) -> None:
        torch.manual_seed(self._rank)
        self.model = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 3))
        self.optim = Adam(self.model.parameters(), lr=0.01)
        self.regist_databundler(train=Batches(self._rank, 10))

    def train_batch(self, eidx, idx, global_step, batch_data, params, device):  # type: ignore[no-untyped-def]
        mse_loss(self.model(batch_data), batch_data).backward()
        self.optim.step()
        self.optim.zero_grad()


def precise(rank: int, folder: Path, precision: str) -> dict[str, torch.Tensor]:
    """Train in mixed precision, float16 with a GradScaler for the CPU."""
    options: dict[str, Any] = {"precision": precision}
    if precision == "16-mixed":
        scaler = torch.amp.GradScaler("cpu")
        plugin = pl.plugins.MixedPrecision("16-mixed", "cpu", scaler)
        options = {"plugins": [plugin]}
    trainer = make(Fits, 2, _rank=rank, options=options)
    begin(trainer, folder)
    first = {name: one.clone() for name, one in trainer.model.state_dict().items()}
    trainer.train()
    after = trainer.model.state_dict()
    assert not any(torch.equal(after[name], first[name]) for name in after)
    return after


def twice(rank: int, folder: Path) -> list[int]:
    """Train again and again, and count the open files after each time."""
    trainer = make(Fits, 2, epoch=1, _rank=rank)
    begin(trainer, folder)
    counts = []
    for epochs in (1, 2, 3, 4):
        trainer.params.epoch = epochs
        trainer.train()
        counts.append(len(list(Path("/proc/self/fd").iterdir())))
    return counts


# -- in a Lightning Trainer without the facade ---------------------------------------------------


class LitGAN(pl.LightningModule):
    """Two optimizers in one batch."""

    def __init__(self, rank: int, automatic: bool = False) -> None:
        super().__init__()
        self.automatic_optimization = automatic
        torch.manual_seed(rank)
        self.generator, self.critic = nn.Linear(3, 3), nn.Linear(3, 1)

    def configure_optimizers(self) -> list[Optimizer]:
        return [SGD(one.parameters(), lr=0.05) for one in (self.generator, self.critic)]

    def training_step(self, batch: torch.Tensor, batch_idx: int) -> None:
        generator, critic = self.optimizers()
        made = self.generator(batch)
        self.manual_backward(self.critic(made).square().mean())
        generator.step()
        generator.zero_grad()
        critic.zero_grad()
        self.manual_backward((self.critic(batch) - 1).square().mean())
        self.manual_backward(self.critic(made.detach()).square().mean())
        critic.step()


def lightning(rank: int, folder: Path, automatic: bool = False) -> dict[str, torch.Tensor]:
    """Train with the strategy alone."""
    module = LitGAN(rank, automatic)
    trainer = pl.Trainer(
        strategy=ManualDDPStrategy(),
        accelerator="cpu",
        devices=2,
        max_epochs=5,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
    )
    trainer.fit(module, Batches(rank))
    return module.state_dict()
