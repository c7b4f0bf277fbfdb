"""float16 mixed precision on several ranks, as `ddp_helpers.together` calls it on each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from precision_helpers import FIRST_SCALE, HUGE, cross, half, scale_of
from torch.optim import SGD
from trainer_helpers import make_data, make_model

from thexp_pl import Params, Trainer
from thexp_pl.data import ExactDataLoader

OVERFLOWS = 4  # the batch in which one rank's loss is huge


class OnRanks(Trainer):
    """Adds up over two batches and clips; one batch overflows on the last rank alone."""

    def initial_trainer(self, params: Params) -> None:
        self.model = make_model()
        self.optim = SGD(self.model.parameters(), lr=0.1, momentum=0.9)
        self.skipped: list[bool] = []
        self.regist_databundler(train=ExactDataLoader(make_data(48), batch_size=4))

    def train_batch(self, eidx, idx, global_step, batch_data, params, device):  # type: ignore[no-untyped-def]
        is_huge = global_step == OVERFLOWS and self.lightning_trainer.global_rank == 1
        loss = cross(self.model(batch_data[0]), batch_data[1])
        (loss * (HUGE if is_huge else 0.5)).backward()
        if idx % 2:
            before = self.model[0].weight.clone()
            self.clip_grad(self.optim, 0.5)
            self.optim.step()
            self.optim.zero_grad()
            self.skipped.append(torch.equal(before, self.model[0].weight))


def train(rank: int, folder: Path, world: int) -> dict[str, Any]:
    """Train two epochs of six batches a rank, and tell what became of it."""
    params = Params()
    params.epoch, params.device = 2, "cpu"
    trainer = OnRanks(params, accelerator="cpu", devices=world, strategy="ddp", plugins=half())
    trainer.initial_exp(folder)
    trainer.train()
    trainer.experiment.end_exp()
    weights = {name: one.detach().clone() for name, one in trainer.model.named_parameters()}
    return {"weights": weights, "skipped": trainer.skipped, "scale": scale_of(trainer)}


def by_hand(world: int) -> dict[str, Any]:
    """Train in one process, without a framework, on the mean of all ranks' gradients."""
    model = make_model()
    optimizer = SGD(model.parameters(), lr=0.1, momentum=0.9)
    scale, grown = FIRST_SCALE, 0
    xs, ys = make_data(48).tensors
    for step in range(12):
        for rank in range(world):
            own = [4 * (step % 6) * world + world * row + rank for row in range(4)]
            with torch.autocast("cpu", torch.float16, cache_enabled=False):
                loss = cross(model(xs[own]), ys[own])
                loss = loss * (HUGE if step == OVERFLOWS and rank == 1 else 0.5)
                made = torch.autograd.grad(loss * scale, list(model.parameters()))
            for parameter, gradient in zip(model.parameters(), made, strict=True):
                true = gradient / scale / world
                parameter.grad = true if parameter.grad is None else parameter.grad + true
        if step % 2:
            torch.nn.utils.clip_grad_norm_(model.parameters(), 0.5)
            if all(bool(one.grad.isfinite().all()) for one in model.parameters()):
                optimizer.step()
                grown += 1
                scale, grown = (scale * 2, 0) if grown == 2 else (scale, grown)
            else:
                scale, grown = scale / 2, 0
            optimizer.zero_grad()
    weights = {name: one.detach() for name, one in model.named_parameters()}
    return {"weights": weights, "scale": scale}
