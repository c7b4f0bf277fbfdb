"""SaverCallback: what a training that goes on takes over, and what it must not."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import (
    BaseFinetuning,
    GradientAccumulationScheduler,
    StochasticWeightAveraging,
)
from saving_helpers import (
    Validated,
    fit,
    keep_all,
    loader,
    make_trainer,
    record_of,
    saved_at,
    steps,
)

from thexp_pl import RunLogger
from thexp_pl.errors import UsageError
from thexp_pl.saver import Saver


class WorseAndWorse(Validated):
    """Has its best metric in the first validation."""

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.log("score", float(self.trainer.current_epoch))


def judged(folder: Path) -> dict[int, float]:
    """Give by step the metric of those checkpoints that have one."""
    saver = Saver(folder / "modules")
    infos = {
        record_of(path)["step"]: saver.load_state_dict(path)[1] for path in saver.find_checkpoints()
    }
    return {step: info["score"] for step, info in infos.items() if "score" in info}


def test_a_metric_that_was_restored_is_not_taken_for_one_measured_since(tmp_path: Path) -> None:
    def run(folder: Path, path: Path | None = None) -> str:
        saver = keep_all(every_n_batches=1, monitor="score")
        trainer = make_trainer(folder, saver, max_epochs=3)
        trainer.fit(WorseAndWorse(), loader(), loader(2, shuffle=False), ckpt_path=path)
        return Path(saver.best_model_path).name

    assert run(tmp_path) == saved_at(tmp_path, 5).name
    assert judged(tmp_path) == {5: 0.0, 10: 1.0, 15: 2.0}

    for step in (5, 7):
        folder = tmp_path / str(step)
        assert run(folder, saved_at(tmp_path, step)) == saved_at(folder, 10).name
        assert judged(folder) == {10: 1.0, 15: 2.0}


def test_a_training_with_nothing_left_to_do_has_the_metrics_of_its_end(tmp_path: Path) -> None:
    whole = fit(tmp_path, keep_all(), validate=True)

    again = fit(tmp_path / "again", keep_all(), validate=True, ckpt_path=saved_at(tmp_path, 10))

    assert {"val_loss", "loss_epoch"} <= whole.trainer.callback_metrics.keys()
    assert again.trainer.callback_metrics == whole.trainer.callback_metrics


def test_a_scheduled_accumulation_goes_on_in_the_midst_of_an_epoch(tmp_path: Path) -> None:
    def scheduler() -> GradientAccumulationScheduler:
        return GradientAccumulationScheduler({0: 1, 1: 2, 2: 3})

    whole = fit(tmp_path, scheduler(), keep_all(every_n_batches=1), max_epochs=4)
    assert {7, 13} <= set(steps(tmp_path))

    for step in steps(tmp_path):
        path = saved_at(tmp_path, step)
        resumed = fit(tmp_path / str(step), scheduler(), keep_all(), max_epochs=4, ckpt_path=path)
        assert torch.equal(resumed.layer.weight, whole.layer.weight), step


class Frozen(BaseFinetuning):
    def freeze_before_training(self, pl_module: pl.LightningModule) -> None:
        self.freeze(pl_module.layer)

    def finetune_function(self, pl_module: Any, epoch: int, optimizer: Any) -> None:
        if epoch == 0:
            self.make_trainable(pl_module.layer)


@pytest.mark.filterwarnings("ignore:Swapping scheduler")
@pytest.mark.parametrize("callback", [StochasticWeightAveraging(swa_lrs=0.1), Frozen()])
def test_a_callback_that_acts_where_an_epoch_starts_is_told_of(
    callback: pl.Callback, tmp_path: Path
) -> None:
    with pytest.warns(UserWarning, match=f"{type(callback).__name__} acts at an epoch's start"):
        fit(tmp_path, callback, keep_all())


def test_two_of_them_in_one_trainer_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"a Trainer takes one SaverCallback, not 2.*every_n_b"):
        fit(tmp_path, keep_all(), keep_all(every_n_batches=2))

    assert not (tmp_path / "modules").exists()


def test_a_second_training_in_the_folder_of_another_is_told_once(tmp_path: Path) -> None:
    fit(tmp_path, keep_all())

    with pytest.warns(UserWarning, match="another default_root_dir") as caught:
        fit(tmp_path, keep_all())

    (text,) = [text for one in caught if "default_root_dir" in (text := str(one.message))]
    assert text.startswith(f"{tmp_path / 'modules'} holds the checkpoints of another training")
    assert "RunLogger" in text


def test_one_that_goes_on_there_or_is_recorded_is_not_told(tmp_path: Path) -> None:
    fit(tmp_path, keep_all())

    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        fit(tmp_path, keep_all(), max_epochs=3, ckpt_path=saved_at(tmp_path, 10))
        logger = RunLogger(tmp_path, "recorded")
        fit(tmp_path, keep_all(), logger=logger)
        logger.experiment.end_exp()
    assert steps(tmp_path) == [5, 10, 15]
