"""SaverCallback: which files a training leaves, and what happens where they cannot be written."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import EarlyStopping
from trainer_helpers import (
    BATCHES,
    EvalTrainer,
    PlainModule,
    TinyTrainer,
    ended_runs,  # noqa: F401 - a fixture of every test here
    lightnings_own_warnings,
    make_loader,
    plain_trainer,
    start,
)

from thexp_pl import RunLogger
from thexp_pl.callbacks import MeterCallback, RndCallback, SaverCallback
from thexp_pl.data import exact
from thexp_pl.errors import UsageError
from thexp_pl.record.faults import RecorderWarning
from thexp_pl.record.journal import read_journal


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.suffix in (".ckpt", ".pth"))


def test_the_last_three_epochs_and_the_model_are_kept(tmp_path: Path) -> None:
    trainer = start(TinyTrainer, tmp_path, 5)

    trainer.train()

    folder = trainer.experiment.path / "modules"
    expected = ["0000003.ckpt", "0000004.ckpt", "0000005.ckpt", "model.0000005.pth"]
    assert names(folder) == expected
    assert all((folder / f"{name}.json").is_file() for name in expected)


@pytest.mark.parametrize("hooked", [True, False])
def test_a_saver_callback_of_ones_own_keeps_as_many_as_it_says(
    hooked: bool, tmp_path: Path
) -> None:
    class Hooked(TinyTrainer):
        def initial_callback(self) -> None:
            if hooked:
                SaverCallback(max_to_keep=5).hook(self)

    options = {} if hooked else {"callbacks": [SaverCallback(max_to_keep=5)]}
    trainer = start(Hooked, tmp_path, 4, **options)
    trainer.train()

    trainer.save_checkpoint()  # the trainer's own Saver keeps as many

    assert len(trainer.saver.find_checkpoints()) == 5


@pytest.mark.parametrize(
    ("every", "epochs", "kept"), [(2, 4, [2, 4]), (2, 5, [2, 4, 5]), (10, 3, [3])]
)
def test_every_nth_epoch_and_the_last_are_saved(
    every: int, epochs: int, kept: list[int], tmp_path: Path
) -> None:
    callback = SaverCallback(max_to_keep=None, every_n_epochs=every)
    trainer = start(TinyTrainer, tmp_path, epochs, callbacks=[callback])

    trainer.train()

    found = [
        trainer.saver.checkpoint_info(path)["eidx"] for path in trainer.saver.find_checkpoints()
    ]
    assert found == kept


def test_the_epoch_at_which_training_stops_early_is_saved_too(tmp_path: Path) -> None:
    stopping = EarlyStopping("loss", stopping_threshold=10.0)  # after the first epoch
    saver = SaverCallback(every_n_epochs=4)
    trainer = start(TinyTrainer, tmp_path, 9, callbacks=[stopping, saver])

    trainer.train()

    assert names(trainer.saver.dir) == ["0000001.ckpt", "model.0000001.pth"]
    again = start(TinyTrainer, tmp_path, 2)
    again.load_checkpoint(trainer.saver.dir / "0000001.ckpt")
    assert again.params.eidx == 2


def test_without_checkpointing_nothing_is_saved(tmp_path: Path) -> None:
    trainer = start(TinyTrainer, tmp_path, 1, enable_checkpointing=False)

    trainer.train()

    assert names(trainer.saver.dir) == []


@lightnings_own_warnings
def test_a_plain_trainer_saves_into_the_run_that_its_logger_records(tmp_path: Path) -> None:
    logger = RunLogger(tmp_path, "plain")
    trainer = plain_trainer(
        logger=logger,
        enable_checkpointing=True,
        callbacks=[SaverCallback(max_to_keep=1), MeterCallback(), RndCallback()],
        max_epochs=2,
    )
    module = PlainModule()

    trainer.fit(module, exact(make_loader()))

    folder = logger.experiment.path / "modules"
    assert names(folder) == ["0000002.ckpt", "model.0000002.pth"]
    state = torch.load(folder / "0000002.ckpt", weights_only=True)
    assert torch.equal(state["state_dict"]["model.0.weight"], module.model[0].weight)
    resumed = plain_trainer(
        callbacks=[MeterCallback(), RndCallback()], default_root_dir=tmp_path, max_epochs=3
    )
    resumed.fit(PlainModule(), exact(make_loader()), ckpt_path=folder / "0000002.ckpt")
    assert resumed.global_step == 3 * BATCHES
    logger.experiment.end_exp()


@lightnings_own_warnings
def test_without_a_run_the_files_lie_below_the_default_root(tmp_path: Path) -> None:
    saver = SaverCallback()
    options: dict[str, Any] = {"enable_checkpointing": True, "default_root_dir": tmp_path}
    trainer = plain_trainer(callbacks=[saver, RndCallback()], max_epochs=1, **options)
    trainer.fit(PlainModule(), exact(make_loader()))

    assert names(tmp_path / "modules") == ["0000001.ckpt", "model.0000001.pth"]


@lightnings_own_warnings
def test_one_callback_in_two_trainers_saves_into_the_run_of_each(tmp_path: Path) -> None:
    saver = SaverCallback()
    loggers = [RunLogger(tmp_path, "one"), RunLogger(tmp_path, "two")]
    for logger in loggers:
        plain_trainer(
            logger=logger,
            enable_checkpointing=True,
            callbacks=[saver, RndCallback()],
            max_epochs=1,
        ).fit(PlainModule(), exact(make_loader()))
        assert names(logger.experiment.path / "modules") == ["0000001.ckpt", "model.0000001.pth"]
        logger.experiment.end_exp()


def test_the_journal_names_every_checkpoint_when_it_is_saved(tmp_path: Path) -> None:
    trainer = start(EvalTrainer, tmp_path, 2)
    trainer.train()
    trainer.save_keypoint()

    events = read_journal(trainer.experiment.paths.journal)

    paths = [event["path"] for event in events if event["event"] == "checkpoint"]
    assert paths == [
        f"modules/{name}"
        for name in ("0000001.ckpt", "0000002.ckpt", "model.0000002.pth", "keep.0000002.ckpt")
    ]


def test_a_folder_removed_in_mid_run_is_one_warning_and_training_goes_on(tmp_path: Path) -> None:
    class Vandal(pl.Callback):
        def on_train_batch_end(self, trainer, pl_module, *args):
            shutil.rmtree(pl_module.facade.experiment.path, ignore_errors=True)

    trainer = start(TinyTrainer, tmp_path, 4, callbacks=[Vandal()])

    def train() -> None:
        trainer.train()
        trainer.experiment.end_exp()

    with pytest.warns(RecorderWarning) as caught:
        train()

    assert trainer.params.eidx == 5
    texts = [str(one.message) for one in caught]
    (saving,) = [text for text in texts if "CheckpointError" in text]
    assert f"{trainer.experiment.path / 'modules'}" in saving
    assert any(text.startswith("the run of") for text in texts)


@pytest.mark.parametrize(
    "wrong",
    [{"max_to_keep": 0}, {"max_to_keep": True}, {"every_n_epochs": 0}, {"every_n_epochs": 1.5}],
)
def test_a_number_of_files_or_epochs_that_is_none_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="must be 1 or more"):
        SaverCallback(**wrong)
