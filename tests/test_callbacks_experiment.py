"""ExperimentCallback: a run of any Trainer, with any logger or none."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pytorch_lightning.callbacks import LearningRateMonitor, ModelCheckpoint
from pytorch_lightning.loggers import CSVLogger, TensorBoardLogger
from trainer_helpers import (
    PlainModule,
    TinyTrainer,
    ended_runs,  # noqa: F401 - a fixture of every test here
    make_loader,
    metrics_of,
    plain_trainer,
    start,
)

from thexp_pl import ExperimentViewer, RunLogger
from thexp_pl.callbacks import ExperimentCallback, MeterCallback
from thexp_pl.errors import ExperimentNameError
from thexp_pl.record.journal import read_journal

QUIET: dict[str, Any] = {"board": False, "code": False, "console": False}


@pytest.fixture
def callback(tmp_path: Path) -> Iterator[ExperimentCallback]:
    made = ExperimentCallback(tmp_path / "root", "called", **QUIET)
    yield made
    for run in ExperimentViewer([tmp_path / "root"]).runs():
        assert run.key == made.run_logger.version
        made.run_logger.experiment.end_exp()


class Logging(PlainModule):
    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.save_hyperparameters()

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        output = super().training_step(batch, batch_idx)
        self.log("logged", float(batch_idx), on_step=False, on_epoch=True)
        return output

    def test_step(self, batch: Any, batch_idx: int) -> None:
        self.log("test_logged", 1.0)


def manifest(run: Any) -> dict[str, Any]:
    return json.loads(run.paths.manifest.read_text())


@pytest.mark.parametrize("loggers", ["none", "csv", "tensorboard"])
def test_it_records_a_trainer_with_any_logger_or_none(
    loggers: str, callback: ExperimentCallback, tmp_path: Path
) -> None:
    others = {
        "none": [],
        "csv": [CSVLogger(tmp_path)],
        "tensorboard": [TensorBoardLogger(tmp_path)],
    }
    trainer = plain_trainer(
        logger=others[loggers] or False,
        enable_checkpointing=True,
        max_epochs=2,
        callbacks=[callback, ModelCheckpoint(), MeterCallback(), LearningRateMonitor()],
        default_root_dir=tmp_path,
    )

    trainer.fit(Logging(16), make_loader())
    trainer.test(Logging(16), make_loader(), verbose=False)

    experiment = callback.run_logger.experiment
    rows = metrics_of(experiment)
    assert rows["logged"] == [(4, 0, 2.0), (9, 1, 2.0)]
    assert [row[:2] for row in rows["loss"]] == [(4, 0), (9, 1)]
    assert rows["test_logged"][0][2] == 1.0
    assert manifest(experiment)["params"] == {"width": 16}
    events = read_journal(experiment.paths.journal)
    saved = [Path(event["path"]) for event in events if event["event"] == "checkpoint"]
    assert [path.name for path in saved] == ["epoch=0-step=5.ckpt", "epoch=1-step=10.ckpt"]
    if loggers == "none":  # as in the folder of the first logger that there is
        assert (experiment.path / saved[-1]).is_file()
    else:
        assert all(path.is_absolute() for path in saved)
    assert trainer.loggers[: len(others[loggers])] == others[loggers]


def test_beside_a_run_logger_it_makes_no_second_run(tmp_path: Path) -> None:
    logger = RunLogger(tmp_path / "root", "logged", **QUIET)
    callback = ExperimentCallback(tmp_path / "root", "called", **QUIET)
    trainer = plain_trainer(logger=logger, max_epochs=1, callbacks=[callback])

    trainer.fit(Logging(), make_loader())

    assert metrics_of(logger.experiment)["logged"] == [(4, 0, 2.0)]
    (run,) = ExperimentViewer([tmp_path / "root"]).runs()
    assert run.manifest["experiment"] == "logged"


def test_hooked_into_the_facade_it_records_in_the_facades_run(tmp_path: Path) -> None:
    class Hooked(TinyTrainer):
        def initial_callback(self) -> None:
            ExperimentCallback(tmp_path / "other").hook(self)

    trainer = start(Hooked, tmp_path / "root", 1)

    trainer.train()

    assert not (tmp_path / "other").exists()
    assert "loss" in metrics_of(trainer.experiment)


class Raising(Logging):
    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error

    def on_train_epoch_end(self) -> None:
        raise self.error


@pytest.mark.parametrize(
    ("error", "status"),
    [(ValueError("on purpose"), "failed"), (KeyboardInterrupt(), "interrupted")],
)
def test_it_records_how_a_training_ended(
    error: BaseException, status: str, callback: ExperimentCallback
) -> None:
    trainer = plain_trainer(max_epochs=1, callbacks=[callback])

    with pytest.raises((ValueError, SystemExit)):
        trainer.fit(Raising(error), make_loader())

    written = manifest(callback.run_logger.experiment)
    assert written["status"] == status
    assert written["cause"]["type"] == type(error).__name__


def test_a_checkpoint_saved_at_an_exception_is_still_in_the_journal(
    callback: ExperimentCallback,
) -> None:
    class AtException(ModelCheckpoint):
        def on_exception(self, trainer: Any, *args: Any) -> None:
            self._save_checkpoint(trainer, str(callback.run_logger.experiment.path / "last.ckpt"))

    trainer = plain_trainer(
        max_epochs=1, enable_checkpointing=True, callbacks=[callback, AtException()]
    )

    with pytest.raises(ValueError, match="on purpose"):
        trainer.fit(Raising(ValueError("on purpose")), make_loader())

    events = read_journal(callback.run_logger.experiment.paths.journal)
    assert [event["path"] for event in events if event["event"] == "checkpoint"] == ["last.ckpt"]


def test_a_fast_dev_run_is_not_recorded(tmp_path: Path) -> None:
    callback = ExperimentCallback(tmp_path / "root", **QUIET)

    plain_trainer(fast_dev_run=True, callbacks=[callback]).fit(Logging(), make_loader())

    assert not (tmp_path / "root").exists()


def test_a_name_that_no_folder_can_have_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(ExperimentNameError):
        ExperimentCallback(tmp_path, "a/b")
