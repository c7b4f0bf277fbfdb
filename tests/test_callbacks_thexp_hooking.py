"""Hooking callbacks while a trainer lives: in a training, between two, and in copies of it."""

from __future__ import annotations

import copy
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
from trainer_helpers import (
    BATCHES,
    EvalTrainer,
    TinyTrainer,
    ended_runs,  # noqa: F401 - a fixture of every test here
    plain_trainer,
    start,
)

from thexp_pl import Params, Trainer
from thexp_pl.callbacks import (
    BaseCallback,
    EvalCallback,
    LoggerCallback,
    MeterCallback,
    SaverCallback,
    TrainCallback,
)
from thexp_pl.errors import TrainerError


class Counting(TrainCallback):
    def __init__(self) -> None:
        self.batches = 0
        self.ends: list[str] = []

    def on_train_batch_begin(self, trainer, func, params, *args, **kwargs):
        self.batches += 1

    def on_end(self, trainer, func, params, meter, *args, **kwargs):
        if func.__name__ in ("train", "train_epoch"):
            self.ends.append(func.__name__)


def test_without_a_callback_nothing_stands_before_a_method(tmp_path: Path) -> None:
    trainer = start(TinyTrainer, tmp_path, 1)

    def is_bare(method: str) -> bool:
        return getattr(getattr(trainer, method), "__func__", None) is getattr(TinyTrainer, method)

    hot = ("train_batch", "measure", "predict", "eval", "test_eval_logic")
    assert all(map(is_bare, hot))
    counting = Counting().hook(trainer)
    assert not any(map(is_bare, hot))
    trainer.train()
    counting.unhook()
    assert all(map(is_bare, hot))


def test_a_callback_hooked_while_a_training_runs_hears_the_rest_of_it(tmp_path: Path) -> None:
    counting = Counting()

    class Hooking(TinyTrainer):
        def train_batch(self, eidx, idx, *args):
            if (eidx, idx) == (1, 1):
                counting.hook(self)
            if (eidx, idx) == (3, 0):
                counting.unhook()
            return super().train_batch(eidx, idx, *args)

    trainer = start(Hooking, tmp_path, 3)

    trainer.train()

    assert counting.batches == (BATCHES - 2) + BATCHES + 1
    assert counting.ends == ["train_epoch", "train_epoch"]


def test_a_callback_hooked_while_a_training_runs_hears_its_end(tmp_path: Path) -> None:
    counting = Counting()

    class Hooking(TinyTrainer):
        def train_batch(self, *args):
            if counting.trainer is None:
                counting.hook(self)
            return super().train_batch(*args)

    trainer = start(Hooking, tmp_path, 1)

    trainer.train()

    assert counting.ends == ["train_epoch", "train"]


def test_what_a_callback_hooks_and_takes_off_counts_from_the_next_call_on(tmp_path: Path) -> None:
    counting = Counting()

    class Changing(BaseCallback):
        def on_train_batch_end(self, trainer, func, params, meter, *args):
            self.unhook()
            counting.hook(trainer)

    trainer = start(TinyTrainer, tmp_path, 1)
    Changing().hook(trainer)

    trainer.train()

    assert counting.batches == BATCHES - 1


# -- Lightning's callbacks -----------------------------------------------------------------------


class Epochs(pl.Callback):
    def __init__(self) -> None:
        self.count = 0

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.count += 1


def test_a_lightning_callback_is_hooked_and_taken_off_between_two_trainings(
    tmp_path: Path,
) -> None:
    trainer = start(TinyTrainer, tmp_path, 1)
    trainer.train()
    epochs = Epochs()
    assert trainer.add_callback(epochs) is True

    trainer.params.epoch = 3
    trainer.train()
    trainer.remove_callback(Epochs)
    trainer.params.epoch = 4
    trainer.train()

    assert epochs.count == 2


def test_callbacks_hooked_later_keep_the_order_in_which_they_work(tmp_path: Path) -> None:
    trainer = start(EvalTrainer, tmp_path, 1)
    trainer.train()

    newer = EvalCallback(1, 1)
    for callback in (newer, LoggerCallback(), Epochs()):
        trainer.add_callback(callback)
    callbacks = trainer.lightning_trainer.callbacks

    assert [one for one in callbacks if isinstance(one, EvalCallback)] == [newer]
    kinds = [MeterCallback, LoggerCallback, EvalCallback, Epochs, SaverCallback]
    assert [type(one) for one in callbacks if type(one) in kinds] == kinds


def test_a_lightning_callback_stays_as_it_is_while_a_training_runs(tmp_path: Path) -> None:
    refused: list[str] = []

    class Changing(TinyTrainer):
        def train_batch(self, *args):
            for change in (
                lambda: self.add_callback(Epochs()),
                lambda: self.remove_callback(EvalCallback),
            ):
                with pytest.raises(TrainerError, match="while a training runs; hook it in") as told:
                    change()
                refused.append(str(told.value)[:14])
            return super().train_batch(*args)

    trainer = start(Changing, tmp_path, 1)

    trainer.train()

    assert refused == ["a Epochs is a ", "a EvalCallback"] * BATCHES


# -- copies and processes ------------------------------------------------------------------------


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_a_copy_of_a_trainer_has_callbacks_of_its_own(copied: Any, tmp_path: Path) -> None:
    trainer = TinyTrainer(Params())
    trainer.params.device, trainer.params.epoch = "cpu", 1
    counting = Counting().hook(trainer)

    twin = copied(trainer)
    twin.initial_exp(tmp_path)
    twin.train()
    twin.experiment.end_exp()

    (own,) = twin._calls.callbacks
    assert (type(own), own.batches, own.trainer is twin) == (Counting, BATCHES, True)
    assert (counting.batches, counting.trainer is trainer) == (0, True)


class Ranked(TrainCallback):
    """Writes what each rank heard; swallows a failing batch of rank 1 where it is to."""

    def __init__(self, folder: str, swallows: bool) -> None:
        self.folder, self.swallows = folder, swallows
        self.batches = 0

    def on_train_batch_end(self, trainer, func, params, meter, *args, **kwargs):
        self.batches += 1

    def on_exception(self, trainer, func, params, e, *args, **kwargs):
        return self.swallows and func.__name__ == "train_batch"

    def on_train_epoch_end(self, trainer, func, params, meter, *args, **kwargs):
        rank = trainer.lightning_trainer.global_rank
        Path(self.folder, f"{rank}.json").write_text(json.dumps([rank, self.batches]))


class RankedTrainer(TinyTrainer):
    def train_batch(self, eidx, idx, *args):
        if self.fails and self.lightning_trainer.global_rank == 1 and idx == 1:
            raise ValueError("rank one on purpose")
        return super().train_batch(eidx, idx, *args)


def train_ranks(folder: str, fails: bool) -> None:
    """Train on two forked ranks."""
    params = Params()
    params.epoch, params.device = 1, "cpu"
    trainer = RankedTrainer(params, devices=2, strategy="ddp_fork")
    trainer.fails = int(fails)
    Ranked(folder, fails).hook(trainer)
    trainer.initial_exp(Path(folder) / "exp", code=False)
    trainer.train()


def run_ranks(folder: Path, fails: bool) -> subprocess.CompletedProcess[str]:
    code = f"import {Path(__file__).stem} as it; it.train_ranks({str(folder)!r}, {fails})"
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(__file__).parent),
        "OMP_NUM_THREADS": "1",
        "PYTHONWARNINGS": "ignore",
    }
    command = [sys.executable, "-c", code]
    return subprocess.run(
        command, env=environment, cwd=folder, capture_output=True, text=True, timeout=300
    )


def test_every_rank_has_its_callbacks_told_of_its_own_calls(tmp_path: Path) -> None:
    done = run_ranks(tmp_path, fails=False)

    assert done.returncode == 0, done.stderr
    told = [json.loads((tmp_path / f"{rank}.json").read_text()) for rank in (0, 1)]
    assert told == [[0, 3], [1, 3]]


def test_on_several_ranks_a_swallowed_batch_is_an_error_and_no_hang(tmp_path: Path) -> None:
    done = run_ranks(tmp_path, fails=True)

    assert done.returncode != 0
    assert "swallowed a ValueError in train_batch on one of 2 ranks" in done.stderr


@pytest.mark.parametrize("callback", [TrainCallback(), EvalCallback(1, 1)])
@pytest.mark.parametrize(
    ("given", "what"),
    [
        (3, r"a builtins\.int"),
        (TinyTrainer, r"the class \w+\.TinyTrainer"),
        (plain_trainer(), r"a pytorch_lightning\.Trainer"),
    ],
)
def test_hook_takes_a_facade_trainer_alone(callback: Any, given: Any, what: str) -> None:
    with pytest.raises(TrainerError, match=rf"\Ahook takes a thexp_pl.Trainer, not {what}[^\n]*\Z"):
        callback.hook(given)


def test_a_trainer_is_none_of_the_callbacks_kinds() -> None:
    with pytest.raises(TrainerError, match=r"^a Trainer is no callback; subclass"):
        TinyTrainer().add_callback(Trainer())  # type: ignore[arg-type]
