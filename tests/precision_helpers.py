"""Trainings under float16 mixed precision on the CPU, and the same written by hand."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.plugins.precision import MixedPrecision
from torch import nn
from torch.optim import SGD, Adam, Optimizer
from trainer_helpers import make_loader, make_model, start

from thexp_pl import Params, Trainer

FIRST_SCALE, GROWTH_INTERVAL = 2.0**10, 2
HUGE = 1e30  # a loss multiplied by it overflows in float16, not in float32
cross = nn.functional.cross_entropy


def half(**options: Any) -> MixedPrecision:
    """Give Lightning's plugin for 16-mixed with a scale that soon changes, as on a GPU."""
    scaler = torch.amp.GradScaler(
        "cpu", **{"init_scale": FIRST_SCALE, "growth_interval": GROWTH_INTERVAL, **options}
    )
    return MixedPrecision("16-mixed", "cpu", scaler=scaler)


def start_half(trainer_class: type[Trainer], root: Path, epoch: int = 3, **options: Any) -> Any:
    options = {"plugins": half(), "enable_checkpointing": False, **options}
    return start(trainer_class, root, epoch, **options)


def scale_of(trainer: Any) -> float:
    return trainer.lightning_trainer.precision_plugin.scaler.get_scale()


# -- a training as a list of what it does --------------------------------------------------------


class TwoNets:
    """Two networks with an optimizer each; what is done with them stands in a script."""

    def build(self) -> None:
        self.nets = nn.ModuleDict({"a": make_model(), "b": make_model()})
        self.optim_a = SGD(self.nets["a"].parameters(), lr=0.1, momentum=0.9)
        self.optim_b = Adam(self.nets["b"].parameters(), lr=0.01)

    def optimizer(self, name: str) -> Optimizer:
        return self.optim_a if name == "a" else self.optim_b

    def loss(self, of: str, factor: float, batch: Any) -> torch.Tensor:
        xs, ys = batch
        logits = sum(self.nets[name](xs) for name in of)
        return cross(logits, ys) * factor


class Scripted(TwoNets, Trainer):
    """The facade's: raw backward, raw step, and `clip_grad`."""

    script: list[list[tuple[Any, ...]]]

    def initial_trainer(self, params: Params) -> None:
        self.build()
        self.regist_databundler(train=make_loader(samples=4 * len(self.script)))

    def train_batch(self, eidx, idx, global_step, batch_data, params, device):  # type: ignore[no-untyped-def]
        for word, of, number in self.script[idx]:
            if word == "backward":
                self.loss(of, number, batch_data).backward()
            elif word == "step":
                self.optimizer(of).step()
            elif word == "zero":
                self.optimizer(of).zero_grad(set_to_none=bool(number))
            else:
                self.clip_grad([one for name in of for one in self.nets[name].parameters()], number)


class ByHand(TwoNets):
    """The same without any framework: each gradient divided by the scale that it was made with."""

    def __init__(self, script: list[list[tuple[Any, ...]]]) -> None:
        self.build()
        self.script = script
        self.scale, self.grown = FIRST_SCALE, 0
        self.stepped: set[str] = set()
        self.overflow = False

    def train(self) -> None:
        for ops, batch in zip(self.script, make_loader(samples=4 * len(self.script)), strict=True):
            with torch.autocast("cpu", torch.float16, cache_enabled=False):  # as Lightning
                for word, of, number in ops:
                    getattr(self, word)(of, number, batch)
            self.update()

    def parameters(self, of: Iterable[str]) -> list[nn.Parameter]:
        return [one for name in of for one in self.nets[name].parameters()]

    def backward(self, of: str, factor: float, batch: Any) -> None:
        parameters = self.parameters(of)
        made = torch.autograd.grad(self.loss(of, factor, batch) * self.scale, parameters)
        for parameter, gradient in zip(parameters, made, strict=True):
            true = gradient / self.scale
            parameter.grad = true if parameter.grad is None else parameter.grad + true

    def clip(self, of: str, max_norm: float, batch: Any) -> None:
        nn.utils.clip_grad_norm_(self.parameters(of), max_norm)

    def zero(self, of: str, to_none: bool, batch: Any) -> None:
        self.optimizer(of).zero_grad(set_to_none=bool(to_none))

    def step(self, of: str, _: Any, batch: Any) -> None:
        gradients = [one.grad for one in self.parameters(of) if one.grad is not None]
        if not gradients:
            return
        if of in self.stepped:
            self.update()
        self.stepped.add(of)
        if all(bool(one.isfinite().all()) for one in gradients):
            self.optimizer(of).step()
        else:
            self.overflow = True

    def update(self) -> None:
        if not self.stepped:
            return
        if self.overflow:
            self.scale, self.grown = self.scale / 2, 0
        elif self.grown + 1 == GROWTH_INTERVAL:
            self.scale, self.grown = self.scale * 2, 0
        else:
            self.grown += 1
        self.stepped, self.overflow = set(), False


def everything(user: TwoNets) -> dict[str, Any]:
    """Give all that a training changes: weights, the optimizers' states and the gradients."""
    return {
        "weights": user.nets.state_dict(),
        "a": user.optim_a.state_dict(),
        "b": user.optim_b.state_dict(),
        "gradients": [one.grad for one in user.nets.parameters()],
    }


def assert_same(one: Any, other: Any) -> None:
    """Compare bit for bit; a NaN equals a NaN, None equals None."""
    if isinstance(one, torch.Tensor):
        torch.testing.assert_close(one, other, rtol=0, atol=0, equal_nan=True)
    elif isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            assert_same(one[key], other[key])
    elif isinstance(one, (list, tuple)):
        assert len(one) == len(other)
        for mine, theirs in zip(one, other, strict=True):
            assert_same(mine, theirs)
    else:
        assert one == other
