"""An epoch or a training that is ended early by one of thexp's toggles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from trainer_helpers import (
    BATCHES,
    EvalTrainer,
    ended_runs,  # noqa: F401 - a fixture of every test here
    make_loader,
    metrics_of,
    same_weights,
    start,
    weights_of,
)

from thexp_pl import Params
from thexp_pl.errors import UsageError

SHORT = 2  # batches of the second epoch


class Toggling(EvalTrainer):
    """Sets its class's toggles in the second batch of the second epoch."""

    toggles: tuple[str, ...] = ()

    def initial_trainer(self, params: Params) -> None:
        super().initial_trainer(params)
        self.regist_databundler(train=make_loader(shuffle=True))
        self._seen: list[tuple[int, int, int]] = []
        self._losses: dict[int, list[float]] = {}

    def train_batch(self, eidx, idx, global_step, batch_data, params, device):
        self._seen.append((eidx, idx, global_step))
        if (eidx, idx) == (2, SHORT - 1):
            for toggle in self.toggles:
                setattr(self, toggle, True)
        meter = super().train_batch(eidx, idx, global_step, batch_data, params, device)
        self._losses.setdefault(eidx, []).append(meter.loss.item())
        return meter


class EndsEpoch(Toggling):
    toggles = ("train_epoch_toggle",)


class EndsTraining(Toggling):
    toggles = ("train_toggle",)


class EndsBoth(Toggling):
    toggles = ("train_toggle", "train_epoch_toggle")


def places(*lengths: int) -> list[tuple[int, int, int]]:
    pairs = [(e + 1, b) for e, length in enumerate(lengths) for b in range(length)]
    return [(*pair, step) for step, pair in enumerate(pairs)]


def test_an_epoch_that_was_ended_is_an_epoch_of_what_was_done(tmp_path: Path) -> None:
    trainer = start(EndsEpoch, tmp_path, 3)

    trainer.train()

    assert trainer._seen == places(BATCHES, SHORT, BATCHES)
    assert trainer.params.eidx == 4
    assert not trainer.train_epoch_toggle
    metrics = metrics_of(trainer.experiment)
    assert [(step, epoch) for step, epoch, _ in metrics["loss"]] == [(4, 0), (6, 1), (11, 2)]
    mean = sum(trainer._losses[2]) / SHORT
    assert metrics["loss"][1][2] == pytest.approx(mean, rel=1e-6)
    assert len(metrics["eval_loss"]) == 3
    assert [path.name for path in trainer.saver.find_checkpoints()] == [
        *("0000001.ckpt", "0000002.ckpt", "0000003.ckpt")
    ]


def test_from_the_checkpoint_of_such_an_epoch_training_goes_on_with_the_next(
    tmp_path: Path,
) -> None:
    at_once, second = start(EndsEpoch, tmp_path / "1", 3), start(EndsEpoch, tmp_path / "2", 3)
    at_once.train()

    second.load_checkpoint(at_once.saver.checkpoint_path(2, False))
    second.train()

    assert [seen[:2] for seen in second._seen] == [(3, idx) for idx in range(BATCHES)]
    assert same_weights(weights_of(second), weights_of(at_once))


def test_a_training_that_was_ended_does_its_epoch_and_its_end(tmp_path: Path) -> None:
    trainer = start(EndsTraining, tmp_path, 4)

    trainer.train()

    assert trainer._seen == places(BATCHES, BATCHES)
    assert (trainer.params.eidx, trainer.train_toggle) == (3, False)
    assert [path.name for path in trainer.saver.find_models()] == ["model.0000002.pth"]
    assert "test_loss" in trainer.experiment.metrics, "the last epoch had not been tested"


def test_both_toggles_end_a_training_after_the_batch(tmp_path: Path) -> None:
    trainer = start(EndsBoth, tmp_path, 4)

    trainer.train()

    assert trainer._seen == places(BATCHES, SHORT)
    assert trainer.params.eidx == 3


@pytest.mark.parametrize("kind", [EndsTraining, EndsBoth])
def test_training_goes_on_after_it_was_ended(kind: type[Toggling], tmp_path: Path) -> None:
    trainer = start(kind, tmp_path, 3)
    trainer.train()

    trainer.train()

    lengths = (BATCHES, SHORT if kind is EndsBoth else BATCHES, BATCHES)
    assert trainer._seen == places(*lengths)
    assert trainer.params.eidx == 4


def test_a_callback_of_lightnings_can_set_them(tmp_path: Path) -> None:
    class Ending(pl.Callback):
        def on_train_batch_end(self, trainer: Any, pl_module: Any, *args: Any) -> None:
            pl_module.facade.train_epoch_toggle = True

        def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
            pl_module.facade.train_toggle = trainer.current_epoch == 1

    trainer = start(Toggling, tmp_path, 5, callbacks=[Ending()])

    trainer.train()

    assert trainer._seen == [(1, 0, 0), (2, 0, 1)]


def test_a_toggle_set_before_training_holds_for_its_first_epoch(tmp_path: Path) -> None:
    trainer = start(Toggling, tmp_path, 3)
    trainer.train_toggle = True

    trainer.train()

    assert trainer._seen == places(BATCHES)


def test_a_step_goes_on_over_an_epoch_that_was_ended(tmp_path: Path) -> None:
    trainer = start(EndsEpoch, tmp_path, 3)

    trainer.train_step(BATCHES + SHORT + 1)

    assert trainer._seen == places(BATCHES, SHORT, 1)


@pytest.mark.parametrize("toggle", ["train_toggle", "train_epoch_toggle"])
@pytest.mark.parametrize("value", [1, None, "yes", torch.tensor(True)])
def test_a_toggle_is_true_or_false(toggle: str, value: Any) -> None:
    with pytest.raises(UsageError, match=rf"^{toggle} must be True or False, not "):
        setattr(Toggling(Params()), toggle, value)


def test_toggles_are_no_state_of_the_trainer(tmp_path: Path) -> None:
    trainer = start(Toggling, tmp_path, 1)
    trainer.train_toggle = True

    path = trainer.save_checkpoint()

    assert "train_toggle" not in trainer.saver.load_checkpoint(path)["thexp_pl_attributes"]
