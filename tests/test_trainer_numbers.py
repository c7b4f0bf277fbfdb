"""A facade training equals the same raw PyTorch loop, bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import LBFGS, SGD, Adam
from torch.optim.lr_scheduler import LambdaLR, StepLR
from torch.utils.data import DataLoader
from trainer_helpers import (
    BATCHES,
    TinyTrainer,
    ended_runs,  # noqa: F401 - a fixture of every test here
    make_data,
    make_model,
    start,
)

from thexp_pl import Params, Trainer
from thexp_pl.data import exact
from thexp_pl.errors import TrainerError

EPOCHS = 3
cross = nn.functional.cross_entropy


class Recipe:
    """The user's part: the same code runs in the facade and in a loop written by hand."""

    precision = "32-true"

    def build(self) -> None:
        torch.manual_seed(0)
        self.model = nn.Sequential(
            nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 3)
        )
        self.make_optimizers()
        self.loader = exact(DataLoader(make_data(), 4, shuffle=True))  # what the facade makes of it
        torch.manual_seed(1)

    def make_optimizers(self) -> None:
        self.optim = SGD(self.model.parameters(), lr=0.1, momentum=0.9)

    def loss(self, batch: Any) -> torch.Tensor:
        return cross(self.model(batch[0]), batch[1])


class Momentum(Recipe):
    def train_batch(self, eidx, idx, global_step, batch, params, device):
        loss = self.loss(batch)
        loss.backward()
        self.optim.step()
        self.optim.zero_grad()
        return {"loss": loss}


class AdamWithScheduler(Momentum):
    def make_optimizers(self) -> None:
        self.optim = Adam(self.model.parameters(), lr=0.05)
        self.scheduler = StepLR(self.optim, step_size=4, gamma=0.5)

    def train_batch(self, eidx, idx, global_step, batch, params, device):
        meter = super().train_batch(eidx, idx, global_step, batch, params, device)
        self.scheduler.step()
        return meter


class Accumulated(Recipe):
    def train_batch(self, eidx, idx, global_step, batch, params, device):
        (self.loss(batch) / 2).backward()
        if global_step % 2 == 1:
            self.optim.step()
            self.optim.zero_grad()


class Clipped(Recipe):
    def train_batch(self, eidx, idx, global_step, batch, params, device):
        self.optim.zero_grad()
        self.loss(batch).backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 0.05)
        self.optim.step()


class Gan(Recipe):
    def make_optimizers(self) -> None:
        self.critic = nn.Linear(3, 1)
        self.optim_g = Adam(self.model.parameters(), lr=0.01)
        self.optim_d = SGD(self.critic.parameters(), lr=0.1, momentum=0.5)

    def train_batch(self, eidx, idx, global_step, batch, params, device):
        fake, real = self.model(batch[0]), nn.functional.one_hot(batch[1], 3).float()
        loss_d = self.critic(fake.detach()).mean() - self.critic(real).mean()
        self.optim_d.zero_grad()
        loss_d.backward()
        self.optim_d.step()
        loss_g = -self.critic(fake).mean()
        self.optim_g.zero_grad()
        loss_g.backward()
        self.optim_g.step()


class Lbfgs(Recipe):
    def make_optimizers(self) -> None:
        self.model[3].p = 0.0  # a closure is called several times a step
        self.optim = LBFGS(self.model.parameters(), lr=0.1, max_iter=4)

    def train_batch(self, eidx, idx, global_step, batch, params, device):
        def closure():
            self.optim.zero_grad()
            loss = self.loss(batch)
            loss.backward()
            return loss

        return {"loss": self.optim.step(closure)}


class SeveralBackwards(Recipe):
    def train_batch(self, eidx, idx, global_step, batch, params, device):
        self.optim.zero_grad()
        loss = self.loss(batch)
        loss.backward(retain_graph=True)
        (loss**2).backward()
        logits = self.model(batch[0])
        logits.backward(torch.full_like(logits, 0.01))  # not a scalar
        self.loss(batch).backward(inputs=[self.model[0].weight])
        torch.autograd.backward([self.loss(batch)])
        self.optim.step()


class PlainTensors(Recipe):
    def make_optimizers(self) -> None:
        self.scale = torch.ones(3, requires_grad=True)
        self.optim = Adam([*self.model.parameters(), self.scale], lr=0.05)

    def loss(self, batch: Any) -> torch.Tensor:
        return cross(self.model(batch[0]) * self.scale, batch[1])

    train_batch = Momentum.train_batch


class Bfloat16(Momentum):
    precision = "bf16-mixed"


RECIPES = [
    Momentum,
    AdamWithScheduler,
    Accumulated,
    Clipped,
    Gan,
    Lbfgs,
    SeveralBackwards,
    PlainTensors,
    Bfloat16,
]


def facade_of(recipe: type[Recipe]) -> type[Trainer]:
    def initial_trainer(self: Any, params: Params) -> None:
        self.build()
        self.regist_databundler(train=self.loader)

    return type(recipe.__name__, (recipe, Trainer), {"initial_trainer": initial_trainer})


def train_by_hand(recipe: type[Recipe]) -> Any:
    """Train as one does without any framework; of autocast, only the forward pass lies in it."""
    user: Any = recipe()
    user.build()
    params = Params()
    if recipe.precision == "bf16-mixed":
        in_full = user.loss
        autocast = torch.autocast("cpu", torch.bfloat16)
        user.loss = lambda batch: autocast(in_full)(batch)
    global_step = 0
    for eidx in range(1, EPOCHS + 1):
        for idx, batch in enumerate(user.loader):
            user.train_batch(eidx, idx, global_step, batch, params, torch.device("cpu"))
            global_step += 1
    return user


def state_of(user: Any) -> dict[str, Any]:
    return {
        name: value.state_dict() if hasattr(value, "state_dict") else value
        for name, value in vars(user).items()
        if (not name.startswith("_") and not isinstance(value, DataLoader) and not callable(value))
        or isinstance(value, nn.Module)
    }


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_facade_training_equals_the_raw_loop_bit_for_bit(
    recipe: type[Recipe], tmp_path: Path
) -> None:
    by_hand = train_by_hand(recipe)
    facade = start(facade_of(recipe), tmp_path, EPOCHS, precision=recipe.precision)

    facade.train()

    torch.testing.assert_close(state_of(facade), state_of(by_hand), rtol=0, atol=0)


def test_training_changes_the_weights(tmp_path: Path) -> None:
    """Without this, the comparisons above could hold for a trainer that does nothing."""
    facade = start(facade_of(Momentum), tmp_path, EPOCHS)
    before = facade.model[0].weight.clone()

    facade.train()

    assert not torch.equal(before, facade.model[0].weight)


# -- torch is itself again -----------------------------------------------------------------------


class Failing(TinyTrainer):
    fail: Callable[[Any], None]

    def train_batch(self, *args: Any) -> Any:
        meter = super().train_batch(*args)
        if args[2] == 2:
            type(self).fail(self)
        return meter


def no_failure(self: Any) -> None:
    pass


def failure_in_the_batch(self: Any) -> None:
    raise RuntimeError("on purpose")


def failure_in_backward(self: Any) -> None:
    torch.zeros(2, requires_grad=True).backward()  # not a scalar: RuntimeError


def failure_in_step(self: Any) -> None:
    def closure() -> None:
        raise RuntimeError("on purpose")

    self.optim.step(closure)


@pytest.mark.parametrize(
    "fail", [no_failure, failure_in_the_batch, failure_in_backward, failure_in_step]
)
def test_backward_and_step_are_themselves_again_after_training(
    fail: Callable[[Any], None], tmp_path: Path
) -> None:
    backward, step = torch.Tensor.backward, SGD.step
    trainer = start(type("Failed", (Failing,), {"fail": fail}), tmp_path)
    if fail is no_failure:
        trainer.train()
    else:
        with pytest.raises(RuntimeError, match=r"on purpose|scalar"):
            trainer.train()

    assert torch.Tensor.backward is backward
    assert SGD.step is step
    assert "step" not in vars(trainer.optim)
    raw_step(trainer)


def raw_step(trainer: Any) -> None:
    """Step by hand, outside of any training: Lightning must not hear of it."""
    steps_before = trainer.lightning_trainer.global_step
    before = trainer.model[0].weight.clone()
    trainer.measure(next(iter(trainer.train_dataloader))).loss.backward()
    trainer.optim.step()
    assert not torch.equal(before, trainer.model[0].weight)
    assert trainer.lightning_trainer.global_step == steps_before


def test_a_scheduler_keeps_its_hold_on_step_through_a_training(tmp_path: Path) -> None:
    trainer = start(facade_of(AdamWithScheduler), tmp_path, 1)
    own_step = vars(trainer.optim)["step"]

    trainer.train()  # torch would warn if the scheduler did not see the steps

    assert vars(trainer.optim)["step"] is own_step


def test_a_scheduler_may_be_made_in_the_midst_of_training(tmp_path: Path) -> None:
    class Late(TinyTrainer):
        def train_batch(self, eidx, idx, global_step, *rest):
            if global_step == 2:
                self.scheduler = LambdaLR(self.optim, lambda step: 0.5**step)
            meter = super().train_batch(eidx, idx, global_step, *rest)
            if global_step >= 2:
                self.scheduler.step()
            return meter

    trainer = start(Late, tmp_path, 1)

    trainer.train()

    assert trainer.optim.param_groups[0]["lr"] == pytest.approx(0.1 * 0.5**3)


# -- the optimizer as an object ------------------------------------------------------------------


def test_an_alias_of_the_optimizer_in_a_dict_steps_as_the_attribute_does(tmp_path: Path) -> None:
    class ByAlias(TinyTrainer):
        def initial_trainer(self, params: Params) -> None:
            super().initial_trainer(params)
            self.optimizers = {"main": self.optim}
            self.same = self.optim

        def train_batch(self, eidx, idx, global_step, batch_data, params, device):
            meter = self.measure(batch_data)
            meter.loss.backward()
            (self.optimizers["main"] if idx % 2 else self.same).step()
            self.optimizers["main"].zero_grad()
            return meter

    by_alias, plain = start(ByAlias, tmp_path), start(TinyTrainer, tmp_path)
    by_alias.train()
    plain.train()

    assert torch.equal(by_alias.model[0].weight, plain.model[0].weight)
    assert by_alias.saver.load_checkpoint(3)["thexp_pl_optimizers"] == ["optim"]


def test_load_state_dict_in_mid_training_changes_the_real_learning_rate(tmp_path: Path) -> None:
    class Reloading(TinyTrainer):
        def train_batch(self, eidx, idx, global_step, *rest):
            if global_step == 1:
                state = self.optim.state_dict()
                state["param_groups"][0]["lr"] = 0.0
                self.optim.load_state_dict(state)
                self.at_reload = self.model[0].weight.clone()
            return super().train_batch(eidx, idx, global_step, *rest)

    trainer = start(Reloading, tmp_path, 1)

    trainer.train()

    assert torch.equal(trainer.model[0].weight, trainer.at_reload)


def test_an_optimizer_that_takes_the_place_of_another_is_saved_and_known_to_lightning(
    tmp_path: Path,
) -> None:
    class Switching(TinyTrainer):
        def train_batch(self, eidx, idx, global_step, *rest):
            if global_step == BATCHES + 1:  # in mid-epoch
                self.optim = Adam(self.model.parameters(), lr=0.01)
            return super().train_batch(eidx, idx, global_step, *rest)

    trainer = start(Switching, tmp_path, 3)

    trainer.train()

    for epoch, steps in ((2, BATCHES - 1), (3, 2 * BATCHES - 1)):
        (state,) = trainer.saver.load_checkpoint(epoch)["optimizer_states"]
        assert state["state"][0]["step"] == steps
    assert trainer.lightning_trainer.optimizers == [trainer.optim]
    assert "step" not in vars(trainer.optim)


def test_an_optimizer_of_parameters_that_nothing_holds_is_refused(tmp_path: Path) -> None:
    class Hidden(TinyTrainer):
        def initial_trainer(self, params: Params) -> None:
            super().initial_trainer(params)
            self._parts = [make_model()]
            self.optim = SGD([*self.model.parameters(), *self._parts[0].parameters()], lr=0.1)

    with pytest.raises(TrainerError, match=r"'optim' holds a parameter of shape \(8, 6\) that no"):
        start(Hidden, tmp_path)


def test_an_iterator_at_its_end_stops_training_instead_of_ending_batches_early(
    tmp_path: Path,
) -> None:
    class Unlabelled(TinyTrainer):
        def train_batch(self, eidx, idx, global_step, batch_data, params, device):
            next(iter(()))

    with pytest.raises(TrainerError, match="StopIteration"):
        start(Unlabelled, tmp_path).train()
