"""Lightning's averages of weights: right on a facade run, or refused."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from pytorch_lightning import callbacks as lightning
from pytorch_lightning.callbacks import StochasticWeightAveraging
from torch import nn
from torch.optim import SGD
from torch.optim.lr_scheduler import StepLR
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

from thexp_pl import Params
from thexp_pl.errors import TrainerError

INEXACT = "ignore:resuming will not be exact"
AVERAGED = {"swa_lrs": 0.05, "swa_epoch_start": 2, "annealing_epochs": 2}


def averaging() -> StochasticWeightAveraging:
    return StochasticWeightAveraging(**AVERAGED)


@lightnings_own_warnings
@pytest.mark.filterwarnings(INEXACT)
def test_stochastic_weight_averaging_equals_that_of_a_plain_lightning_training(
    tmp_path: Path,
) -> None:
    plain = PlainModule()
    plain_trainer(max_epochs=4, callbacks=[averaging()]).fit(plain, make_loader())
    trainer = start(TinyTrainer, tmp_path, 4, callbacks=[averaging()])

    trainer.train()

    assert same_weights(weights_of(trainer), dict(plain.state_dict()))
    without = start(TinyTrainer, tmp_path, 4)
    without.train()
    assert not same_weights(weights_of(trainer), weights_of(without))


@pytest.mark.skipif(
    torch.__version__ < "2.7", reason="this torch's SWALR keeps a function in its state_dict"
)
@pytest.mark.filterwarnings(INEXACT, "ignore:Be aware that when using `ckpt_path`, callbacks")
def test_it_goes_on_from_the_end_of_an_epoch_as_if_it_had_never_stopped(tmp_path: Path) -> None:
    at_once = start(TinyTrainer, tmp_path, 4, callbacks=[averaging()])
    at_once.train()

    resumed = start(TinyTrainer, tmp_path, 4, callbacks=[averaging()])
    resumed.load_checkpoint(at_once.saver.dir / at_once.saver.find_checkpoints()[-2])
    resumed.train()

    assert resumed.params.eidx == 5
    assert same_weights(weights_of(resumed), weights_of(at_once))


def with_batch_norm(trainer: Any) -> None:
    trainer.norm = nn.BatchNorm1d(3)


def with_scheduler(trainer: Any) -> None:
    trainer.scheduler = StepLR(trainer.optim, 1)


def with_trained_tensor(trainer: Any) -> None:
    trainer.scale = torch.ones(3, requires_grad=True)
    trainer.optim = SGD([*trainer.model.parameters(), trainer.scale], lr=0.1)


@pytest.mark.parametrize(
    ("add", "reason"),
    [
        (with_batch_norm, "renews the statistics of BatchNorm.*torch.optim.swa_utils"),
        (with_scheduler, r"sets the learning rate that self\.scheduler sets as well"),
        (with_trained_tensor, r"averages modules only, and self\.scale is a tensor"),
    ],
)
def test_it_is_refused_where_the_average_would_be_wrong(
    add: Any, reason: str, tmp_path: Path
) -> None:
    class Holding(TinyTrainer):
        def initial_trainer(self, params: Params) -> None:
            super().initial_trainer(params)
            add(self)

    trainer = start(Holding, tmp_path, 3, callbacks=[averaging()])
    before = weights_of(trainer)

    with pytest.raises(TrainerError, match=rf"\AStochasticWeightAveraging {reason}[^\n]*\Z"):
        trainer.train()

    assert same_weights(weights_of(trainer), before)


@pytest.mark.parametrize("name", ["WeightAveraging", "EMAWeightAveraging"])
def test_averages_that_an_evaluation_would_not_use_are_refused(name: str) -> None:
    if not hasattr(lightning, name):
        pytest.skip(f"this Lightning has no {name}")

    with pytest.raises(TrainerError, match=rf"\A{name} is not for .*AveragedModel[^\n]*\Z"):
        TinyTrainer(Params(), callbacks=[getattr(lightning, name)()])


def test_a_copy_of_the_module_has_weights_of_its_own_and_no_run(tmp_path: Path) -> None:
    trainer = start(TinyTrainer, tmp_path, 1)

    copied = copy.deepcopy(trainer.module)
    before = {name: value.clone() for name, value in copied.state_dict().items()}
    trainer.train()

    assert list(copied.state_dict()) == list(trainer.module.state_dict())
    assert same_weights(dict(copied.state_dict()), before)
    assert not same_weights(dict(copied.state_dict()), weights_of(trainer))
    assert not hasattr(copied, "facade")
