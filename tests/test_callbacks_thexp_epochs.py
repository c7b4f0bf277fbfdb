"""Callbacks in thexp's style: an epoch, which Lightning runs, told as a call of `train_epoch`."""

from __future__ import annotations

from pathlib import Path

import pytest
from callback_helpers import Listening, Silent
from trainer_helpers import (
    BATCHES,
    TinyTrainer,
    ended_runs,  # noqa: F401 - a fixture of every test here
    start,
)

from thexp_pl import Params
from thexp_pl.errors import TrainerError


def test_an_epoch_that_goes_on_in_its_midst_has_a_beginning_too(tmp_path: Path) -> None:
    class Saving(Silent):
        def train_batch(self, eidx, idx, *args):
            if (eidx, idx) == (2, 1):
                self.save_keypoint()
            return super().train_batch(eidx, idx, *args)

    trainer = start(Saving, tmp_path, 2)
    trainer.train()
    again = start(Silent, tmp_path, 2)
    again.load_keypoint(trainer.saver.find_keypoints()[0])
    listening = Listening().hook(again)

    again.train()

    batch = ["train_batch(", "measure(", ")measure", ")train_batch"]
    rest = batch * (BATCHES - 2)
    assert listening.heard == ["train(", "train_epoch(", *rest, ")train_epoch", ")train"]


def test_an_epoch_that_is_trained_in_pieces_begins_and_ends_once(tmp_path: Path) -> None:
    trainer = start(Silent, tmp_path, 2)
    listening = Listening().hook(trainer)

    for steps in (2, 1, 4):  # the last one ends the first epoch
        trainer.train_step(steps)
    assert (listening.count("train_epoch("), listening.count(")train_epoch")) == (2, 1)
    trainer.train()
    assert (listening.count("train_epoch("), listening.count(")train_epoch")) == (2, 2)
    assert listening.count("train_batch(") == 2 * BATCHES


def test_a_train_epoch_of_the_user_is_refused_for_nobody_would_call_it(tmp_path: Path) -> None:
    class Looping(TinyTrainer):
        def train_epoch(self, eidx: int, params: Params) -> None:
            pass

    with pytest.raises(TrainerError, match=r"^Looping.train_epoch would not be called"):
        Looping()
    with pytest.raises(TrainerError, match=r"call train\(\)$"):
        start(TinyTrainer, tmp_path).train_epoch(1, None)
