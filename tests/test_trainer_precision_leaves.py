"""Under a GradScaler every gradient has its true size, whoever holds the tensor or looks at it."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from precision_helpers import FIRST_SCALE, HUGE, assert_same, cross, scale_of, start_half
from torch import nn
from torch.optim import SGD
from torch.utils.checkpoint import checkpoint
from trainer_helpers import (
    BATCHES,
    TinyTrainer,
    ended_runs,  # noqa: F401 - a fixture of every test here
    make_loader,
    make_model,
    weights_of,
)

from thexp_pl import Params
from thexp_pl.errors import TrainerError

# -- leaves that no optimizer holds --------------------------------------------------------------

BACKWARDS: dict[str, Callable[[torch.Tensor], None]] = {
    "tensor": lambda loss: loss.backward(),
    "of_its_shape": lambda loss: loss.expand(2).backward(torch.full((2,), 0.5)),
    "function": lambda loss: torch.autograd.backward(loss),
    "several": lambda loss: torch.autograd.backward([loss * 0.5, loss * 0.5]),
}


class Reaching(TinyTrainer):
    """Wants the gradients of its input, and of a factor over all batches, that nothing steps."""

    backward: Callable[[torch.Tensor], None]

    def initial_trainer(self, params: Params) -> None:
        super().initial_trainer(params)
        self.factor = torch.tensor(2.0, requires_grad=True)
        self.sum = torch.zeros(())
        self.seen: list[bool] = []

    def train_batch(self, eidx, idx, global_step, batch_data, params, device):
        xs = batch_data[0].clone().requires_grad_()
        loss = cross(self.model(xs) * self.factor, batch_data[1])
        scale = scale_of(self)
        of_xs, of_factor = torch.autograd.grad(loss * scale, (xs, self.factor), retain_graph=True)
        self.sum += of_factor / scale
        type(self).backward(loss)
        self.optim.step()
        self.optim.zero_grad()
        self.seen.append(torch.equal(xs.grad, of_xs / scale))


@pytest.mark.parametrize("way", BACKWARDS)
def test_a_leaf_that_no_optimizer_holds_has_a_gradient_of_its_true_size(
    way: str, tmp_path: Path
) -> None:
    trainer = start_half(type("Case", (Reaching,), {"backward": BACKWARDS[way]}), tmp_path, 2)

    trainer.train()

    assert trainer.seen == [True] * 2 * BATCHES
    assert scale_of(trainer) > FIRST_SCALE  # the sum is one over several scales
    assert_same(trainer.factor.grad, trainer.sum)


class Recomputing(TinyTrainer):
    """Has a layer in no optimizer, within a checkpoint whose graph is one of its own."""

    def initial_trainer(self, params: Params) -> None:
        super().initial_trainer(params)
        torch.manual_seed(5)
        self.layer = nn.Linear(6, 6)
        self.is_true = []

    def train_batch(self, eidx, idx, global_step, batch_data, params, device):
        xs, scale = batch_data[0].clone().requires_grad_(), scale_of(self)
        loss = cross(self.model(self.layer(xs)), batch_data[1])
        expected = torch.autograd.grad(loss * scale, self.layer.weight)[0] / scale
        self.layer.zero_grad()
        hidden = checkpoint(self.layer, xs, use_reentrant=True)
        cross(self.model(hidden), batch_data[1]).backward()
        self.optim.step()
        self.is_true.append(torch.equal(self.layer.weight.grad, expected))


def test_a_layer_within_a_reentrant_checkpoint_has_gradients_of_their_true_size(
    tmp_path: Path,
) -> None:
    trainer = start_half(Recomputing, tmp_path, 1)

    trainer.train()

    assert trainer.is_true == [True] * BATCHES


def test_a_training_without_an_optimizer_is_refused_under_a_scaler(tmp_path: Path) -> None:
    class ByHand(TinyTrainer):
        def initial_trainer(self, params: Params) -> None:
            super().initial_trainer(params)
            del self.optim

        def train_batch(self, eidx, idx, global_step, batch_data, params, device):
            self.measure(batch_data).loss.backward()

    with pytest.raises(TrainerError, match="no attribute is an optimizer, and a GradScaler skips"):
        start_half(ByHand, tmp_path).train()


@pytest.mark.parametrize("way", ["reached", "named", "clipped"])
def test_a_tensor_whose_gradient_was_wanted_once_is_let_go(way: str, tmp_path: Path) -> None:
    class Wanting(TinyTrainer):
        def train_batch(self, eidx, idx, global_step, batch_data, params, device):
            gc.collect()
            kept.extend(one for one in wanted if one() is not None)
            xs = batch_data[0].clone().requires_grad_()
            loss = cross(self.model(xs), batch_data[1])
            loss.backward(**({"inputs": xs} if way == "named" else {}))
            if way == "clipped":
                self.clip_grad(xs, 1.0)
            wanted.append(weakref.ref(xs))

    wanted: list[Any] = []
    kept: list[Any] = []

    start_half(Wanting, tmp_path, 1).train()

    assert len(wanted) == BATCHES
    assert not kept


# -- hooks ---------------------------------------------------------------------------------------

BOUND = 0.01


def clamped(gradient: torch.Tensor) -> torch.Tensor:
    return gradient.clamp(-BOUND, BOUND)


def clamped_in_place(gradient: torch.Tensor) -> None:
    gradient.clamp_(-BOUND, BOUND)


def clamped_when_made(parameter: torch.Tensor) -> None:
    parameter.grad.clamp_(-BOUND, BOUND)


class Hooked(TinyTrainer):
    """Has a hook on each of its parameters."""

    hook: Callable[[torch.Tensor], Any]
    factors = (1.0,)  # the loss is multiplied by, batch for batch

    def initial_trainer(self, params: Params) -> None:
        super().initial_trainer(params)
        for one in self.model.parameters():
            hook = type(self).hook
            is_last = hook.__name__.endswith("when_made")
            register = one.register_post_accumulate_grad_hook if is_last else one.register_hook
            register(hook)

    def train_batch(self, eidx, idx, global_step, batch_data, params, device):
        loss = self.measure(batch_data).loss
        (loss * self.factors[global_step % len(self.factors)]).backward()
        self.optim.step()
        self.optim.zero_grad()


def hooked(hook: Callable[[torch.Tensor], Any], **attributes: Any) -> type[Hooked]:
    return type("Hooked", (Hooked,), {"hook": hook, **attributes})


def by_hand(factors: tuple[float, ...]) -> nn.Module:
    """Train two epochs as torch.amp's recipe does, clamping what is unscaled."""
    model = make_model()
    optimizer = SGD(model.parameters(), lr=0.1, momentum=0.9)
    scaler = torch.amp.GradScaler("cpu", init_scale=FIRST_SCALE, growth_interval=2)
    for number, (xs, ys) in enumerate([*make_loader(), *make_loader()]):
        with torch.autocast("cpu", torch.float16, cache_enabled=False):
            loss = cross(model(xs), ys)
        scaler.scale(loss * factors[number % len(factors)]).backward()
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_value_(model.parameters(), BOUND)
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
    return model


@pytest.mark.parametrize("hook", [clamped, clamped_in_place, clamped_when_made])
@pytest.mark.parametrize("factors", [(1.0,), (1.0, HUGE, 0.5)])
def test_a_hook_that_clips_gradients_clips_them_at_their_true_size(
    hook: Callable[[torch.Tensor], Any], factors: tuple[float, ...], tmp_path: Path
) -> None:
    trainer = start_half(hooked(hook, factors=factors), tmp_path, 2)

    trainer.train()

    assert_same(trainer.model.state_dict(), by_hand(factors).state_dict())


def hiding(gradient: torch.Tensor) -> torch.Tensor:
    return gradient.nan_to_num(0).clamp(-BOUND, BOUND)


def hiding_when_made(parameter: torch.Tensor) -> None:
    parameter.grad.nan_to_num_(0).clamp_(-BOUND, BOUND)


@pytest.mark.parametrize("hook", [hiding, hiding_when_made])
def test_a_hook_that_hides_an_overflow_does_not_make_it_a_step(
    hook: Callable[[torch.Tensor], Any], tmp_path: Path
) -> None:
    trainer = start_half(hooked(hook, factors=(HUGE,)), tmp_path)
    before = weights_of(trainer)

    trainer.train()

    assert_same(weights_of(trainer), before)
    assert scale_of(trainer) < FIRST_SCALE


def test_a_hook_that_looks_changes_nothing_and_is_the_users_own_again_after(tmp_path: Path) -> None:
    seen: list[torch.Tensor] = []
    trainer = start_half(hooked(lambda g: seen.append(g.clone())), tmp_path)
    plain = start_half(TinyTrainer, tmp_path)

    trainer.train()
    plain.train()

    assert_same(weights_of(trainer), weights_of(plain))
    assert max(float(one.abs().max()) for one in seen) < 1
    seen.clear()
    trainer.model[2].bias.sum().mul(5).backward()
    assert_same(seen, [torch.full((3,), 5.0)])
