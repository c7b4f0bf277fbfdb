"""Lightning's callbacks that could not work on a facade run are refused, and unheard hooks told."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pytorch_lightning.callbacks import (
    BatchSizeFinder,
    EarlyStopping,
    GradientAccumulationScheduler,
    LearningRateFinder,
    ModelCheckpoint,
    SpikeDetection,
)
from pytorch_lightning.tuner import Tuner
from trainer_helpers import (
    TinyTrainer,
    ended_runs,  # noqa: F401 - a fixture of every test here
    start,
)

from thexp_pl import Params
from thexp_pl.callbacks import EvalCallback, TrainCallback
from thexp_pl.errors import TrainerError


@pytest.mark.parametrize(
    ("callback", "instead"),
    [
        (GradientAccumulationScheduler({0: 2}), r"GradientAccumulationScheduler is .*every n-th"),
        (LearningRateFinder(), r"LearningRateFinder is .*grid_search\('lr'"),
        (SpikeDetection(), r"SpikeDetection is .*compare the loss in train_batch"),
        (BatchSizeFinder(), r"BatchSizeFinder is .*grid_search\('batch_size'"),
        (
            ModelCheckpoint(train_time_interval=timedelta(minutes=1)),
            r"ModelCheckpoint\(train_time_interval=\.\.\.\) is .*every_n_batches",
        ),
    ],
)
@pytest.mark.parametrize("way", ["option", "hooked"])
def test_a_callback_that_would_go_wrong_is_refused_in_one_line(
    callback: Any, instead: str, way: str, tmp_path: Path
) -> None:
    class Hooking(TinyTrainer):
        def initial_callback(self) -> None:
            self.add_callback(callback)

    def use() -> None:
        if way == "option":
            TinyTrainer(Params(), callbacks=[callback])
        else:
            start(Hooking, tmp_path)

    with pytest.raises(TrainerError, match=rf"\A{instead}[^\n]*\Z"):
        use()


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (EarlyStopping, r"callbacks: EarlyStopping is a class; give EarlyStopping\(\.\.\.\)"),
        (EvalCallback, r"callbacks: EvalCallback is a class; give EvalCallback\(\.\.\.\)"),
        (3, "a int is no callback.*; subclass pytorch_lightning.Callback"),
    ],
)
def test_what_is_no_callback_is_refused_in_one_line(given: Any, reason: str) -> None:
    with pytest.raises(TrainerError, match=rf"\A[^\n]*{reason}[^\n]*\Z"):
        TinyTrainer(Params(), callbacks=[given])
    with pytest.raises(TrainerError, match=rf"\A{reason}[^\n]*\Z"):
        TinyTrainer(Params()).add_callback(given)


def test_a_callback_of_thexps_kind_as_an_option_is_refused_with_the_way_to_hook_it() -> None:
    with pytest.raises(TrainerError, match=r"\Acallbacks: a TrainCallback is [^\n]*\.hook\(self\)"):
        TinyTrainer(Params(), callbacks=[TrainCallback()])


def test_lightnings_tuner_is_refused_by_what_it_would_do(tmp_path: Path) -> None:
    trainer = start(TinyTrainer, tmp_path)

    with pytest.raises(TrainerError, match=r"\ALearningRateFinder is not for the facade Trainer"):
        Tuner(trainer.lightning_trainer).lr_find(trainer.module, trainer.train_dataloader)


@pytest.mark.parametrize(
    "hook", ["on_validation_end", "on_test_epoch_start", "on_before_zero_grad"]
)
def test_a_hook_that_a_facade_run_never_calls_is_told(hook: str, tmp_path: Path) -> None:
    own = type("Own", (EarlyStopping,), {hook: lambda self, *args: None})

    with pytest.warns(UserWarning, match=rf"\AOwn\.{hook} is not called on a facade run: "):
        start(TinyTrainer, tmp_path, callbacks=[own("loss")])
