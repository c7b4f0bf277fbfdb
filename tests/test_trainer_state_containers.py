"""Lists, tuples, sets and dicts as attributes of the facade, and objects without a state_dict."""

from __future__ import annotations

import copy
from collections import deque
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim import SGD
from torch.optim.lr_scheduler import StepLR
from trainer_helpers import (
    BATCHES,
    TinyTrainer,
    ended_runs,  # noqa: F401 - a fixture of every test here
    make_model,
    start,
)

from thexp_pl import AvgMeter, Params
from thexp_pl.errors import CheckpointError, TrainerError


class Pair(NamedTuple):
    low: Any
    high: Any


class Teaching(TinyTrainer):
    """Averages, a teacher and a history of each kind of container."""

    def initial_trainer(self, params: Params) -> None:
        super().initial_trainer(params)
        self.shadow = {name: one.clone() for name, one in self.model.state_dict().items()}
        self.teachers = [copy.deepcopy(self.model)]
        self.heads = {"a": {"deep": nn.Linear(8, 3)}}
        self.optims = [SGD(self.heads["a"]["deep"].parameters(), lr=0.1, momentum=0.9)]
        self.schedulers = (StepLR(self.optims[0], step_size=2, gamma=0.5),)
        self.meters = {"all": AvgMeter()}
        self.history: list[float] = []
        self.losses: list[torch.Tensor] = []
        self.queue = deque([torch.zeros(4, 6)], maxlen=2)
        self.seen: set[int] = set()
        self.bounds = Pair(float("inf"), np.zeros(2))
        self.best: dict[str, torch.Tensor] | None = None
        self._scratch = [0]

    def train_batch(self, eidx, idx, global_step, batch_data, params, device):
        meter = self.measure(batch_data)
        hidden = self.model[1](self.model[0](batch_data[0]))
        other = nn.functional.cross_entropy(self.heads["a"]["deep"](hidden), batch_data[1])
        (meter.loss + other).backward()
        for optim in (self.optim, *self.optims):
            optim.step()
            optim.zero_grad()
        self.schedulers[0].step()
        with torch.no_grad():
            for name, one in self.model.state_dict().items():
                self.shadow[name].mul_(0.9).add_(one, alpha=0.1)
            for mine, theirs in zip(
                self.teachers[0].parameters(), self.model.parameters(), strict=True
            ):
                mine.mul_(0.9).add_(theirs, alpha=0.1)
        self.meters["all"].update({"loss": meter.loss.detach()})
        self.history.append(meter.loss.item())
        self.losses.append(meter.loss.detach())
        self.queue.append(batch_data[0])
        self.seen.add(global_step)
        self.bounds = Pair(min(self.bounds.low, meter.loss.item()), self.bounds.high + 1)
        self.best = copy.deepcopy(self.model.state_dict())
        self._scratch.append(1)
        return meter


def state_of(trainer: Any) -> dict[str, Any]:
    return {
        "weights": dict(trainer.module.state_dict()),
        "optimizers": [one.state_dict() for one in (trainer.optim, *trainer.optims)],
        "schedulers": trainer.schedulers[0].state_dict(),
        "meters": trainer.meters["all"].state_dict(),
        **{n: getattr(trainer, n) for n in ("shadow", "history", "losses", "bounds")},
        "best": dict(trainer.best),
        "queue": list(trainer.queue),
        "seen": sorted(trainer.seen),
    }


def assert_same(one: Any, two: Any) -> None:
    torch.testing.assert_close(state_of(one), state_of(two), rtol=0, atol=0)


def test_a_resumed_run_has_what_lists_and_dicts_held_bit_for_bit(tmp_path: Path) -> None:
    at_once = start(Teaching, tmp_path, 2)
    at_once.train()
    first, second = start(Teaching, tmp_path, 1), start(Teaching, tmp_path, 2)
    first.train_step(BATCHES - 2)
    path = first.save_checkpoint()
    shadow, queue, weight = second.shadow, second.queue, second.shadow["0.weight"]

    second.load_checkpoint(path)
    assert_same(second, first)
    second.train()

    assert_same(second, at_once)
    assert (second.shadow is shadow, second.queue is queue) == (True, True)
    assert second.shadow["0.weight"] is weight, "whatever else holds it would see the old values"
    assert (type(second.queue), second.queue.maxlen, type(second.bounds)) == (deque, 2, Pair)
    assert len(second.history) == 2 * BATCHES
    assert len(second._scratch) == 2 * BATCHES - (BATCHES - 2) + 1, "a private one is left alone"


def test_modules_in_lists_and_dicts_are_in_the_weights_under_their_places(tmp_path: Path) -> None:
    trainer = start(Teaching, tmp_path, 1)

    weights = torch.load(trainer.save_model(), weights_only=True)["state_dict"]

    assert {"teachers.0.0.weight", "heads.a.deep.bias"} <= weights.keys()
    trainer.to("cpu")
    trainer.change_mode(False)
    assert not trainer.teachers[0].training
    assert dict(trainer.module.named_parameters())["teachers.0.0.weight"].requires_grad


def test_modules_and_tensors_that_are_attributes_too_are_saved_once(tmp_path: Path) -> None:
    class Aliasing(TinyTrainer):
        def initial_trainer(self, params: Params) -> None:
            super().initial_trainer(params)
            self.layers = list(self.model)
            self.trained = list(self.model.parameters())

    first, second = start(Aliasing, tmp_path, 1), start(Aliasing, tmp_path, 1)
    first.train()
    path = first.save_checkpoint()
    parameters = second.trained[:]

    second.load_checkpoint(path)

    state = torch.load(path, weights_only=True)
    assert all(name.startswith("model.") for name in state["state_dict"])
    assert not any(isinstance(one, torch.Tensor) for one in _ends(state["thexp_pl_attributes"]))
    assert all(one is two for one, two in zip(second.trained, parameters, strict=True))
    assert torch.equal(second.trained[0], first.trained[0])


def _ends(state: Any) -> list[Any]:
    if isinstance(state, dict):
        return [end for one in state.values() for end in _ends(one)]
    return [end for one in state for end in _ends(one)] if isinstance(state, list) else [state]


def test_a_checkpoint_from_before_there_were_lists_leaves_them_as_they_are(tmp_path: Path) -> None:
    class Growing(TinyTrainer):
        def initial_trainer(self, params: Params) -> None:
            super().initial_trainer(params)
            self.nets = [make_model()]
            self.history = [1.0]

    old, new = start(TinyTrainer, tmp_path, 1), start(Growing, tmp_path, 1)
    old.train()

    new.load_checkpoint(old.saver.find_checkpoints()[-1])

    assert torch.equal(new.model[0].weight, old.model[0].weight)
    assert torch.equal(new.nets[0][0].weight, make_model()[0].weight)
    assert new.history == [1.0]


def test_another_number_of_modules_or_objects_is_refused(tmp_path: Path) -> None:
    class Nets(TinyTrainer):
        count = 2

        def initial_trainer(self, params: Params) -> None:
            super().initial_trainer(params)
            self.nets = [nn.Linear(2, 2) for _ in range(self.count)]

    class Meters(TinyTrainer):
        count = 2

        def initial_trainer(self, params: Params) -> None:
            super().initial_trainer(params)
            self.meters = [AvgMeter() for _ in range(self.count)]

    for kind, message in ((Nets, "its 'nets.1.weight' has no place"), (Meters, "make as many")):
        path = start(kind, tmp_path, 1).save_checkpoint()
        fewer = start(type(kind.__name__, (kind,), {"count": 1}), tmp_path, 1)
        with pytest.raises(CheckpointError, match=message):
            fewer.load_checkpoint(path)


def test_what_cannot_be_stored_leaves_a_list_out_and_keeps_its_modules(tmp_path: Path) -> None:
    class Odd(TinyTrainer):
        def initial_trainer(self, params: Params) -> None:
            super().initial_trainer(params)
            self.stages = [nn.Linear(2, 2), print]
            self.own = [1]
            self.own.append(self.own)  # type: ignore[arg-type]

    state = torch.load(start(Odd, tmp_path, 1).save_checkpoint(), weights_only=True)

    assert "stages.0.weight" in state["state_dict"]
    assert state["thexp_pl_attributes"].keys().isdisjoint({"stages", "own"})


def test_two_modules_of_one_name_are_refused(tmp_path: Path) -> None:
    class Twice(TinyTrainer):
        def initial_trainer(self, params: Params) -> None:
            super().initial_trainer(params)
            self.nets = {1: nn.Linear(2, 2), "1": nn.Linear(2, 2)}

    with pytest.raises(TrainerError, match=r"two modules are called self\.nets\.1"):
        start(Twice, tmp_path, 1)


def test_load_from_checkpoint_fills_lists_and_makes_schedulers_anew(tmp_path: Path) -> None:
    trained = start(Teaching, tmp_path, 1)
    trained.train()

    loaded = Teaching.load_from_checkpoint(trained.saver.find_checkpoints()[-1])

    assert (loaded.history, loaded.seen) == (trained.history, trained.seen)
    assert torch.equal(loaded.shadow["0.weight"], trained.shadow["0.weight"])
    assert torch.equal(loaded.teachers[0][0].weight, trained.teachers[0][0].weight)
    assert loaded.schedulers[0].last_epoch == 0
