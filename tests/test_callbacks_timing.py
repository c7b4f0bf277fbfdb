"""TimingCheckpoint: a keypoint every few epochs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from trainer_helpers import (
    PlainModule,
    TinyTrainer,
    ended_runs,  # noqa: F401 - a fixture of every test here
    lightnings_own_warnings,
    make_loader,
    plain_trainer,
    same_weights,
    start,
    weights_of,
)

from thexp_pl import RunLogger
from thexp_pl.callbacks import MeterCallback, RndCallback, TimingCheckpoint
from thexp_pl.errors import UsageError


class Timed(TinyTrainer):
    per_epoch = 2

    def initial_callback(self) -> None:
        TimingCheckpoint(self.per_epoch).hook(self)


@pytest.mark.parametrize(("per_epoch", "epochs"), [(1, [1, 2, 3, 4, 5]), (2, [2, 4]), (9, [])])
def test_every_nth_epoch_leaves_a_keypoint_that_stays(
    per_epoch: int, epochs: list[int], tmp_path: Path
) -> None:
    trainer = start(type("Each", (Timed,), {"per_epoch": per_epoch}), tmp_path, 5)

    trainer.train()

    names = [path.name for path in trainer.saver.find_keypoints()]
    assert names == [f"keep.{epoch:07}.ckpt" for epoch in epochs]
    assert len(trainer.saver.find_checkpoints()) == 3  # and the newest three, as ever


def test_a_training_goes_on_from_a_keypoint_as_if_it_had_not_ended(tmp_path: Path) -> None:
    trainer, again = start(Timed, tmp_path, 3), start(Timed, tmp_path, 3)
    trainer.train()

    again.load_keypoint(trainer.saver.find_keypoints()[0])
    again.train()

    assert same_weights(weights_of(trainer), weights_of(again))


@lightnings_own_warnings
def test_it_works_in_a_plain_lightning_trainer(tmp_path: Path) -> None:
    logger = RunLogger(tmp_path, "plain", code=False, console=False)
    timing = TimingCheckpoint(2, max_to_keep=1)
    trainer = plain_trainer(
        logger=logger,
        callbacks=[MeterCallback(), RndCallback(), timing],
        max_epochs=5,
        enable_checkpointing=True,
    )

    trainer.fit(PlainModule(), make_loader())

    saver: Any = timing.saver
    names = [path.name for path in saver.find_keypoints()]
    assert names == ["keep.0000002.ckpt", "keep.0000004.ckpt"]
    assert len(saver.find_checkpoints()) == 1


@pytest.mark.parametrize("per_epoch", [0, -1, 1.5, None, True, "2"])
def test_what_is_no_number_of_epochs_is_refused(per_epoch: Any) -> None:
    with pytest.raises(UsageError, match=r"^per_epoch must be a number of epochs, 1 or more, not"):
        TimingCheckpoint(per_epoch)
