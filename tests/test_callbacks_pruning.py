"""PruningCallback: what it reports to an Optuna trial, and that the training ends where it must."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import optuna
import pytest
import pytorch_lightning as pl
from ddp_helpers import Deed, together
from optuna.pruners import MedianPruner, NopPruner, ThresholdPruner
from trainer_helpers import (
    EvalTrainer,
    PlainModule,
    TinyTrainer,
    ended_runs,  # noqa: F401 - a fixture of every test here
    lightnings_own_warnings,
    make_loader,
    metrics_of,
    plain_trainer,
    start,
)

from thexp_pl.callbacks import EvalCallback, PruningCallback
from thexp_pl.errors import UsageError
from thexp_pl.record.journal import read_journal

optuna.logging.set_verbosity(optuna.logging.ERROR)

AT_ONCE = ThresholdPruner(upper=0.0)  # every loss is above
AT_SECOND = ThresholdPruner(upper=0.0, n_warmup_steps=1)
NEVER = NopPruner()


def a_trial(pruner: Any) -> Any:
    return optuna.create_study(pruner=pruner).ask()


def reported(trial: Any) -> dict[int, float]:
    (own,) = [one for one in trial.study.get_trials() if one.number == trial.number]
    return own.intermediate_values


class Validated(PlainModule):
    """Logs a loss in a validation, and another value in its own hook of an epoch's end."""

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.log("val_loss", self.training_step(batch, batch_idx)["loss"])

    def on_train_epoch_end(self) -> None:
        self.log("late", float(self.current_epoch))


def fit(callback: PruningCallback, epochs: int = 4, **options: Any) -> pl.Trainer:
    trainer = plain_trainer(max_epochs=epochs, callbacks=[callback], **options)
    trainer.fit(Validated(), make_loader(), make_loader())
    return trainer


def test_a_facade_training_ends_with_the_epoch_that_is_behind(tmp_path: Path) -> None:
    trial = a_trial(AT_SECOND)
    trainer = start(EvalTrainer, tmp_path, epoch=5)
    callback = PruningCallback(trial, "eval_loss").hook(trainer)
    trainer.train()
    rows = metrics_of(trainer.experiment)["eval_loss"]
    assert callback.is_pruned
    assert [epoch for _, epoch, _ in rows] == [0, 1]
    assert reported(trial) == pytest.approx({epoch: value for _, epoch, value in rows})
    paths = trainer.experiment.paths
    (event,) = [one for one in read_journal(paths.journal) if one["event"] == "pruned"]
    assert (event["step"], event["epoch"]) == (9, 1)
    assert event["value"] == pytest.approx(rows[-1][2])
    assert list(paths.folder.glob("modules/*.ckpt")), "its end is not saved"


def test_a_training_that_is_no_worse_than_others_is_left_alone(tmp_path: Path) -> None:
    study = optuna.create_study(pruner=MedianPruner(n_startup_trials=1))
    for _ in range(2):
        trial = study.ask()
        trainer = start(EvalTrainer, tmp_path, epoch=3)
        callback = PruningCallback(trial, "eval_loss").hook(trainer)
        trainer.train()
        study.tell(trial, 1.0)
        assert not callback.is_pruned
        assert sorted(reported(trial)) == [0, 1, 2]
        assert all(
            one["event"] != "pruned" for one in read_journal(trainer.experiment.paths.journal)
        )


def test_only_epochs_that_were_evaluated_are_reported(tmp_path: Path) -> None:
    class EverySecond(EvalTrainer):
        def initial_callback(self) -> None:
            EvalCallback(2, 0).hook(self)

    trial = a_trial(NEVER)
    trainer = start(EverySecond, tmp_path, epoch=4)
    PruningCallback(trial, "eval_loss").hook(trainer)
    trainer.train()
    assert sorted(reported(trial)) == [1, 3]


@lightnings_own_warnings
def test_in_a_lightning_trainer_a_validation_is_reported_as_that_of_its_epoch() -> None:
    trial = a_trial(NEVER)
    trainer = fit(PruningCallback(trial, "val_loss"), check_val_every_n_epoch=2)
    assert sorted(reported(trial)) == [1, 3]
    assert reported(trial)[3] == pytest.approx(float(trainer.callback_metrics["val_loss"]))


@lightnings_own_warnings
def test_a_validation_in_the_midst_of_an_epoch_counts_and_the_sanity_check_does_not() -> None:
    trial = a_trial(NEVER)
    fit(PruningCallback(trial, "val_loss"), epochs=2, val_check_interval=2, num_sanity_val_steps=2)
    assert sorted(reported(trial)) == [0, 1]


@lightnings_own_warnings
def test_what_the_module_logs_as_an_epoch_ends_belongs_to_that_epoch() -> None:
    trial = a_trial(NEVER)
    fit(PruningCallback(trial, "late"), epochs=3)
    assert reported(trial) == {0: 0.0, 1: 1.0, 2: 2.0}


@lightnings_own_warnings
def test_a_lightning_training_ends_early_and_the_module_is_as_before() -> None:
    callback = PruningCallback(a_trial(AT_ONCE), "val_loss")
    module = Validated()
    trainer = plain_trainer(max_epochs=5, callbacks=[callback])
    trainer.fit(module, make_loader(), make_loader())
    assert (trainer.current_epoch, callback.is_pruned) == (1, True)
    assert "on_train_epoch_end" not in vars(module)


@lightnings_own_warnings
def test_a_study_that_fails_is_one_warning_and_the_training_goes_on() -> None:
    class Gone:
        def report(self, value: float, step: int) -> None:
            raise ConnectionError("the server is gone")

        def should_prune(self) -> bool:
            raise AssertionError

    callback = PruningCallback(Gone(), "val_loss")
    with pytest.warns(RuntimeWarning, match="not pruned: ConnectionError: the server is") as told:
        trainer = fit(callback, epochs=3)
    assert (trainer.current_epoch, callback.is_pruned) == (3, False)
    assert len([one for one in told if one.category is RuntimeWarning]) == 1


@lightnings_own_warnings
def test_a_metric_that_is_never_measured_is_told_with_the_near_miss() -> None:
    with pytest.warns(UserWarning, match=r"'val_los' was not measured.*did you mean 'val_loss'"):
        fit(PruningCallback(a_trial(AT_ONCE), "val_los"), epochs=1)


@pytest.mark.parametrize("monitor", ["", None, 3])
def test_what_is_no_name_of_a_metric_is_refused(monitor: Any) -> None:
    with pytest.raises(UsageError, match="give the name of a metric"):
        PruningCallback(a_trial(NEVER), monitor)


@lightnings_own_warnings
def test_a_value_that_is_no_number_is_pruned_by_the_median() -> None:
    class Diverging(Validated):
        def validation_step(self, batch: Any, batch_idx: int) -> None:
            self.log("val_loss", math.nan)

    study = optuna.create_study(pruner=MedianPruner(n_startup_trials=0))
    first = study.ask()
    first.report(1.0, 0)
    study.tell(first, 1.0)
    callback = PruningCallback(study.ask(), "val_loss")
    trainer = plain_trainer(max_epochs=3, callbacks=[callback])
    trainer.fit(Diverging(), make_loader(), make_loader())
    assert (trainer.current_epoch, callback.is_pruned) == (1, True)


# -- on two ranks --------------------------------------------------------------------------------


class Untouched:
    """The trial of a rank that is not to ask."""

    def report(self, value: float, step: int) -> None:
        raise AssertionError

    should_prune = report  # type: ignore[assignment]


def train_on_rank(rank: int, folder: str) -> tuple[int, bool, list[int]]:
    """Train a facade whose rank 0 alone has a trial; in a process of its own."""
    trial = a_trial(AT_SECOND) if rank == 0 else None
    trainer = start(TinyTrainer, Path(folder, "root"), epoch=5, devices=2, strategy="ddp")
    callback = PruningCallback(Untouched() if trial is None else trial, "loss").hook(trainer)
    trainer.train()
    steps = [] if trial is None else sorted(reported(trial))
    return trainer.lightning_trainer.current_epoch, callback.is_pruned, steps


def test_rank_0_asks_and_all_ranks_end_together() -> None:
    (results,) = together([Deed("test_callbacks_pruning:train_on_rank")])
    assert results == [(2, True, [0, 1]), (2, True, [])]
