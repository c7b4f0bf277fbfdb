"""`clip_grad`, and what else changes gradients between backward and step."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from precision_helpers import HUGE, assert_same, scale_of, start_half
from torch import nn
from torch.nn.utils import clip_grad_norm_ as an_alias
from torch.optim import SGD
from trainer_helpers import (
    TinyTrainer,
    ended_runs,  # noqa: F401 - a fixture of every test here
    start,
    weights_of,
)

from thexp_pl.errors import TrainerError


class Doing(TinyTrainer):
    """Between backward and step something is done to the gradients."""

    act: Callable[[Any], Any]
    factor = 1.0

    def train_batch(self, eidx, idx, global_step, batch_data, params, device):
        meter = self.measure(batch_data)
        (meter.loss * self.factor).backward()
        self.result = type(self).act(self)
        self.optim.step()
        self.optim.zero_grad()
        return meter


def doing(act: Callable[[Any], Any], **attributes: Any) -> type[Doing]:
    return type("Doing", (Doing,), {"act": act, **attributes})


# -- refused -------------------------------------------------------------------------------------


def with_torch(trainer: Any) -> None:
    nn.utils.clip_grad_norm_(trainer.model.parameters(), 0.1)


def by_another_name(trainer: Any) -> None:
    an_alias(trainer.model.parameters(), 0.1)


def by_value(trainer: Any) -> None:
    nn.utils.clip_grad_value_(trainer.model.parameters(), 0.01)


def one_in_place(trainer: Any) -> None:
    trainer.model[2].bias.grad.mul_(2)


def another_tensor(trainer: Any) -> None:
    trainer.model[2].bias.grad = torch.zeros(3)


@pytest.mark.parametrize(
    "act", [with_torch, by_another_name, by_value, one_in_place, another_tensor]
)
def test_gradients_changed_before_a_scaled_step_are_refused_and_nothing_has_stepped(
    act: Callable[[Any], None], tmp_path: Path
) -> None:
    trainer = start_half(doing(act), tmp_path)
    before = weights_of(trainer)

    with pytest.raises(TrainerError, match=r"model\.\d\.\w+ was changed .* self\.clip_grad\("):
        trainer.train()

    assert_same(weights_of(trainer), before)


@pytest.mark.parametrize("act", [with_torch, one_in_place])
def test_the_same_is_no_error_without_a_scaler(act: Callable[[Any], None], tmp_path: Path) -> None:
    trainer = start(doing(act), tmp_path, precision="bf16-mixed")
    before = weights_of(trainer)

    trainer.train()

    assert not torch.equal(before["model.0.weight"], trainer.model[0].weight)


# -- right ---------------------------------------------------------------------------------------


def drop_a_layer(trainer: Any) -> None:
    for parameter in trainer.model[2].parameters():
        parameter.grad = None


def test_a_gradient_may_be_taken_away_before_a_scaled_step(tmp_path: Path) -> None:
    trainer = start_half(doing(drop_a_layer), tmp_path)
    before = weights_of(trainer)

    trainer.train()

    assert torch.equal(trainer.model[2].weight, before["model.2.weight"])
    assert not torch.equal(trainer.model[0].weight, before["model.0.weight"])


def test_gradients_have_their_true_size_between_backward_and_step(tmp_path: Path) -> None:
    def norm(trainer: Any) -> float:
        return max(float(one.grad.abs().max()) for one in trainer.model.parameters())

    trainer = start_half(doing(norm), tmp_path)

    trainer.train()

    assert scale_of(trainer) > 1000
    assert 0 < trainer.result < 1


def test_an_overflow_that_was_clamped_out_of_sight_skips_the_step_all_the_same(
    tmp_path: Path,
) -> None:
    def clamp(trainer: Any) -> None:
        for parameter in trainer.model.parameters():
            parameter.grad.data.nan_to_num_(0.0).clamp_(-1, 1)

    trainer = start_half(doing(clamp, factor=HUGE), tmp_path, 1)
    before, scale = weights_of(trainer), scale_of(trainer)

    trainer.train()

    assert_same(weights_of(trainer), before)
    assert scale_of(trainer) < scale


@pytest.mark.parametrize("of", ["optimizer", "model"])
def test_gradients_zeroed_in_place_are_no_change(of: str, tmp_path: Path) -> None:
    class InPlace(TinyTrainer):
        def train_batch(self, eidx, idx, global_step, batch_data, params, device):
            (self.optim if of == "optimizer" else self.model).zero_grad(set_to_none=False)
            meter = self.measure(batch_data)
            meter.loss.backward()
            self.optim.step()
            return meter

    in_place, to_none = start_half(InPlace, tmp_path), start_half(TinyTrainer, tmp_path)

    in_place.train()
    to_none.train()

    assert_same(weights_of(in_place), weights_of(to_none))


# -- clip_grad without a scaler ------------------------------------------------------------------


def test_clip_grad_equals_torchs_clipping_bit_for_bit(tmp_path: Path) -> None:
    by_torch = start(doing(lambda t: an_alias(t.model.parameters(), 0.05)), tmp_path)
    by_trainer = start(doing(lambda t: t.clip_grad(t.optim, 0.05)), tmp_path)

    by_torch.train()
    by_trainer.train()

    assert_same(weights_of(by_trainer), weights_of(by_torch))
    assert_same(by_trainer.result, by_torch.result)


@pytest.mark.parametrize("half", [False, True])
def test_clip_grad_takes_optimizers_modules_tensors_and_several_tensors(
    half: bool, tmp_path: Path
) -> None:
    def norms(trainer: Any) -> list[float]:
        weight, bias = trainer.model[2].parameters()
        those = [trainer.optim, trainer.model, trainer.model.parameters(), weight, [weight, bias]]
        those += [[weight, weight], []]
        return [trainer.clip_grad(those_of) for those_of in those]

    trainer = (start_half if half else start)(doing(norms), tmp_path, 1)

    trainer.train()

    all_of_it, as_model, as_list, weight, layer, twice, nothing = map(float, trainer.result)
    assert all_of_it == as_model == as_list > layer > weight > 0
    assert twice == weight  # what is named twice counts once
    assert nothing == 0


@pytest.mark.parametrize("half", [False, True])
def test_clip_grad_by_value_keeps_each_number_within_the_bound(half: bool, tmp_path: Path) -> None:
    def clip(trainer: Any) -> float:
        trainer.clip_grad(trainer.model, clip_value=0.01)
        return max(float(one.grad.abs().max()) for one in trainer.model.parameters())

    trainer = (start_half if half else start)(doing(clip), tmp_path, 1)

    trainer.train()

    assert trainer.result == pytest.approx(0.01)


def test_clip_grad_by_value_does_not_make_an_overflow_a_step(tmp_path: Path) -> None:
    act = doing(lambda t: t.clip_grad(t.model, clip_value=0.01), factor=HUGE)
    trainer = start_half(act, tmp_path, 1)
    before = weights_of(trainer)

    trainer.train()

    assert_same(weights_of(trainer), before)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (lambda t: ("model", 1.0), "a str has no gradient; give an optimizer"),
        (lambda t: (3, 1.0), "a int has no gradient"),
        (lambda t: (t.model.named_parameters(), 1.0), "a tuple has no gradient"),
        (lambda t: (t.model, -1.0), "max_norm=-1.0 would turn the gradients; give 0 or more"),
        (lambda t: (t.model, float("nan")), "max_norm=nan"),
    ],
)
def test_clip_grad_of_something_else_is_refused_in_a_line(
    arguments: Callable[[Any], Any], message: str, tmp_path: Path
) -> None:
    trainer = start(doing(lambda t: t.clip_grad(*arguments(t))), tmp_path)

    with pytest.raises(TrainerError, match=message):
        trainer.train()


def test_clipping_by_norm_and_by_value_at_once_is_refused(tmp_path: Path) -> None:
    trainer = start(doing(lambda t: t.clip_grad(t.model, 1.0, clip_value=1.0)), tmp_path)

    with pytest.raises(TrainerError, match="two ways to clip; give one of them"):
        trainer.train()


# -- optimizers that the scaler does not know ----------------------------------------------------


class Local(TinyTrainer):
    """Trains by an optimizer that it makes anew for every batch."""

    def train_batch(self, eidx, idx, global_step, batch_data, params, device):
        meter = self.measure(batch_data)
        meter.loss.backward()
        SGD(self.model.parameters(), lr=0.1).step()
        return meter


def test_the_step_of_an_optimizer_that_no_attribute_holds_is_refused_under_a_scaler(
    tmp_path: Path,
) -> None:
    start(Local, tmp_path, 1).train()
    trainer = start_half(Local, tmp_path, 1)
    before = weights_of(trainer)

    with pytest.raises(TrainerError, match="the step of a SGD that no attribute held"):
        trainer.train()

    assert_same(weights_of(trainer), before)
