"""float16 mixed precision with raw backward and step equals the same written by hand."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from precision_helpers import (
    FIRST_SCALE,
    GROWTH_INTERVAL,
    HUGE,
    ByHand,
    Scripted,
    TwoNets,
    assert_same,
    cross,
    everything,
    half,
    scale_of,
    start_half,
)
from torch import nn
from torch.optim.lr_scheduler import StepLR
from trainer_helpers import (
    BATCHES,
    TinyTrainer,
    ended_runs,  # noqa: F401 - a fixture of every test here
    make_loader,
    start,
)

from thexp_pl import Params, Trainer

nets, both = st.sampled_from("ab"), st.sampled_from(["a", "b", "ab"])
factors = st.sampled_from([1.0, 1.0, 0.5, HUGE])
operations = st.one_of(
    st.tuples(st.just("backward"), both, factors),
    st.tuples(st.just("backward"), both, factors),
    st.tuples(st.just("step"), nets, st.none()),
    st.tuples(st.just("clip"), both, st.sampled_from([0.01, 0.1, 100.0])),
    st.tuples(st.just("zero"), nets, st.just(True)),
)
scripts = st.lists(st.lists(operations, max_size=6), min_size=1, max_size=6)

ADDED_UP_WHILE_THE_OTHER_STEPS = [
    [("backward", "ab", 1.0), ("step", "a", None), ("zero", "a", True)],
    [("backward", "ab", 1.0), ("step", "a", None), ("zero", "a", True)],
    [("backward", "a", HUGE), ("step", "a", None), ("zero", "a", True)],
    [("backward", "ab", 0.5), ("clip", "b", 0.1), ("step", "b", None), ("step", "a", None)],
]
NEVER_ZEROED = [[("backward", "a", 1.0), ("step", "a", None)]] * 4
TWO_STEPS_A_BATCH = [
    [("backward", "a", factor), ("step", "a", None), ("backward", "a", 1.0), ("step", "a", None)]
    for factor in (1.0, HUGE, 0.5)
]


@given(script=scripts)
@example(script=ADDED_UP_WHILE_THE_OTHER_STEPS)
@example(script=NEVER_ZEROED)
@example(script=TWO_STEPS_A_BATCH)
@example(script=[[("step", "a", None)], [("backward", "b", 1.0), ("step", "b", None)]])
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_any_order_of_backward_clip_and_step_equals_the_same_by_hand(
    script: list[list[tuple[Any, ...]]],
) -> None:
    by_hand = ByHand(script)
    by_hand.train()
    with tempfile.TemporaryDirectory() as root:
        trainer = start_half(type("Case", (Scripted,), {"script": script}), Path(root), 1)
        trainer.train()
        trainer.experiment.end_exp()

    assert_same(everything(trainer), everything(by_hand))
    assert scale_of(trainer) == by_hand.scale


# -- the recipe of torch.amp ---------------------------------------------------------------------


class Adversaries(TwoNets):
    """A generator and its critic, with clipping; `scaled`, `step` and `clip` say how."""

    def train_on(self, batch: Any, number: int) -> None:
        fake = self.nets["a"](batch[0])
        factor = HUGE if number in (1, 7) else 1.0
        real = nn.functional.pad(nn.functional.one_hot(batch[1], 3).float(), (0, 3))
        guess = self.nets["b"](real).mean() - self.nets["b"](pad(fake.detach())).mean()
        self.optim_b.zero_grad()
        self.do_backward(guess * factor)
        self.do_clip(self.optim_b, 0.5)
        self.do_step(self.optim_b)
        self.optim_a.zero_grad()
        self.do_backward(self.nets["b"](pad(fake)).mean() + cross(fake, batch[1]))
        self.do_clip(self.optim_a, 0.1)
        self.do_step(self.optim_a)


def pad(logits: torch.Tensor) -> torch.Tensor:
    return nn.functional.pad(logits, (0, 3))


class AdversariesOfTheFacade(Adversaries, Trainer):
    def initial_trainer(self, params: Params) -> None:
        self.build()
        self.regist_databundler(train=make_loader())

    def train_batch(self, eidx, idx, global_step, batch_data, params, device):
        self.train_on(batch_data, global_step)

    def do_backward(self, loss: torch.Tensor) -> None:
        loss.backward()

    def do_clip(self, optimizer: Any, max_norm: float) -> None:
        self.clip_grad(optimizer, max_norm)

    def do_step(self, optimizer: Any) -> None:
        optimizer.step()


class AdversariesOfTorch(Adversaries):
    def __init__(self) -> None:
        self.build()
        self.scaler = torch.amp.GradScaler(
            "cpu", init_scale=FIRST_SCALE, growth_interval=GROWTH_INTERVAL
        )

    def do_backward(self, loss: torch.Tensor) -> None:
        self.scaler.scale(loss).backward()

    def do_clip(self, optimizer: Any, max_norm: float) -> None:
        self.scaler.unscale_(optimizer)
        own = optimizer.param_groups[0]["params"]
        nn.utils.clip_grad_norm_(own, max_norm)

    def do_step(self, optimizer: Any) -> None:
        self.scaler.step(optimizer)

    def train(self) -> None:
        number = 0
        for _ in range(2):
            for batch in make_loader():
                with torch.autocast("cpu", torch.float16, cache_enabled=False):  # as Lightning
                    self.train_on(batch, number)
                self.scaler.update()
                number += 1


def test_two_optimizers_with_clipping_and_overflows_equal_the_recipe_of_torch_amp(
    tmp_path: Path,
) -> None:
    by_torch = AdversariesOfTorch()
    by_torch.train()
    trainer = start_half(AdversariesOfTheFacade, tmp_path, 2)

    trainer.train()

    for part in ("weights", "a", "b"):  # torch leaves the critic's last gradients scaled
        assert_same(everything(trainer)[part], everything(by_torch)[part])
    assert scale_of(trainer) == by_torch.scaler.get_scale() != FIRST_SCALE


# -- a step that is skipped ----------------------------------------------------------------------


class Overflowing(TinyTrainer):
    """The first batch overflows, and a scheduler steps after every batch."""

    def initial_trainer(self, params: Params) -> None:
        super().initial_trainer(params)
        self.scheduler = StepLR(self.optim, step_size=1, gamma=0.5)
        self.seen: list[Any] = []

    def train_batch(self, eidx, idx, global_step, batch_data, params, device):
        before = self.model[0].weight.clone()
        meter = self.measure(batch_data)
        (meter.loss * (HUGE if global_step == 0 else 1.0)).backward()
        self.norm = self.clip_grad(self.model, 1.0)
        self.optim.step()
        self.optim.zero_grad()
        self.scheduler.step()  # torch would warn if it thought that the step came after it
        changed = not torch.equal(before, self.model[0].weight)
        self.seen.append((changed, len(self.optim.state), bool(self.norm.isfinite())))
        return meter


def test_a_batch_that_overflows_changes_nothing_and_is_counted_all_the_same(
    tmp_path: Path,
) -> None:
    trainer = start_half(Overflowing, tmp_path, 1, plugins=half(growth_interval=1000))

    trainer.train()

    assert trainer.seen == [(False, 0, False)] + [(True, 4, True)] * (BATCHES - 1)
    assert scale_of(trainer) == FIRST_SCALE / 2
    assert trainer.lightning_trainer.global_step == BATCHES
    assert trainer.optim.param_groups[0]["lr"] == pytest.approx(0.1 * 0.5**BATCHES)


def test_sixteen_mixed_on_the_cpu_trains_in_bfloat16_as_lightning_says(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="AMP with fp16 is not supported on CPU"):
        trainer = start(TinyTrainer, tmp_path, 1, precision="16-mixed")

    trainer.train()

    assert trainer.lightning_trainer.precision == "bf16-mixed"
