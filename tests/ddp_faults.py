"""Trainings in which one rank does something else than the others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from ddp_cases import begin, make
from torch import nn

from thexp_pl import Params, Trainer
from thexp_pl.callbacks import SaverCallback


class Batches:
    """As many batches as are asked for; with a length, or without."""

    shares_itself = True

    def __init__(self, count: int) -> None:
        self.count = count

    def __iter__(self) -> Iterator[torch.Tensor]:
        generator = torch.Generator().manual_seed(1)
        return (torch.randn(4, 3, generator=generator) for _ in range(self.count))


class Faulty(Trainer):
    """Three epochs of three batches; a subclass says what rank 1 does otherwise."""

    _rank, _batches = 0, 3

    def initial_trainer(self, params: Params) -> None:
        torch.manual_seed(self._rank)
        self.model = self.network()
        self.optim = torch.optim.SGD(self.model.parameters(), lr=0.1)
        self.regist_databundler(train=Batches(self._batches))

    def network(self) -> nn.Module:
        return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))

    def train_batch(self, eidx, idx, global_step, batch_data, params, device):  # type: ignore[no-untyped-def]
        loss = self.model(batch_data).square().mean()
        loss.backward()
        if self._rank == 1 and eidx == 2 and idx == 1:
            self.fault_before_step()
        self.optim.step()
        self.optim.zero_grad()
        if self._rank == 1 and eidx == 2 and idx == 1:
            self.fault(loss, batch_data)

    def fault_before_step(self) -> None:
        """What rank 1 does in the second epoch's second batch, between backward and step."""

    def fault(self, loss: torch.Tensor, batch: torch.Tensor) -> None:
        """What rank 1 does in the second epoch's second batch."""


class SkipsBackward(Faulty):
    def train_batch(self, eidx, idx, global_step, batch_data, params, device):  # type: ignore[no-untyped-def]
        if self._rank == 0 or idx < 2:
            super().train_batch(eidx, idx, global_step, batch_data, params, device)


class OneBackwardMore(Faulty):
    def fault(self, loss: torch.Tensor, batch: torch.Tensor) -> None:
        self.model(batch).mean().backward()


class OneStepMore(Faulty):
    def fault(self, loss: torch.Tensor, batch: torch.Tensor) -> None:
        self.optim.step()


class OtherBatches(Faulty):
    def initial_trainer(self, params: Params) -> None:
        self._batches += self._rank
        super().initial_trainer(params)


class OtherEpochs(Faulty):
    def initial_trainer(self, params: Params) -> None:
        params.epoch += self._rank
        super().initial_trainer(params)


class OtherParameters(Faulty):
    def network(self) -> nn.Module:
        return nn.Sequential(nn.Linear(3, 4 + self._rank), nn.Tanh(), nn.Linear(4 + self._rank, 2))


class MoreParameters(Faulty):
    def network(self) -> nn.Module:
        model = super().network()
        return model.append(nn.Linear(2, 2)) if self._rank else model


class Changes(Faulty):
    def fault(self, loss: torch.Tensor, batch: torch.Tensor) -> None:
        with torch.no_grad():
            self.model[0].weight[0, 0] += 1e-6


class SavesChanged(Changes):
    """And all save after that batch."""

    def initial_callback(self) -> None:
        SaverCallback(every_n_batches=5).hook(self)


class Permutes(Faulty):
    """The same numbers at other places, at the very end."""

    def train_batch(self, eidx, idx, global_step, batch_data, params, device):  # type: ignore[no-untyped-def]
        super().train_batch(eidx, idx, global_step, batch_data, params, device)
        if self._rank == 1 and (eidx, idx) == (3, 2):
            with torch.no_grad():
                self.model[0].weight.copy_(self.model[0].weight.flip(0))


class ChangesGradient(Faulty):
    def fault_before_step(self) -> None:
        self.model[0].weight.grad *= 2


class OtherRate(Faulty):
    def fault_before_step(self) -> None:
        self.optim.param_groups[0]["lr"] = 0.2


class Stops(Faulty):
    def fault(self, loss: torch.Tensor, batch: torch.Tensor) -> None:
        self.lightning_trainer.should_stop = True


class Sparse(Faulty):
    """A sparse gradient, on one rank only."""

    def network(self) -> nn.Module:
        return nn.Embedding(5, 2, sparse=True)

    def train_batch(self, eidx, idx, global_step, batch_data, params, device):  # type: ignore[no-untyped-def]
        loss = self.model(torch.tensor([1, 2])).sum() if self._rank else self.model.weight.sum()
        loss.backward()


class Closure(Faulty):
    def initial_trainer(self, params: Params) -> None:
        super().initial_trainer(params)
        self.optim = torch.optim.LBFGS(self.model.parameters())

    def train_batch(self, eidx, idx, global_step, batch_data, params, device):  # type: ignore[no-untyped-def]
        self.optim.step(lambda: self.model(batch_data).square().mean())


class Raises(Faulty):
    def fault(self, loss: torch.Tensor, batch: torch.Tensor) -> None:
        raise KeyError("the user's own")


class StepsWithin(Faulty):
    """On all ranks."""

    def initial_trainer(self, params: Params) -> None:
        super().initial_trainer(params)
        self.model[0].weight.register_post_accumulate_grad_hook(lambda _: self.optim.step())


class Lazy(Faulty):
    def network(self) -> nn.Module:
        return nn.Sequential(nn.LazyLinear(4), nn.Tanh(), nn.Linear(4, 2))


class GrowsAlone(Faulty):
    def fault(self, loss: torch.Tensor, batch: torch.Tensor) -> None:
        self.model.append(nn.Linear(2, 2))


class GrowsApart(Faulty):
    """On all ranks, with other values on each."""

    def train_batch(self, eidx, idx, global_step, batch_data, params, device):  # type: ignore[no-untyped-def]
        if global_step == 4:
            self.model.append(nn.Linear(2, 2))
        super().train_batch(eidx, idx, global_step, batch_data, params, device)


class NewModule(Faulty):
    """On all ranks, where nobody has taken it up yet."""

    def train_batch(self, eidx, idx, global_step, batch_data, params, device):  # type: ignore[no-untyped-def]
        if global_step == 4:
            self.extra = nn.Linear(2, 2)
            self.extra_optim = torch.optim.SGD(self.extra.parameters(), lr=0.1)
        super().train_batch(eidx, idx, global_step, batch_data, params, device)


def train(rank: int, folder: Path, kind: str, **options: Any) -> None:
    """Train one of these classes on one of two ranks."""
    trainer = make(globals()[kind], 2, epoch=3, _rank=rank, options=options)
    begin(trainer, folder)
    try:
        trainer.train()
    except Exception as error:
        error.batch = trainer.params.global_step  # type: ignore[attr-defined]
        raise
