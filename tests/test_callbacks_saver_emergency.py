"""SaverCallback: what an exception leaves on each rank, and that it stays the one reported."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from saving_helpers import (
    At,
    Blocked,
    Module,
    SmallFiles,
    fit,
    keep_all,
    loader,
    make_trainer,
    saved_at,
    steps,
)

from thexp_pl.callbacks import SaverCallback
from thexp_pl.saver import Saver


def fail_at(folder: Path, batch: int, *callbacks: pl.Callback) -> pl.Trainer:
    trainer = make_trainer(folder, At(batch, lambda: 1 / 0), *callbacks)
    with pytest.raises(ZeroDivisionError):
        trainer.fit(Module(), loader())
    return trainer


def test_an_exception_leaves_what_the_rank_held_and_no_checkpoint(tmp_path: Path) -> None:
    fail_at(tmp_path, 7, SaverCallback(max_to_keep=1))

    saver = Saver(tmp_path / "modules", max_to_keep=1)
    path = tmp_path / "modules" / "emergency.0.ckpt"
    assert steps(tmp_path) == [5]
    state, info = saver.load_state_dict(path)
    assert (state["global_step"], info["eidx"]) == (7, 1)
    assert saver.find_checkpoints() == [saved_at(tmp_path, 5)]
    saver.save_checkpoint(9, {})
    saver.clear_checkpoints()
    assert path.exists()
    assert fit(tmp_path / "again", SaverCallback(), ckpt_path=path).seen > 0


@pytest.mark.parametrize("on_error", ["continue", "stop"])
def test_an_exception_while_nothing_can_be_written_stays_the_one_reported(
    on_error: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    saver = SaverCallback(on_error=on_error)

    with caplog.at_level(logging.WARNING, "thexp_pl.callbacks"):
        fail_at(tmp_path, 7, At(6, Blocked(tmp_path, saver).begin), saver)

    assert "emergency.0.ckpt could not be written" in caplog.text


def test_a_checkpoint_that_failed_is_told_beside_the_exception(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Late(pl.Callback):
        def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
            if batch_idx == 3:
                raise ZeroDivisionError

    saver = keep_all(every_n_batches=3, on_error="stop", emergency=False)
    trainer = make_trainer(tmp_path, Late(), At(3, Blocked(tmp_path, saver).begin), saver)

    with pytest.raises(ZeroDivisionError):
        trainer.fit(Module(), loader())

    assert "a checkpoint is missing: cannot " in caplog.text


def test_a_state_that_cannot_be_made_does_not_hide_the_exception(tmp_path: Path) -> None:
    class Sick(pl.Callback):
        def on_save_checkpoint(self, *args: Any) -> None:
            raise KeyboardInterrupt

    saver = SaverCallback(every_n_epochs=None)
    fail_at(tmp_path, 2, Sick(), saver)

    assert not list((tmp_path / "modules").glob("*.ckpt"))


def test_what_was_written_of_an_emergency_file_does_not_stay_on_a_full_disk(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Full(pl.Callback):
        def on_exception(self, *args: Any) -> None:
            small_files.begin()

    with SmallFiles() as small_files:
        fail_at(tmp_path, 2, Full(), SaverCallback())

    assert "emergency.0.ckpt could not be written" in caplog.text
    assert not list((tmp_path / "modules").glob("*emergency*"))


def test_no_emergency_file_where_none_is_wanted(tmp_path: Path) -> None:
    fail_at(tmp_path, 7, SaverCallback(emergency=False))

    assert not (tmp_path / "modules" / "emergency.0.ckpt").exists()


def test_the_checkpoints_that_wait_are_written_when_an_exception_comes(tmp_path: Path) -> None:
    fail_at(tmp_path, 7, keep_all(every_n_batches=1))

    assert steps(tmp_path) == [1, 2, 3, 4, 5, 6]
    assert torch.load(saved_at(tmp_path, 6), weights_only=True)["state_dict"]["seen"] == 6
