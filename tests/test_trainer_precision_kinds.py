"""Optimizers, backwards, scalers and checkpoints of all kinds in mixed precision."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from precision_helpers import FIRST_SCALE, HUGE, assert_same, cross, half, scale_of, start_half
from torch import nn
from torch.optim import LBFGS, SGD, Adam, SparseAdam
from trainer_helpers import (
    BATCHES,
    TinyTrainer,
    ended_runs,  # noqa: F401 - a fixture of every test here
    make_loader,
    make_model,
    start,
    weights_of,
)

from thexp_pl import Params
from thexp_pl.errors import TrainerError

EPOCHS = 3


def by_hand(model: nn.Module, optimizer: Any, losses: Any) -> None:
    """Train as torch.amp's recipe does, one step a batch."""
    scaler = torch.amp.GradScaler("cpu", init_scale=FIRST_SCALE, growth_interval=2)
    for _ in range(EPOCHS):
        for batch in make_loader():
            with torch.autocast("cpu", torch.float16, cache_enabled=False):
                loss = losses(model, batch)
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()


def plain_loss(model: nn.Module, batch: Any) -> torch.Tensor:
    return cross(model(batch[0]), batch[1])


# -- optimizers ----------------------------------------------------------------------------------


class Fused(TinyTrainer):
    def initial_trainer(self, params: Params) -> None:
        super().initial_trainer(params)
        self.optim = Adam(self.model.parameters(), lr=0.05, fused=True)


def test_a_fused_optimizer_which_unscales_by_itself_equals_the_recipe(tmp_path: Path) -> None:
    trainer = start_half(Fused, tmp_path, EPOCHS)
    model = make_model()
    by_hand(model, Adam(model.parameters(), lr=0.05, fused=True), plain_loss)

    trainer.train()

    assert_same(trainer.model.state_dict(), model.state_dict())


class WithClosure(TinyTrainer):
    def train_batch(self, eidx, idx, global_step, batch_data, params, device):
        def closure() -> torch.Tensor:
            self.optim.zero_grad()
            loss = plain_loss(self.model, batch_data)
            loss.backward()
            return loss

        return {"loss": self.optim.step(closure)}


def test_a_closure_is_called_once_a_step_and_its_loss_returned(tmp_path: Path) -> None:
    trainer = start_half(WithClosure, tmp_path, EPOCHS)
    model = make_model()
    by_hand(model, SGD(model.parameters(), lr=0.1, momentum=0.9), plain_loss)

    trainer.train()

    assert_same(trainer.model.state_dict(), model.state_dict())
    assert float(trainer.lightning_trainer.callback_metrics["loss"]) > 0


class Sparse(TinyTrainer):
    def initial_trainer(self, params: Params) -> None:
        super().initial_trainer(params)
        torch.manual_seed(5)
        self.words = nn.Embedding(3, 3, sparse=True)
        self.optim = SparseAdam(self.words.parameters(), lr=0.1)

    def train_batch(self, eidx, idx, global_step, batch_data, params, device):
        loss = cross(self.words(batch_data[1]), batch_data[1])
        loss.backward()
        self.optim.step()
        self.optim.zero_grad()
        return {"loss": loss}


def test_sparse_gradients_equal_the_recipe(tmp_path: Path) -> None:
    trainer = start_half(Sparse, tmp_path, EPOCHS)
    torch.manual_seed(5)
    words = nn.Embedding(3, 3, sparse=True)
    loss = lambda model, batch: cross(model(batch[1]), batch[1])  # noqa: E731
    by_hand(words, SparseAdam(words.parameters(), lr=0.1), loss)

    trainer.train()

    assert_same(trainer.words.weight.data, words.weight.data)


def test_lbfgs_is_refused_in_a_line_before_the_first_batch(tmp_path: Path) -> None:
    class Curved(TinyTrainer):
        def initial_trainer(self, params: Params) -> None:
            super().initial_trainer(params)
            self.optim = LBFGS(self.model.parameters())

    with pytest.raises(TrainerError, match=r"LBFGS calls .* several times.*'bf16-mixed'"):
        start_half(Curved, tmp_path).train()


# -- forms of backward ---------------------------------------------------------------------------


def test_the_gradient_of_an_input_that_backward_names_has_its_true_size(tmp_path: Path) -> None:
    class Adversarial(TinyTrainer):
        def train_batch(self, eidx, idx, global_step, batch_data, params, device):
            xs = batch_data[0].clone().requires_grad_()
            loss = plain_loss(self.model, (xs, batch_data[1]))
            expected = torch.autograd.grad(loss * FIRST_SCALE, xs, retain_graph=True)[0]
            loss.backward(inputs=xs)
            self.is_true = torch.equal(xs.grad, expected / FIRST_SCALE)

    trainer = start_half(Adversarial, tmp_path, 1)

    trainer.train()

    assert trainer.is_true


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (lambda hidden: {"create_graph": True}, "use torch.autograd.grad"),
        (lambda hidden: {"inputs": [hidden]}, "other leaves of the graph only"),
    ],
)
def test_a_backward_whose_gradients_cannot_be_unscaled_is_refused(
    options: Any, message: str, tmp_path: Path
) -> None:
    class Odd(TinyTrainer):
        def train_batch(self, eidx, idx, global_step, batch_data, params, device):
            hidden = self.model(batch_data[0])
            cross(hidden, batch_data[1]).backward(**options(hidden))

    with pytest.raises(TrainerError, match=message):
        start_half(Odd, tmp_path).train()


# -- a scaler of the user's own ------------------------------------------------------------------


class OwnScaler(TinyTrainer):
    """torch.amp's recipe within train_batch, in a training of full precision."""

    def initial_trainer(self, params: Params) -> None:
        super().initial_trainer(params)
        self.scaler = torch.amp.GradScaler("cpu", init_scale=FIRST_SCALE, growth_interval=2)

    def train_batch(self, eidx, idx, global_step, batch_data, params, device):
        with torch.autocast("cpu", torch.float16, cache_enabled=False):
            loss = plain_loss(self.model, batch_data)
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optim)
        self.scaler.update()
        self.optim.zero_grad()
        return {"loss": loss}


def test_a_scaler_of_the_users_own_works_in_full_precision(tmp_path: Path) -> None:
    trainer = start(OwnScaler, tmp_path, EPOCHS)
    model = make_model()
    by_hand(model, SGD(model.parameters(), lr=0.1, momentum=0.9), plain_loss)

    trainer.train()

    assert_same(trainer.model.state_dict(), model.state_dict())


# -- checkpoints ---------------------------------------------------------------------------------


class Accumulating(TinyTrainer):
    """Steps every third batch, so that gradients are pending where a checkpoint is saved."""

    def train_batch(self, eidx, idx, global_step, batch_data, params, device):
        loss = plain_loss(self.model, batch_data)
        (loss * (HUGE if global_step == 4 else 1.0)).backward()
        if global_step % 3 == 2:
            self.optim.step()
            self.optim.zero_grad()
        return {"loss": loss}


def test_a_scaled_training_goes_on_from_a_checkpoint_with_the_same_bits(tmp_path: Path) -> None:
    whole = start(Accumulating, tmp_path, 4, plugins=half())
    whole.train()

    first = start(Accumulating, tmp_path, 2, plugins=half())
    first.train()
    second = start(Accumulating, tmp_path, 4, plugins=half())
    second.load_checkpoint(first.saver.checkpoint_path(2))
    second.train()

    assert_same(weights_of(second), weights_of(whole))
    assert second.optim.state_dict()["state"][0].keys() == {"momentum_buffer"}
    scaler, of_whole = (one.lightning_trainer.precision_plugin.scaler for one in (second, whole))
    assert scaler.state_dict() == of_whole.state_dict()


# -- counting --------------------------------------------------------------------------------------


def test_the_batches_of_a_scaled_training_are_counted_once(tmp_path: Path) -> None:
    trainer = start_half(TinyTrainer, tmp_path, 2)

    trainer.train()

    assert trainer.lightning_trainer.global_step == trainer.params.global_step + 1 == 2 * BATCHES
    assert scale_of(trainer) == FIRST_SCALE * 2 ** (2 * BATCHES // 2)
