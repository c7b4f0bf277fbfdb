"""What a checkpoint of the facade holds, and what comes of loading it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint
from torch import nn
from torch.optim import SGD, Adam
from torch.optim.lr_scheduler import StepLR
from trainer_helpers import (
    BATCHES,
    EvalTrainer,
    PlainModule,
    TinyTrainer,
    ended_runs,  # noqa: F401 - a fixture of every test here
    lightnings_own_warnings,
    make_loader,
    make_model,
    metrics_of,
    plain_trainer,
    same_weights,
    start,
    weights_of,
)

from thexp_pl import AvgMeter, Params
from thexp_pl.errors import CheckpointError, TrainerError
from thexp_pl.record.faults import RecorderWarning


class Rich(TinyTrainer):
    """One attribute of every kind, each of which training changes."""

    def initial_trainer(self, params: Params) -> None:
        super().initial_trainer(params)
        self.norm = nn.BatchNorm1d(6)
        self.scale = torch.ones(3, requires_grad=True)
        self.optim_scale = Adam([self.scale, *self.norm.parameters()], lr=0.05)
        self.scheduler = StepLR(self.optim, step_size=3, gamma=0.5)
        self.bank = torch.zeros(0, 6)
        self.seen = np.zeros(3, dtype=np.int32)
        self.best = float("inf")
        self.rate = np.float32(0.5)
        self.count, self.flag = 0, False
        self.average = AvgMeter()
        self._private = 0

    def train_batch(self, eidx, idx, global_step, batch_data, params, device):
        xs, ys = batch_data
        loss = nn.functional.cross_entropy(self.model(self.norm(xs)) * self.scale, ys)
        loss.backward()
        for optim in (self.optim, self.optim_scale):
            optim.step()
            optim.zero_grad()
        self.scheduler.step()
        self.bank = torch.cat([self.bank, xs])[-8:]
        self.seen += np.bincount(ys.numpy(), minlength=3).astype(np.int32)
        self.best = min(self.best, loss.item())
        self.rate = np.float32(self.rate * 0.9)
        self.count, self.flag = self.count + 1, True
        self.average.update({"loss": loss})
        self._private += 1
        return {"loss": loss}


def state_of(trainer: Any) -> dict[str, Any]:
    """Give everything that training goes on from."""
    state: dict[str, Any] = {}
    for name, value in vars(trainer).items():
        if not name.startswith("_") and not hasattr(type(trainer), name):
            state[name] = value.state_dict() if hasattr(value, "state_dict") else value
    return {**state, "progress": {k: trainer.params[k] for k in ("eidx", "idx", "global_step")}}


def assert_same(one: Any, two: Any) -> None:
    torch.testing.assert_close(state_of(one), state_of(two), rtol=0, atol=0)


# -- a fresh trainer goes on where the other stopped ---------------------------------------------


def test_a_fresh_trainer_has_all_that_the_checkpoint_held(tmp_path: Path) -> None:
    trained, fresh = start(Rich, tmp_path, 2), start(Rich, tmp_path, 2)
    trained.train()
    scale = fresh.scale

    info = fresh.load_checkpoint(trained.saver.find_checkpoints()[-1])

    assert_same(fresh, trained)
    assert info["eidx"] == 2
    assert fresh.params.eidx == 3
    assert (fresh.count, fresh.flag, type(fresh.rate)) == (2 * BATCHES, True, np.float32)
    assert fresh.scale is scale, "the optimizer would train another tensor"
    assert fresh.scale.requires_grad
    assert fresh._private == 0


@pytest.mark.parametrize("options", [{}, {"max_steps": 4 * BATCHES}], ids=["epochs", "max_steps"])
@pytest.mark.parametrize("epoch", [1, 3])
def test_a_resumed_run_ends_as_the_one_that_was_never_interrupted(
    epoch: int, options: dict[str, Any], tmp_path: Path
) -> None:
    at_once = start(Rich, tmp_path, 4, **options)
    at_once.train()
    first = start(Rich, tmp_path, epoch, **options)
    first.train()
    second = start(Rich, tmp_path, 4, **options)
    second.load_checkpoint(first.saver.find_checkpoints()[-1])

    second.train()

    assert_same(second, at_once)
    assert second.lightning_trainer.global_step == 4 * BATCHES
    steps = {step for step, _, _ in metrics_of(second.experiment)["loss"]}
    assert steps == {BATCHES * (e + 1) - 1 for e in range(epoch, 4)}


class Saving(pl.Callback):
    """Saves a keypoint at one hook of the second epoch, at its last batch where it has batches."""

    def __init__(self, facade: Any, hook: str) -> None:
        self.facade = facade
        self.hook = hook

        def save(trainer: Any, pl_module: Any, *args: Any) -> None:
            is_second = facade.params.eidx == 2 and facade.params.idx in (0, BATCHES - 1)
            is_due = facade.params.idx == BATCHES - 1 or "batch" not in hook
            if is_second and is_due and not facade.saver.find_keypoints():
                assert facade.save_keypoint() is not None

        setattr(self, hook, save)


BOUNDARIES = ["on_train_batch_end", "on_train_epoch_end", "on_train_end"]


@pytest.mark.parametrize("options", [{}, {"max_steps": 3 * BATCHES}], ids=["epochs", "max_steps"])
@pytest.mark.parametrize("hook", BOUNDARIES)
def test_a_checkpoint_of_an_epoch_that_is_done_goes_on_with_the_next(
    hook: str, options: dict[str, Any], tmp_path: Path
) -> None:
    class Hooked(Rich):
        def initial_callback(self) -> None:
            self.add_callback(Saving(self, hook))

    first = start(Hooked, tmp_path, 2, **options)
    first.train()
    (keypoint,) = first.saver.find_keypoints()
    at_once, second = start(Rich, tmp_path, 3, **options), start(Rich, tmp_path, 3, **options)
    at_once.train()

    second.load_keypoint(keypoint)
    assert (second.params.eidx, second.params.global_step) == (3, 2 * BATCHES - 1)
    second.train()

    assert_same(second, at_once)
    assert [path.name for path in second.saver.find_checkpoints()] == ["0000003.ckpt"]


def test_a_checkpoint_saved_between_two_trainings_goes_on_with_the_next_epoch(
    tmp_path: Path,
) -> None:
    first = start(Rich, tmp_path, 2)
    first.train()
    path = first.save_checkpoint({"why": "between"})
    second, at_once = start(Rich, tmp_path, 3), start(Rich, tmp_path, 3)
    assert second.load_checkpoint(path)["why"] == "between"

    second.train()
    at_once.train()

    assert_same(second, at_once)


def test_going_back_to_an_earlier_epoch_of_the_same_run_trains_it_again(tmp_path: Path) -> None:
    trainer = start(Rich, tmp_path, 3)
    trainer.train()
    at_the_end = weights_of(trainer)

    trainer.load_checkpoint(1)
    assert not same_weights(weights_of(trainer), at_the_end)
    trainer.train()

    assert same_weights(weights_of(trainer), at_the_end)
    assert trainer.params.eidx == 4


def test_a_checkpoint_saved_before_any_training_restores_the_beginning(tmp_path: Path) -> None:
    trainer = start(Rich, tmp_path, 1)
    beginning = weights_of(trainer)
    path = trainer.save_checkpoint()
    trainer.train()

    trainer.load_checkpoint(path)

    assert path.name == "0000000.ckpt"
    assert same_weights(weights_of(trainer), beginning)
    assert (trainer.params.eidx, trainer.params.global_step) == (1, 0)
    trainer.train()
    assert trainer.params.eidx == 2


def test_what_the_user_changes_after_loading_stays_changed(tmp_path: Path) -> None:
    first = start(Rich, tmp_path, 1)
    first.train()
    second = start(Rich, tmp_path, 2)
    second.load_checkpoint(first.saver.find_checkpoints()[-1])
    second.scheduler = StepLR(second.optim, step_size=1000)
    second.optim.param_groups[0]["lr"] = 0.0
    frozen = {name: value.clone() for name, value in second.model.named_parameters()}

    second.train()

    assert second.optim.param_groups[0]["lr"] == 0.0
    assert all(torch.equal(value, frozen[name]) for name, value in second.model.named_parameters())


def test_the_states_of_lightnings_callbacks_are_restored(tmp_path: Path) -> None:
    def stopping() -> EarlyStopping:
        return EarlyStopping("loss", patience=50, min_delta=100.0)

    first = start(Rich, tmp_path, 3, callbacks=[stopping()])
    first.train()
    early = stopping()
    second = start(Rich, tmp_path, 4, callbacks=[early])
    second.load_checkpoint(first.saver.find_checkpoints()[-1])

    second.train()

    assert early.wait_count == 3  # the first epoch sets the mark, and three did not better it


# -- saving --------------------------------------------------------------------------------------


def test_a_save_within_train_batch_waits_until_the_batch_is_done(tmp_path: Path) -> None:
    class Impatient(Rich):
        def train_batch(self, eidx, idx, global_step, *rest):
            if global_step == 2:
                assert self.save_keypoint({"why": "impatient"}) is None
                assert self.saver.find_keypoints() == []
            return super().train_batch(eidx, idx, global_step, *rest)

    trainer = start(Impatient, tmp_path, 1)

    trainer.train()

    (path,) = trainer.saver.find_keypoints()
    state = trainer.saver.load_keypoint(path)
    assert state["thexp_pl_attributes"]["count"] == 3
    assert state["global_step"] == 3
    assert trainer.saver.keypoint_info(path) == {"why": "impatient", "eidx": 0}


def test_a_waiting_save_that_fails_is_a_warning(tmp_path: Path) -> None:
    class Unsavable(TinyTrainer):
        def train_batch(self, *args: Any) -> Any:
            if args[2] == 1:
                self.save_keypoint({"why": object})
                self.save_keypoint("no dict")  # type: ignore[arg-type]
            return super().train_batch(*args)

    trainer = start(Unsavable, tmp_path, 1)

    with pytest.warns(RecorderWarning, match="is not recorded in full"):
        trainer.train()

    assert trainer.params.eidx == 2


def test_the_files_open_without_pickled_code_and_in_plain_lightning(tmp_path: Path) -> None:
    class Plain(pl.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.model, self.norm = make_model(), nn.BatchNorm1d(6)

    trainer = start(Rich, tmp_path, 1)
    trainer.train()
    paths = [trainer.save_checkpoint(), trainer.save_keypoint(), trainer.save_model()]

    for path in paths:
        state = torch.load(path, weights_only=True)
        assert state["thexp_pl_params"]["epoch"] == 1
        loaded = Plain.load_from_checkpoint(path, map_location="cpu")
        assert torch.equal(loaded.model[0].weight, trainer.model[0].weight)


@lightnings_own_warnings
@pytest.mark.filterwarnings("ignore:Be aware that when using `ckpt_path`, callbacks")
def test_lightning_itself_goes_on_from_a_checkpoint(tmp_path: Path) -> None:
    facade, at_once = start(TinyTrainer, tmp_path, 1), start(TinyTrainer, tmp_path, 2)
    facade.train()
    at_once.train()
    module = PlainModule()
    trainer = plain_trainer(max_epochs=2)
    trainer.fit(module, make_loader(), ckpt_path=facade.saver.find_checkpoints()[-1])

    assert torch.equal(module.model[0].weight, at_once.model[0].weight)


def test_a_model_restores_the_weights_alone(tmp_path: Path) -> None:
    trained, fresh = start(Rich, tmp_path, 1), start(Rich, tmp_path, 1)
    trained.train()

    info = fresh.load_model(trained.saver.find_models()[-1])

    assert same_weights(weights_of(fresh), weights_of(trained))
    assert info["eidx"] == 1
    assert (fresh.count, fresh.params.eidx) == (0, 1)
    fresh.train()
    assert fresh.count == BATCHES


def test_params_that_have_no_plain_form_do_not_keep_a_checkpoint_from_being_saved(
    tmp_path: Path,
) -> None:
    trainer = start(TinyTrainer, tmp_path, 1)
    trainer.params.activation = nn.functional.relu
    trainer.params.widths = (4, 8)

    trainer.train()

    saved = trainer.saver.load_checkpoint(1)["thexp_pl_params"]
    assert "activation" not in saved
    assert saved["widths"] == [4, 8]


def test_a_state_that_no_checkpoint_can_hold_is_told_before_the_first_epoch(
    tmp_path: Path,
) -> None:
    class Ema:
        def state_dict(self):
            return {"of": {"class": Ema}}

        def load_state_dict(self, state):
            pass

    class Held(TinyTrainer):
        def initial_trainer(self, params: Params) -> None:
            super().initial_trainer(params)
            self.ema = Ema()

    trainer = start(Held, tmp_path)

    with pytest.raises(TrainerError, match=r"attribute 'ema' holds a type, which .* '_ema'"):
        trainer.train()
    assert trainer.params.eidx == 1


# -- what is refused -----------------------------------------------------------------------------


class Wider(TinyTrainer):
    def initial_trainer(self, params: Params) -> None:
        super().initial_trainer(params)
        self.model = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 3))
        self.optim = SGD(self.model.parameters(), lr=0.1)


class Renamed(TinyTrainer):
    def initial_trainer(self, params: Params) -> None:
        super().initial_trainer(params)
        self.network = self.model
        del self.model


class OtherOptimizer(TinyTrainer):
    def initial_trainer(self, params: Params) -> None:
        super().initial_trainer(params)
        self.second = SGD(self.model.parameters(), lr=0.1)


class OtherName(TinyTrainer):
    def initial_trainer(self, params: Params) -> None:
        super().initial_trainer(params)
        self.sgd = self.optim
        del self.optim


class OtherGroups(TinyTrainer):
    def initial_trainer(self, params: Params) -> None:
        super().initial_trainer(params)
        self.optim = SGD(self.model[0].parameters(), lr=0.1)


class WithCounter(TinyTrainer):
    counter: Any = 5

    def initial_trainer(self, params: Params) -> None:
        super().initial_trainer(params)
        self.counter = type(self).counter


class WithTensor(WithCounter):
    counter = torch.ones(2, requires_grad=True)


class WithLongerTensor(WithCounter):
    counter = torch.ones(3, requires_grad=True)


@pytest.mark.parametrize(
    ("saved_by", "loaded_by", "reason"),
    [
        (TinyTrainer, Wider, r"'model.0.weight' has the shape \(8, 6\), not \(16, 6\)"),
        (TinyTrainer, Renamed, "has no 'network.0.weight'"),
        (TinyTrainer, OtherOptimizer, r"optimizers \['optim'\], not \['optim', 'second'\]"),
        (TinyTrainer, OtherName, r"optimizers \['optim'\], not \['sgd'\]"),
        (TinyTrainer, OtherGroups, r"'optim' has groups of \[4\] parameters, not \[2\]"),
        (WithCounter, TinyTrainer, "attribute 'counter', which TinyTrainer does not have"),
        (WithCounter, WithTensor, "'counter' is a tensor in WithTensor and a number in the"),
        (WithTensor, WithLongerTensor, r"'counter' has the shape \(3,\) in .* \(2,\) in the"),
    ],
)
def test_a_checkpoint_of_another_trainer_is_refused_and_changes_nothing(
    saved_by: type[TinyTrainer], loaded_by: type[TinyTrainer], reason: str, tmp_path: Path
) -> None:
    path = start(saved_by, tmp_path).save_checkpoint()
    trainer = start(loaded_by, tmp_path)
    for parameter in trainer.module.parameters():
        nn.init.constant_(parameter, 0.5)
    before = state_of(trainer)

    with pytest.raises(CheckpointError, match=rf"\A[^\n]*{reason}[^\n]*\Z"):
        trainer.load_checkpoint(path)

    torch.testing.assert_close(state_of(trainer), before, rtol=0, atol=0)


class MakesLater(TinyTrainer):
    """Has a best loss, and what it has counted, only once it trains."""

    def initial_trainer(self, params: Params) -> None:
        super().initial_trainer(params)
        self.best = None

    def train_batch(self, *args: Any) -> Any:
        meter = super().train_batch(*args)
        loss = float(meter.loss.detach())
        self.best = loss if self.best is None else min(loss, self.best)
        self.seen = getattr(self, "seen", torch.zeros(1)) + len(args[3][0])
        return meter


def test_an_attribute_made_while_training_is_restored_too(tmp_path: Path) -> None:
    trained, fresh = start(MakesLater, tmp_path, 1), start(MakesLater, tmp_path, 2)
    trained.train()

    fresh.load_checkpoint(trained.saver.find_checkpoints()[-1])
    assert (fresh.best, fresh.seen.item()) == (trained.best, trained.seen.item())

    fresh.train()
    assert fresh.seen.item() == 2 * trained.seen.item()


def test_an_attribute_that_the_checkpoint_lacks_keeps_its_value(tmp_path: Path) -> None:
    path = start(TinyTrainer, tmp_path).save_checkpoint()
    trainer = start(WithCounter, tmp_path)

    trainer.load_checkpoint(path)

    assert trainer.counter == 5


def test_a_missing_or_damaged_checkpoint_is_refused_in_one_line(tmp_path: Path) -> None:
    trainer = start(TinyTrainer, tmp_path)
    path = trainer.save_checkpoint()
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)

    with pytest.raises(CheckpointError, match=r"\A[^\n]*damaged[^\n]*\Z"):
        trainer.load_checkpoint(0)
    with pytest.raises(CheckpointError, match=r"\A[^\n]*7[^\n]*\Z"):
        trainer.load_checkpoint(7)
    with pytest.raises(CheckpointError, match=r"\A[^\n]*gone.ckpt[^\n]*\Z"):
        trainer.load_checkpoint(tmp_path / "gone.ckpt")
    (tmp_path / "foreign.ckpt").write_bytes(b"no checkpoint")
    with pytest.raises(CheckpointError, match=r"\A[^\n]*foreign.ckpt cannot be loaded[^\n]*\Z"):
        trainer.load_checkpoint(tmp_path / "foreign.ckpt")


def test_a_model_file_is_no_checkpoint_to_go_on_from(tmp_path: Path) -> None:
    trainer = start(TinyTrainer, tmp_path)
    path = trainer.save_model()

    with pytest.raises(CheckpointError, match="is not a checkpoint of a Trainer"):
        trainer.load_checkpoint(path)
    trainer.saver.save_checkpoint(5, {"a": 1})
    with pytest.raises(CheckpointError, match=r"is not a checkpoint of a Trainer.*from-thexp\.md"):
        trainer.load_checkpoint(5)


def test_a_checkpoint_is_not_loaded_while_training_runs(tmp_path: Path) -> None:
    class Reloading(TinyTrainer):
        def train_batch(self, *args: Any) -> Any:
            self.load_checkpoint(0)

    trainer = start(Reloading, tmp_path)
    trainer.save_checkpoint()

    with pytest.raises(TrainerError, match="cannot be loaded while train"):
        trainer.train()


def test_the_best_file_of_lightnings_model_checkpoint_can_be_loaded(tmp_path: Path) -> None:
    best = ModelCheckpoint(monitor="eval_loss", mode="max")  # the first epoch's
    trained = start(EvalTrainer, tmp_path, 2, callbacks=[best])
    trained.train()
    fresh = start(EvalTrainer, tmp_path, 2)

    assert fresh.load_checkpoint(best.best_model_path) == {}

    assert fresh.params.eidx == 2
    first = trained.saver.load_checkpoint(1)["state_dict"]
    assert same_weights(first, weights_of(fresh))


def test_sidecars_hold_the_epoch_and_the_metrics(tmp_path: Path) -> None:
    trainer = start(EvalTrainer, tmp_path, 2)
    trainer.train()
    trainer.save_keypoint({"why": "good"})

    last = trainer.saver.checkpoint_info(2)
    assert last["eidx"] == 2
    assert {"loss", "eval_loss"} <= last.keys()
    assert trainer.saver.model_info(2)["eidx"] == 2
    sidecar = json.loads((trainer.saver.dir / "keep.0000002.ckpt.json").read_text())
    assert (sidecar["why"], sidecar["eidx"]) == ("good", 2)
    assert sidecar["_record"]["step"] == 2 * BATCHES
    assert sidecar["_record"]["run_key"] == trainer.experiment.key
