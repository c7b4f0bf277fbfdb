"""What the facade says where a training fails, ends early or has nothing to do."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import SGD
from trainer_helpers import (
    BATCHES,
    EvalTrainer,
    TinyTrainer,
    ended_runs,  # noqa: F401 - a fixture of every test here
    make_loader,
    make_model,
    start,
)

from thexp_pl import Params
from thexp_pl.callbacks import TrainCallback

Captured = pytest.CaptureFixture[str]


class Failing(TinyTrainer):
    """Fails once, in the second batch of the second epoch."""

    at = (2, 1)

    def initial_trainer(self, params: Params) -> None:
        super().initial_trainer(params)
        self._seen: list[tuple[int, int]] = []

    def train_batch(self, eidx, idx, *rest):
        if (eidx, idx) == self.at:
            self.at = None
            raise ValueError("a bad batch")
        self._seen.append((eidx, idx))
        return super().train_batch(eidx, idx, *rest)


def lines_with(out: str, word: str) -> list[str]:
    return [line for line in out.splitlines() if word in line]


# -- after an exception --------------------------------------------------------------------------


def test_a_training_after_an_exception_begins_the_epoch_again_and_says_so(
    tmp_path: Path, capsys: Captured
) -> None:
    trainer = start(Failing, tmp_path, 2)
    with pytest.raises(ValueError, match="a bad batch"):
        trainer.train()
    capsys.readouterr()

    trainer.train()

    (line,) = lines_with(capsys.readouterr().out, "begins again")
    assert re.search(r"epoch 2 begins again .* learned from 1 of its batches", line)
    assert "load_latest_checkpoint()" in line
    epochs = [eidx for eidx, _ in trainer._seen]
    assert epochs.count(2) == 1 + BATCHES


def test_a_loaded_checkpoint_or_a_failed_first_batch_needs_no_such_line(
    tmp_path: Path, capsys: Captured
) -> None:
    at_once = start(TinyTrainer, tmp_path, 2)
    at_once.train()
    first_batch = type("FirstBatch", (Failing,), {"at": (2, 0)})
    for kind, loads in ((Failing, True), (first_batch, False)):
        trainer = start(kind, tmp_path / kind.__name__, 2)
        with pytest.raises(ValueError, match="a bad batch"):
            trainer.train()
        if loads:
            trainer.load_latest_checkpoint()
        trainer.train()
        assert torch.equal(trainer.model[0].weight, at_once.model[0].weight)

    assert lines_with(capsys.readouterr().out, "begins again") == []


# -- fewer batches than asked for ----------------------------------------------------------------


def test_a_training_without_a_batch_says_why(tmp_path: Path, capsys: Captured) -> None:
    limited = start(TinyTrainer, tmp_path, 1, limit_train_batches=0)
    limited.train()
    assert lines_with(capsys.readouterr().out, "no batch was trained: limit_train_batches=0")

    stopped = start(TinyTrainer, tmp_path, 3, max_steps=BATCHES)
    stopped.train()
    assert not lines_with(capsys.readouterr().out, "no batch was trained")
    stopped.train()
    assert lines_with(capsys.readouterr().out, f"no batch was trained: max_steps={BATCHES} is")


def test_train_step_says_how_many_it_trained_where_these_are_fewer(
    tmp_path: Path, capsys: Captured
) -> None:
    class Toggling(TinyTrainer):
        def train_batch(self, eidx, idx, global_step, *rest):
            self.train_toggle = self.train_epoch_toggle = global_step == 1
            return super().train_batch(eidx, idx, global_step, *rest)

    for kind, options, trained, why in (
        (TinyTrainer, {"max_steps": 3}, 3, "max_steps=3 is reached"),
        (TinyTrainer, {"max_time": {"seconds": 0}}, 0, "max_time is over"),
        (TinyTrainer, {"limit_train_batches": 0}, 0, "limit_train_batches=0"),
        (Toggling, {}, 2, "train_toggle or a callback ended the training"),
    ):
        trainer = start(kind, tmp_path, 2, **options)
        trainer.train_step(4)
        assert lines_with(capsys.readouterr().out, f"train_step(4) trained {trained}: {why}")

    start(TinyTrainer, tmp_path, 2).train_step(4)
    assert not lines_with(capsys.readouterr().out, "train_step(4)")


# -- evaluations without values ------------------------------------------------------------------


def test_an_evaluation_that_its_limit_leaves_out_is_one_line(
    tmp_path: Path, capsys: Captured
) -> None:
    trainer = start(EvalTrainer, tmp_path, 1, limit_test_batches=0, limit_val_batches=0)

    assert (trainer.test(), trainer.eval()) == (None, None)

    out = capsys.readouterr().out
    assert lines_with(out, "test is skipped: limit_test_batches=0")
    assert lines_with(out, "eval is skipped: limit_val_batches=0")
    assert "- test\n" not in out


def test_an_evaluation_that_a_callback_swallowed_says_that_there_are_no_values(
    tmp_path: Path, capsys: Captured
) -> None:
    class Swallowing(TrainCallback):
        def on_exception(self, *args: Any, **kwargs: Any) -> bool:
            return True

    class Broken(EvalTrainer):
        def test_eval_logic(self, dataloader: Any, params: Params) -> Any:
            raise ValueError("no evaluation today")

    trainer = start(Broken, tmp_path, 1)
    Swallowing().hook(trainer)

    trainer.eval()

    out = capsys.readouterr().out
    assert lines_with(out, "eval gave no values")
    assert not re.search(r"- eval\s*$", out, re.MULTILINE)


# -- in initial_trainer --------------------------------------------------------------------------


class Old(TinyTrainer):
    """As scripts for thexp are written."""

    def initial_trainer(self, params: Params) -> None:
        self.model = make_model()
        self.frozen = nn.Dropout()
        self.bank = torch.zeros(2)
        self.optim = SGD(self.model.parameters(), lr=0.1, momentum=0.9)
        self.regist_databundler(train=make_loader())
        self.change_mode(False)
        self._modes_within = [self.model.training, self.frozen.training]
        self.to(self.device)


def test_to_and_change_mode_work_within_initial_trainer(tmp_path: Path) -> None:
    trainer, at_once = start(Old, tmp_path, 1), start(TinyTrainer, tmp_path, 1)

    assert trainer._modes_within == [False, False]
    for one in (trainer, at_once):
        one.train()

    assert (trainer.model.training, trainer.frozen.training) == (True, True)
    assert torch.equal(trainer.model[0].weight, at_once.model[0].weight)
    loaded = Old.load_from_checkpoint(trainer.saver.find_checkpoints()[-1])
    assert loaded._modes_within == [False, False]
    assert torch.equal(loaded.model[0].weight, trainer.model[0].weight)


def test_to_moves_within_initial_trainer_what_has_been_made_so_far(tmp_path: Path) -> None:
    moved: list[str] = []

    class Seeing(nn.Linear):
        def _apply(self, *args: Any, **kwargs: Any) -> Any:
            moved.append("a module")
            return super()._apply(*args, **kwargs)

    class Moving(Old):
        def initial_trainer(self, params: Params) -> None:
            self.layer, self.layers = Seeing(1, 1), [Seeing(1, 1)]
            self.to("cpu")
            moved.append("the rest")
            super().initial_trainer(params)

    start(Moving, tmp_path, 1)

    assert moved[:3] == ["a module", "a module", "the rest"]
