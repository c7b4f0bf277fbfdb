"""A trainer made from a checkpoint predicts at once, and can be trained on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytorch_lightning.callbacks import ModelCheckpoint
from torch.optim.lr_scheduler import StepLR
from trainer_helpers import (
    BATCHES,
    EvalTrainer,
    ended_runs,  # noqa: F401 - a fixture of every test here
    make_loader,
    make_model,
    same_weights,
    start,
    weights_of,
)

from thexp_pl import Params
from thexp_pl.errors import TrainerError

# what is frozen on purpose: Lightning says so when a training starts
pytestmark = pytest.mark.filterwarnings("ignore:Found 4 module")

BATCH = next(iter(make_loader()))


class Sizes(Params):
    def __init__(self) -> None:
        super().__init__()
        self.width = 5
        self.optim = self.optim_option(lr=0.1)
        self.names: tuple[str, ...] = ()
        self.other = None
        self.device = "cpu"


class Learner(EvalTrainer):
    """Holds what a semi-supervised training holds: an EMA copy, a tensor, an array, a number."""

    def initial_trainer(self, params: Sizes) -> None:
        super().initial_trainer(params)
        self.logger.info("made")
        self.ema = make_model()
        self.center = torch.zeros(3)
        self.counts = np.zeros(2)
        self.batches = 0
        self.scheduler = StepLR(self.optim, 2, 0.5)
        self.frozen = make_model().eval()
        self._made = getattr(self, "_made", 0) + 1

    def train_batch(self, *args: Any) -> Any:
        meter = super().train_batch(*args)
        self.scheduler.step()
        with torch.no_grad():
            for slow, fast in zip(self.ema.parameters(), self.model.parameters(), strict=True):
                slow.lerp_(fast, 0.5)
            self.center += 1
        self.counts += 1
        self.batches += 1
        return meter

    def predict(self, batch_data: Any) -> Any:
        return self.model(batch_data[0])


def trained(root: Path, **options: Any) -> Any:
    trainer = start(Learner, root / "first", 2, **options)
    trainer.params.width = 7
    trainer.train()
    return trainer


def checkpoint(trainer: Any) -> Path:
    trainer.experiment.end_exp()
    return trainer.saver.find_checkpoints()[-1]


def files_below(folder: Path) -> list[Path]:
    """List the files of a folder, but for the index of runs, which reading brings up to date."""
    return sorted(path for path in folder.rglob("*") if not path.name.startswith("index."))


@pytest.mark.parametrize("kind", ["checkpoint", "model", "lightnings", "word"])
def test_a_trainer_from_a_checkpoint_predicts_as_the_trained_one(
    kind: str, tmp_path: Path, own_home: Path
) -> None:
    best = ModelCheckpoint(tmp_path / "best", monitor="loss")
    trainer = trained(tmp_path, callbacks=[best])
    which: Any = {
        "checkpoint": checkpoint(trainer),
        "model": trainer.saver.find_models()[-1],
        "lightnings": best.best_model_path,
        "word": f"{trainer.experiment.key}@2",
    }[kind]
    before = files_below(tmp_path) + files_below(own_home)

    loaded = Learner.load_from_checkpoint(which)

    assert not any(one.training for one in loaded.module.modules())
    assert torch.equal(loaded.predict(BATCH), trainer.predict(BATCH))
    assert torch.equal(loaded.lightning_module(BATCH), loaded.predict(BATCH))
    assert same_weights(weights_of(loaded), weights_of(trainer))
    assert loaded.params.width == 7
    assert files_below(tmp_path) + files_below(own_home) == before


def test_its_other_attributes_are_restored_and_what_optimizes_is_new(tmp_path: Path) -> None:
    trainer = trained(tmp_path)

    loaded = Learner.load_from_checkpoint(checkpoint(trainer))

    assert loaded.center.tolist() == [2 * BATCHES] * 3
    assert loaded.counts.tolist() == [2 * BATCHES] * 2
    assert loaded.batches == 2 * BATCHES
    assert loaded.scheduler.last_epoch == 0
    assert loaded.optim.param_groups[0]["lr"] == 0.1
    assert loaded.optim.state == {}


def test_the_device_is_this_machines_or_the_one_that_is_given(tmp_path: Path) -> None:
    trainer = trained(tmp_path)
    trainer.params.device = "cuda:97"
    path = trainer.save_model()

    for where in ({}, {"map_location": "cpu"}, {"map_location": torch.device("cpu")}):
        loaded = Learner.load_from_checkpoint(path, **where)
        assert loaded.params.device == str(loaded.module.device) == "cpu"


def test_keywords_take_the_place_of_its_parameters(tmp_path: Path) -> None:
    path = checkpoint(trained(tmp_path))

    loaded = Learner.load_from_checkpoint(path, width=9, optim={"lr": 0.5})

    assert (loaded.params.width, loaded.params.optim.lr, loaded.params.epoch) == (9, 0.5, 2)


@given(
    width=st.integers(),
    rate=st.floats(allow_nan=False),
    names=st.lists(st.text(max_size=3), max_size=3).map(tuple),
    other=st.none() | st.booleans() | st.text(max_size=5),
    override=st.none() | st.integers(),
)
@settings(max_examples=15, suppress_health_check=[*HealthCheck])
def test_whatever_the_parameters_were_they_come_back(
    width: int, rate: float, names: Any, other: Any, override: Any, saving: Any
) -> None:
    saving.params.update({"width": width, "optim": {"lr": rate}, "names": names, "other": other})
    path = saving.save_model(replacement=True)
    given = {} if override is None else {"width": override}

    loaded = Learner.load_from_checkpoint(path, **given)

    assert loaded.params.settings() == {**saving.params.settings(), **given}


@pytest.fixture
def saving(tmp_path: Path) -> Any:
    """Give a trainer whose run has begun."""
    return start(Learner, tmp_path)


def test_a_run_that_follows_begins_anew_with_the_loaded_weights(tmp_path: Path) -> None:
    trainer = trained(tmp_path)
    path = checkpoint(trainer)

    tuned = Learner.load_from_checkpoint(path, epoch=1)
    tuned.initial_exp(tmp_path / "second")

    assert tuned._made == 1
    assert same_weights(weights_of(tuned), weights_of(trainer))
    assert tuned.model.training
    assert not tuned.frozen.training
    tuned.train()
    tuned.experiment.end_exp()
    assert tuned.batches == 3 * BATCHES
    assert tuned.params.eidx == 2
    assert tuned.lightning_trainer.global_step == BATCHES
    assert not same_weights(weights_of(tuned), weights_of(trainer))
    events = [json.loads(line) for line in tuned.experiment.paths.journal.read_text().splitlines()]
    loads = [event for event in events if event["event"] == "load"]
    assert [event["run"] for event in loads] == [trainer.experiment.key]


def test_what_such_a_run_saves_can_be_loaded_again(tmp_path: Path) -> None:
    class Late(Learner):
        def train_batch(self, *args: Any) -> Any:
            self.best = 0.5
            return super().train_batch(*args)

    trainer = start(Late, tmp_path / "first", 1)
    trainer.train()
    tuned = Late.load_from_checkpoint(checkpoint(trainer), epoch=1)
    tuned.initial_exp(tmp_path / "second")
    tuned.train()

    again = start(Late, tmp_path / "third", 2)
    again.load_checkpoint(checkpoint(tuned))

    assert again.best == 0.5
    assert same_weights(weights_of(again), weights_of(tuned))


def test_a_run_that_follows_equals_a_fresh_one_into_which_the_model_was_loaded(
    tmp_path: Path,
) -> None:
    trainer = trained(tmp_path)
    path = checkpoint(trainer)
    tuned = Learner.load_from_checkpoint(path, epoch=2)
    tuned.initial_exp(tmp_path / "second")
    fresh = start(Learner, tmp_path / "third", 2)
    fresh.load_model(trainer.saver.find_models()[-1])
    # what load_model leaves as it was made
    fresh.batches, fresh.center, fresh.counts = tuned.batches, tuned.center, tuned.counts

    tuned.train()
    fresh.train()

    assert same_weights(weights_of(tuned), weights_of(fresh))


def test_what_needs_a_run_still_says_so(tmp_path: Path) -> None:
    loaded = Learner.load_from_checkpoint(checkpoint(trained(tmp_path)))

    for use in (loaded.train, loaded.eval, loaded.save_checkpoint, lambda: loaded.experiment):
        with pytest.raises(TrainerError, match=r"\Athe run has not begun; call initial_exp"):
            use()
