"""A trainer that goes back to a checkpoint: its record is that of a training which never did."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from trainer_helpers import (
    BATCHES,
    EvalTrainer,
    PlainModule,
    ended_runs,  # noqa: F401 - a fixture of every test here
    lightnings_own_warnings,
    make_loader,
    manifest,
    plain_trainer,
    same_weights,
    start,
    weights_of,
)

from thexp_pl import Params, RunLogger, Trainer
from thexp_pl.callbacks import MeterCallback, SaverCallback
from thexp_pl.record.journal import read_journal
from thexp_pl.record.metrics import read_history
from thexp_pl.runs import read_run


class Shuffled(EvalTrainer):
    """Draws its order; fails once before a batch of all epochs, where it is told to."""

    _fails_at = -1

    def initial_trainer(self, params: Params) -> None:
        torch.manual_seed(5)
        super().initial_trainer(params)
        loader = make_loader(shuffle=True)
        self.regist_databundler(train=loader, eval=make_loader(), test=make_loader())

    def train_batch(self, eidx, idx, global_step, batch_data, params, device):  # type: ignore[no-untyped-def]
        if global_step == self._fails_at:
            self._fails_at = -1
            raise ValueError("a bad batch")
        return super().train_batch(eidx, idx, global_step, batch_data, params, device)


def begin(root: Path, epoch: int = 3, **options: Any) -> Any:
    return start(Shuffled, root, epoch, log_every_n_steps=2, **options)


@pytest.fixture
def at_once(tmp_path: Path) -> Any:
    """Three epochs that nothing came between."""
    trainer = begin(tmp_path / "once")
    trainer.train()
    return trainer


def rows(trainer: Any) -> list[tuple[Any, ...]]:
    trainer.experiment.flush()
    return [
        (step, epoch, name, value)
        for step, epoch, _, name, value in read_history(trainer.experiment.paths).rows()
    ]


def events(trainer: Any, kind: str) -> list[dict[str, Any]]:
    journal = read_journal(trainer.experiment.paths.journal)
    return [event for event in journal if event["event"] == kind]


def went_as(trainer: Any, other: Any) -> bool:
    return (
        same_weights(weights_of(trainer), weights_of(other))
        and rows(trainer) == rows(other)
        and trainer.experiment.metrics == other.experiment.metrics
    )


# -- in the same run -----------------------------------------------------------------------------


def test_what_came_after_the_checkpoint_is_passed_over(tmp_path: Path, at_once: Any) -> None:
    trainer = begin(tmp_path / "twice")
    trainer.train()
    trainer.load_checkpoint(1)
    trainer.train()

    assert went_as(trainer, at_once)
    (resume,) = events(trainer, "resume")
    assert (resume["path"], resume["epoch"]) == ("modules/0000001.ckpt", 1)
    assert 0 < resume["passed_over"]["kept"][0][1] < resume["passed_over"]["until"]
    trainer.experiment.end_exp()
    board = EventAccumulator(os.fspath(trainer.experiment.paths.board)).Reload()
    steps = [event.step for event in board.Scalars("loss")]
    assert steps == [BATCHES - 1, 2 * BATCHES - 1, 3 * BATCHES - 1]


def test_after_a_pause_no_row_is_there_twice(tmp_path: Path) -> None:
    class Logging(Shuffled):
        def train_batch(self, eidx, idx, global_step, *rest):
            self.module.log("step", float(global_step), on_step=True, on_epoch=True)
            return super().train_batch(eidx, idx, global_step, *rest)

    at_once = start(Logging, tmp_path / "once", log_every_n_steps=2)
    at_once.train()
    trainer = start(Logging, tmp_path / "stepped", log_every_n_steps=2)
    trainer.train_step(2 * BATCHES)
    trainer.load_checkpoint(1)
    for steps in (2, 1, 2):
        trainer.train_step(steps)
    trainer.train()

    assert went_as(trainer, at_once)


def test_to_evaluate_a_checkpoint_is_not_to_go_back_to_it(tmp_path: Path, at_once: Any) -> None:
    before = rows(at_once)
    other = begin(tmp_path / "other", 1)
    for trainer in (at_once, other):
        trainer.load_checkpoint(at_once.saver.find_checkpoints()[0])
        trainer.evaluate("eval")

    assert rows(at_once)[: len(before)] == before
    assert events(at_once, "resume") == events(other, "resume") == []
    assert manifest(other)["parent"] is None


def test_what_is_measured_between_loading_and_training_stays(tmp_path: Path) -> None:
    trainer = begin(tmp_path, 2)
    trainer.train()
    trainer.experiment.log_metrics(None, None, {"behind": 1.0})
    trainer.load_checkpoint(1)
    trainer.experiment.log_metrics(None, None, {"kept": 2.0})
    trainer.train()

    names = [name for *_, name, _ in rows(trainer)]
    assert (names.count("behind"), names.count("kept"), names.count("loss")) == (0, 1, 2)


@lightnings_own_warnings
def test_a_plain_trainer_that_fits_again_from_its_checkpoint_does_so_too(tmp_path: Path) -> None:
    trained = []
    for times in (1, 2):
        logger = RunLogger(tmp_path, f"run{times}", code=False)
        path = logger.experiment.path / "modules" / "0000001.ckpt"
        for _ in range(times):
            callbacks = [MeterCallback(), SaverCallback()]
            lightning = plain_trainer(
                max_epochs=2, logger=logger, callbacks=callbacks, enable_checkpointing=True
            )
            last = path if path.exists() else None
            lightning.fit(PlainModule(), make_loader(), ckpt_path=last)
        logger.experiment.end_exp()
        trained.append(logger.experiment.metrics)

    assert trained[0] == trained[1]
    assert trained[1]["loss"]["count"] == 2


@lightnings_own_warnings
def test_a_plain_fit_that_failed_is_recorded_on_where_checkpoints_are_saved(tmp_path: Path) -> None:
    class Fails(PlainModule):
        def on_train_epoch_start(self) -> None:
            if self.current_epoch == 1:
                raise ValueError("no such luck")

    logger = RunLogger(tmp_path, "failing", code=False)

    def fit(module: PlainModule) -> None:
        callbacks = [MeterCallback(), SaverCallback(emergency=False)]
        options = {"logger": logger, "callbacks": callbacks, "enable_checkpointing": True}
        plain_trainer(max_epochs=3, **options).fit(module, make_loader(), ckpt_path=last)

    last = None
    with pytest.raises(ValueError, match="no such luck"):
        fit(Fails())
    last = logger.experiment.path / "modules" / "0000001.ckpt"
    fit(PlainModule())

    logger.experiment.end_exp()
    run = read_run(logger.experiment.paths)
    assert (run.status, run.metrics["loss"]["count"]) == ("finished", 3)


# -- the checkpoints of other runs ---------------------------------------------------------------


def test_the_newest_checkpoint_is_that_of_the_trainers_own_run(tmp_path: Path) -> None:
    one = begin(tmp_path, 2)
    one.train()
    other = begin(tmp_path, 1)
    other.train()

    for load in (one.load_latest_checkpoint, lambda: one.load_checkpoint("last")):
        load()
        assert one.params.eidx == 3
    assert [event["path"] for event in events(one, "load")] == ["modules/0000002.ckpt"] * 2
    assert other.load_latest_checkpoint()["eidx"] == 1


def test_a_training_gives_way_to_what_another_runs_checkpoint_holds(tmp_path: Path) -> None:
    other = begin(tmp_path, 1)
    other.train()
    one = begin(tmp_path, 2)
    one.train_step(BATCHES + 3)
    one.load_checkpoint(f"{other.experiment.key}@1")
    one.train()

    steps = [step for step, _, name, _ in rows(one) if name.startswith("loss")]
    assert min(steps) >= BATCHES - 1
    assert [name for *_, name, _ in rows(one)].count("eval_loss") == 1 + 1
    assert manifest(one)["parent"]["key"] == other.experiment.key


# -- after an exception --------------------------------------------------------------------------


def test_a_training_that_failed_goes_on_in_its_run(tmp_path: Path, at_once: Any) -> None:
    trainer = begin(tmp_path / "failed")
    trainer._fails_at = BATCHES + 3
    with pytest.raises(ValueError, match="a bad batch"):
        trainer.train()
    assert manifest(trainer)["status"] == "failed"

    trainer.load_latest_checkpoint()
    trainer.train()

    assert went_as(trainer, at_once)
    told = manifest(trainer)
    assert (told["status"], told["cause"]) == ("finished", None)
    (earlier,) = events(trainer, "resumed")
    assert (earlier["status"], earlier["cause"]["message"]) == ("failed", "a bad batch")
    trace = trainer.experiment.path / earlier["cause"]["traceback"]
    assert "a bad batch" in trace.read_text()
    assert not trainer.experiment.paths.traceback.exists()


def test_one_that_fails_again_has_failed_and_keeps_both_traces(tmp_path: Path) -> None:
    trainer = begin(tmp_path)
    for at in (2, BATCHES + 1):
        trainer._fails_at = at
        with pytest.raises(ValueError, match="a bad batch"):
            trainer.train()

    told = manifest(trainer)
    assert (told["status"], told["cause"]["message"]) == ("failed", "a bad batch")
    traces = trainer.experiment.path.glob("traceback*.txt")
    assert sorted(trace.name for trace in traces) == ["traceback.1.txt", "traceback.txt"]


def test_a_run_that_was_ended_goes_on_where_it_is_trained_on(tmp_path: Path) -> None:
    trainer: Trainer = begin(tmp_path, 1)
    trainer.train()
    trainer.experiment.end_exp()
    trainer.params.epoch = 2
    trainer.train()

    assert [step for step, _, name, _ in rows(trainer) if name == "loss"] == [4, 9]
    assert manifest(trainer)["status"] == "finished"
    (changed,) = events(trainer, "params")
    assert changed["changed"] == {"epoch": {"old": 1, "new": 2}}
