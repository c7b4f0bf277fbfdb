"""SaverCallback: a training that an EarlyStopping has stopped is not trained on when resumed."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from pytorch_lightning.callbacks import EarlyStopping
from pytorch_lightning.utilities.exceptions import SIGTERMException
from saving_helpers import At, Module, fit, keep_all, saved_at, sending, steps

from thexp_pl.saver import Saver

EPOCHS = 9


def stopping(**options: Any) -> EarlyStopping:
    """Make one for which nothing ever gets better."""
    return EarlyStopping(
        **{"monitor": "val_loss", "patience": 1, "min_delta": 1e6, "verbose": False, **options}
    )


def run(folder: Path, callback: EarlyStopping, **options: Any) -> Module:
    own = {"validate": True, "max_epochs": EPOCHS, **options}
    return fit(folder, callback, keep_all(every_n_batches=1, monitor="val_loss"), **own)


@pytest.mark.parametrize(
    ("options", "last"),
    [
        ({}, 10),
        ({"val_check_interval": 2}, 4),  # in the midst of an epoch
        ({"min_epochs": 3}, 15),
        ({"min_steps": 7, "val_check_interval": 2}, 7),
    ],
)
def test_from_each_checkpoint_it_stops_at_the_same_batch(
    options: dict[str, Any], last: int, tmp_path: Path
) -> None:
    whole = run(tmp_path, stopping(), **options)
    assert steps(tmp_path)[-1] == last

    for step in steps(tmp_path):
        resumed = run(
            tmp_path / str(step), stopping(), ckpt_path=saved_at(tmp_path, step), **options
        )
        assert steps(tmp_path / str(step)) == [one for one in steps(tmp_path) if one > step]
        for name, value in whole.state_dict().items():
            assert torch.equal(resumed.state_dict()[name], value), (step, name)
        assert resumed.trainer.callback_metrics == whole.trainer.callback_metrics


@pytest.mark.filterwarnings("ignore:monitor='val_loss'")  # validated from the second epoch on
@pytest.mark.parametrize(("patience", "last", "is_measured"), [(1, 10, True), (2, 15, False)])
def test_the_final_weights_of_one_that_stays_stopped_are_judged_by_the_same_metric(
    patience: int, last: int, is_measured: bool, tmp_path: Path
) -> None:
    def train(folder: Path, **options: Any) -> None:
        callback = stopping(monitor="loss", patience=patience, check_on_train_epoch_end=True)
        run(folder, callback, check_val_every_n_epoch=2, **options)

    train(tmp_path)
    train(tmp_path / "again", ckpt_path=saved_at(tmp_path, last))

    infos = []
    for folder in (tmp_path, tmp_path / "again"):
        (path,) = (folder / "modules").glob("model.*.pth")
        infos.append(Saver(path.parent).load_state_dict(path)[1])
    assert infos[0] == infos[1]
    assert ("val_loss" in infos[0]) == is_measured


@pytest.mark.filterwarnings("ignore:Be aware that when using `ckpt_path`")  # another monitor
@pytest.mark.parametrize(
    "other",
    [{"patience": 3}, {"min_delta": 0.0}, {"stopping_threshold": -1.0}, {"monitor": "loss"}],
)
def test_one_that_is_made_otherwise_trains_on(other: dict[str, Any], tmp_path: Path) -> None:
    run(tmp_path, stopping())

    resumed = run(
        tmp_path / "on", stopping(**other), ckpt_path=saved_at(tmp_path, 10), max_epochs=3
    )

    assert resumed.seen == 15


def test_one_that_a_signal_ended_trains_on(tmp_path: Path) -> None:
    with pytest.raises(SIGTERMException):
        fit(
            tmp_path, stopping(), keep_all(), At(3, sending(signal.SIGTERM)),
            validate=True, max_epochs=EPOCHS,
        )  # fmt: skip
    assert steps(tmp_path) == [3]

    resumed = run(tmp_path / "on", stopping(), ckpt_path=saved_at(tmp_path, 3))

    assert resumed.seen == 10
