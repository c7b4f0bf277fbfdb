"""Epochs, batches and steps are counted as thexp counts them, and end where they should."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch.optim import SGD
from torch.utils.data import DataLoader, IterableDataset
from trainer_helpers import (
    BATCHES,
    EvalTrainer,
    TinyTrainer,
    ended_runs,  # noqa: F401 - a fixture of every test here
    make_data,
    make_model,
    same_weights,
    start,
    weights_of,
)

from thexp_pl import Params
from thexp_pl.errors import TrainerError


class Counting(EvalTrainer):
    """Notes the arguments of every train_batch, and how many batches each evaluation saw."""

    def initial_trainer(self, params: Params) -> None:
        super().initial_trainer(params)
        self._seen: list[tuple[int, int, int]] = []
        self._evaluated: list[int] = []

    def train_batch(self, eidx, idx, global_step, batch_data, params, device):
        assert (params.eidx, params.idx, params.global_step) == (eidx, idx, global_step)
        assert device == torch.device("cpu")
        self._seen.append((eidx, idx, global_step))
        return super().train_batch(eidx, idx, global_step, batch_data, params, device)

    def test_eval_logic(self, dataloader, params):
        self._evaluated.append(len(dataloader))
        assert len(list(dataloader)) == len(dataloader)
        return super().test_eval_logic(dataloader, params)


def expected(epochs: int, batches: int = BATCHES) -> list[tuple[int, int, int]]:
    return [(e + 1, b, e * batches + b) for e in range(epochs) for b in range(batches)]


def test_epochs_count_from_one_and_batches_from_zero(tmp_path: Path) -> None:
    trainer = start(Counting, tmp_path, 3)

    trainer.train()

    assert trainer._seen == expected(3)
    assert trainer.params.eidx == 4
    assert trainer.lightning_trainer.global_step == 3 * BATCHES


def test_calling_train_again_with_a_larger_epoch_goes_on(tmp_path: Path) -> None:
    trainer, at_once = start(Counting, tmp_path, 1), start(Counting, tmp_path, 3)
    trainer.train()
    trainer.train()  # nothing is left to do
    trainer.params.epoch = 3
    trainer.train()
    at_once.train()

    assert trainer._seen == expected(3)
    assert trainer.params.eidx == 4
    assert same_weights(weights_of(trainer), weights_of(at_once))


def test_training_no_epoch_leaves_everything_as_it_was(tmp_path: Path) -> None:
    trainer = start(Counting, tmp_path, 0)
    before = weights_of(trainer)

    trainer.train()

    assert trainer._seen == []
    assert trainer.params.eidx == 1
    assert same_weights(before, weights_of(trainer))


class TwoOptimizers(Counting):
    def initial_trainer(self, params: Params) -> None:
        super().initial_trainer(params)
        self.other = make_model()
        self.other_optim = SGD(self.other.parameters(), lr=0.1)

    def train_batch(self, *args: Any) -> Any:
        self.other(args[3][0]).sum().backward()
        self.other_optim.step()
        return super().train_batch(*args)


class NoOptimizer(Counting):
    def initial_trainer(self, params: Params) -> None:
        super().initial_trainer(params)
        del self.optim

    def train_batch(self, eidx, idx, global_step, batch_data, params, device):
        self._seen.append((eidx, idx, global_step))


class EverySecond(Counting):
    def train_batch(self, eidx, idx, global_step, batch_data, params, device):
        self._seen.append((eidx, idx, global_step))
        self.measure(batch_data).loss.backward()
        if idx % 2:
            self.optim.step()


@pytest.mark.parametrize("kind", [Counting, TwoOptimizers, NoOptimizer, EverySecond])
@pytest.mark.parametrize("steps", [1, BATCHES + 2])
def test_max_steps_stops_after_that_many_batches(
    kind: type[Counting], steps: int, tmp_path: Path
) -> None:
    trainer = start(kind, tmp_path, 10, max_steps=steps)

    trainer.train()

    assert trainer._seen == expected(10)[:steps]
    assert trainer.lightning_trainer.global_step == steps


def test_limit_train_batches_shortens_the_epochs(tmp_path: Path) -> None:
    trainer = start(Counting, tmp_path, 2, limit_train_batches=3)

    trainer.train()

    assert trainer._seen == expected(2, batches=3)


def test_lightnings_limits_hold_for_evaluation(tmp_path: Path) -> None:
    trainer = start(Counting, tmp_path, 1, limit_val_batches=2, limit_test_batches=0.6)

    trainer.train()

    assert trainer._evaluated == [2, 3]  # of eval and of test


def test_fast_dev_run_trains_one_batch_evaluates_one_and_saves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    trainer = start(Counting, tmp_path / "root", 10, fast_dev_run=1)

    trainer.train()

    assert trainer._seen == [(1, 0, 0)]
    assert trainer._evaluated == [1, 1]
    assert trainer.saver.find_checkpoints() + trainer.saver.find_models() == []
    assert [path.name for path in tmp_path.iterdir()] == ["root"]


def test_a_loader_without_length_trains_and_evaluates_to_its_end(tmp_path: Path) -> None:
    class Stream(IterableDataset):
        def __iter__(self):
            return iter([make_data()[index] for index in range(6)])

    class Streaming(TinyTrainer):
        def initial_trainer(self, params: Params) -> None:
            super().initial_trainer(params)
            loader = DataLoader(Stream(), 4)
            self.regist_databundler(train=loader, eval=loader, test=loader)
            self._sizes: list[int] = []

        def train_batch(self, *args: Any) -> Any:
            self._sizes.append(len(args[3][0]))
            return super().train_batch(*args)

        def test_eval_logic(self, dataloader, params):
            with pytest.raises(TypeError):
                len(dataloader)
            return {"batches": len(list(dataloader))}

    trainer = start(Streaming, tmp_path, 2)

    trainer.train()

    assert trainer._sizes == [4, 2, 4, 2]
    assert trainer.experiment.metrics["eval_batches"]["last"] == 2


def test_max_epochs_of_the_constructor_sets_the_epochs(tmp_path: Path) -> None:
    trainer = start(Counting, tmp_path, 10, max_epochs=2)

    trainer.train()

    assert trainer.params.epoch == 2
    assert trainer._seen == expected(2)


@pytest.mark.parametrize("epoch", ["10", 2.5, True, None, -2])
def test_a_number_of_epochs_that_is_none_is_refused(epoch: Any, tmp_path: Path) -> None:
    trainer = start(Counting, tmp_path, 1)
    trainer.params["epoch"] = epoch

    with pytest.raises(TrainerError, match=r"epoch=.*: give a number of epochs"):
        trainer.train()

    assert trainer._seen == []


@pytest.mark.parametrize(
    ("option", "value", "instead"),
    [
        ("accumulate_grad_batches", 4, "step"),
        ("gradient_clip_val", 0.5, "clip_grad"),
        ("check_val_every_n_epoch", 2, "EvalCallback"),
        ("val_check_interval", 0.5, "EvalCallback"),
    ],
)
def test_an_option_that_train_batch_replaces_is_refused_before_anything_starts(
    option: str, value: Any, instead: str, tmp_path: Path
) -> None:
    with pytest.raises(TrainerError, match=rf"^{option}={value} .*{instead}[^\n]*$"):
        start(TinyTrainer, tmp_path, **{option: value})

    assert list(tmp_path.iterdir()) == []


def test_the_neutral_values_of_such_options_are_taken(tmp_path: Path) -> None:
    neutral = {
        "accumulate_grad_batches": 1,
        "gradient_clip_val": None,
        "check_val_every_n_epoch": 1,
        "val_check_interval": 1.0,
        "logger": True,
        "strategy": "auto",
        "devices": "auto",
    }

    start(TinyTrainer, tmp_path, 1, **neutral).train()


def test_after_an_exception_train_begins_the_broken_epoch_anew(tmp_path: Path) -> None:
    class Once(Counting):
        def train_batch(self, eidx, idx, *rest):
            if (eidx, idx) == (2, 3) and not getattr(self, "_failed", False):
                self._failed = True
                raise RuntimeError("on purpose")
            return super().train_batch(eidx, idx, *rest)

    trainer = start(Once, tmp_path, 3)
    with pytest.raises(RuntimeError, match="on purpose"):
        trainer.train()
    del trainer._seen[:]

    trainer.train()

    assert [seen[:2] for seen in trainer._seen] == [seen[:2] for seen in expected(3)[BATCHES:]]
    assert trainer.params.eidx == 4
    again = start(Counting, tmp_path, 4)
    again.load_checkpoint(trainer.saver.find_checkpoints()[-1])
    assert again.params.eidx == 4


def test_lightnings_hooks_fire_at_every_backward_and_step(tmp_path: Path) -> None:
    class Hooks(pl.Callback):
        def __init__(self) -> None:
            self.fired: list[str] = []

        def on_before_backward(self, trainer, pl_module, loss):
            self.fired.append("backward")

        def on_before_optimizer_step(self, trainer, pl_module, optimizer):
            self.fired.append("step")

    hooks = Hooks()
    start(TwoOptimizers, tmp_path, 1, callbacks=[hooks], limit_train_batches=2).train()

    assert hooks.fired == ["backward", "step"] * 4
