"""In mixed precision a forward computes with the weights that there are, not with older casts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from precision_helpers import assert_same, cross
from pytorch_lightning.plugins.precision import MixedPrecision
from torch import nn
from torch.optim import SGD
from trainer_helpers import (
    TinyTrainer,
    ended_runs,  # noqa: F401 - a fixture of every test here
    make_loader,
    make_model,
    start,
)

from thexp_pl import Params

EPOCHS = 2


class Remembering(MixedPrecision):
    """bf16-mixed as in Lightning before 2.5.5: autocast remembers what it has cast."""

    def __init__(self) -> None:
        super().__init__("bf16-mixed", "cpu")

    def autocast_context_manager(self) -> torch.autocast:
        return torch.autocast("cpu", torch.bfloat16)


def by_step(trainer: Any) -> None:
    trainer.optim.step()


def by_closure(trainer: Any) -> None:
    trainer.optim.step(lambda: None)


def without_an_optimizer(trainer: Any) -> None:
    with torch.no_grad():
        for one in trainer.model.parameters():
            one -= 0.1 * one.grad


def train_twice(trainer: Any, batch: Any, step: Callable[[Any], None], forward: Any) -> None:
    """Step, and step again by what the weights then are; the first forward makes no graph."""
    with torch.no_grad():
        forward(trainer, batch)
    for _ in range(2):
        loss = forward(trainer, batch)
        loss.backward()
        step(trainer)
        trainer.model.zero_grad()


def plainly(trainer: Any, batch: Any) -> torch.Tensor:
    return cross(trainer.model(batch[0]), batch[1])


def in_an_uncached_region(trainer: Any, batch: Any) -> torch.Tensor:
    with torch.autocast("cpu", torch.bfloat16, cache_enabled=False):
        return plainly(trainer, batch)


class Twice(TinyTrainer):
    step: Callable[[Any], None] = by_step

    def train_batch(self, eidx, idx, global_step, batch_data, params, device):
        train_twice(self, batch_data, type(self).step, plainly)


class ByHand:
    def __init__(self, step: Callable[[Any], None]) -> None:
        self.model = make_model()
        self.optim = SGD(self.model.parameters(), lr=0.1, momentum=0.9)
        self.step = step

    def train(self) -> nn.Module:
        for _ in range(EPOCHS):
            for batch in make_loader():
                train_twice(self, batch, self.step, in_an_uncached_region)
        return self.model


def forgetting() -> MixedPrecision:
    return MixedPrecision("bf16-mixed", "cpu")


@pytest.mark.parametrize(
    ("plugin", "step"),
    [
        (Remembering, by_step),
        (Remembering, by_closure),
        (Remembering, without_an_optimizer),
        (forgetting, by_step),
    ],
)
def test_a_second_forward_after_a_step_equals_the_same_by_hand(
    plugin: Any, step: Any, tmp_path: Path
) -> None:
    trainer = start(type("Case", (Twice,), {"step": step}), tmp_path, EPOCHS, plugins=plugin())

    trainer.train()

    assert_same(trainer.model.state_dict(), ByHand(step).train().state_dict())


@pytest.mark.parametrize("plugin", [Remembering, forgetting])
def test_a_region_that_the_trainer_has_made_for_itself_sees_each_step(
    plugin: Any, tmp_path: Path
) -> None:
    class Own(TinyTrainer):
        def initial_trainer(self, params: Params) -> None:
            super().initial_trainer(params)
            self._region = torch.autocast("cpu", torch.bfloat16)

        def loss(self, batch: Any) -> torch.Tensor:
            with self._region:
                return plainly(self, batch)

        def train_batch(self, eidx, idx, global_step, batch_data, params, device):
            self.loss(batch_data).backward()
            self.optim.step()
            self.optim.zero_grad()
            seen = self.loss(batch_data)
            self.is_new = torch.equal(seen, in_an_uncached_region(self, batch_data))

    trainer = start(Own, tmp_path, EPOCHS, plugins=plugin())

    trainer.train()

    assert trainer.is_new


def test_train_on_batch_sees_each_step_too(tmp_path: Path) -> None:
    trainer = start(Twice, tmp_path, plugins=Remembering())
    hand = ByHand(by_step)
    batch = next(iter(make_loader()))

    trainer.train_on_batch(batch)
    train_twice(hand, batch, by_step, in_an_uncached_region)

    assert_same(trainer.model.state_dict(), hand.model.state_dict())


def test_outside_of_a_batch_autocast_remembers_as_before(tmp_path: Path) -> None:
    start(TinyTrainer, tmp_path, 1).train()

    assert torch.is_autocast_cache_enabled()
