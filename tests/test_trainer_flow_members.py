"""What a trainer's user does by hand: single batches, devices, modes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from pytorch_lightning.plugins import MixedPrecision
from torch import nn
from trainer_helpers import (
    BATCHES,
    EvalTrainer,
    TinyTrainer,
    ended_runs,  # noqa: F401 - a fixture of every test here
    make_data,
    make_loader,
    make_model,
    same_weights,
    start,
    weights_of,
)

from thexp_pl import DataBundler, Params
from thexp_pl.errors import TrainerError, UsageError


class Predicting(EvalTrainer):
    def initial_trainer(self, params: Params) -> None:
        super().initial_trainer(params)
        self.dropout = nn.Dropout()

    def predict(self, batch_data):
        return self.model(batch_data[0])


# -- single batches ------------------------------------------------------------------------------


def test_a_batch_is_fed_without_moving_the_place_in_the_data(tmp_path: Path) -> None:
    class Shuffled(TinyTrainer):
        def initial_trainer(self, params: Params) -> None:
            super().initial_trainer(params)
            self.regist_databundler(train=make_loader(shuffle=True))
            self._fed: list[Any] = []

        def train_batch(self, *args: Any) -> Any:
            self._fed.append(args[3][0])
            if args[1] == 1 and self._feeds:
                assert len(self.feed_batchdata()[0]) == 4
            return super().train_batch(*args)

    torch.manual_seed(1)
    fed, plain = start(Shuffled, tmp_path, 2), start(Shuffled, tmp_path, 2)
    fed._feeds, plain._feeds = True, False
    assert len(fed.feed_batchdata()[0]) == 4
    for trainer in (fed, plain):
        torch.manual_seed(1)
        trainer.train()

    assert all(torch.equal(a, b) for a, b in zip(fed._fed, plain._fed, strict=True))
    xs, ys = make_data()[:3]
    given = fed.feed_batchdata({"xs": xs, "rest": [ys]})
    assert given["xs"].device == fed.device
    assert torch.equal(given["rest"][0], ys)


def test_a_bundle_feeds_one_batch_of_each_loader(tmp_path: Path) -> None:
    trainer = start(TinyTrainer, tmp_path)
    bundler = DataBundler.create_zip_bundler(make_loader(), make_loader(shuffle=True))
    trainer.regist_databundler(train=bundler)

    (one, _), (two, _) = trainer.feed_batchdata()

    assert len(one) == len(two) == 4


def test_a_single_batch_trains_and_counts_for_nothing(tmp_path: Path) -> None:
    trainer, by_hand = start(TinyTrainer, tmp_path, 1), make_model()
    batch = next(iter(make_loader()))
    optim = torch.optim.SGD(by_hand.parameters(), lr=0.1, momentum=0.9)
    for _ in range(2):
        loss = nn.functional.cross_entropy(by_hand(batch[0]), batch[1])
        loss.backward()
        optim.step()
        optim.zero_grad()

    meters = [trainer.train_on_batch(batch) for _ in range(2)]

    assert same_weights(trainer.model.state_dict(), by_hand.state_dict())
    assert meters[1].loss.item() == loss.item()
    assert [trainer.params[name] for name in ("eidx", "idx", "global_step")] == [1, 0, 0]
    assert trainer.lightning_trainer.global_step == 0
    assert dict(trainer.experiment.metrics) == {}
    trainer.train()
    assert trainer.lightning_trainer.global_step == BATCHES


def test_a_save_within_a_single_batch_waits_for_its_end(tmp_path: Path) -> None:
    class Saving(TinyTrainer):
        def train_batch(self, *args: Any) -> Any:
            assert self.save_keypoint() is None
            return super().train_batch(*args)

    trainer = start(Saving, tmp_path)
    trainer.train_on_batch(next(iter(make_loader())))

    (path,) = trainer.saver.find_keypoints()
    assert same_weights(trainer.saver.load_keypoint(path)["state_dict"], weights_of(trainer))


def test_what_works_on_a_trainer_at_rest_is_refused_in_a_training(tmp_path: Path) -> None:
    uses: list[Any] = [
        lambda trainer: trainer.train_on_batch(None),
        lambda trainer: trainer.to("cpu"),
        lambda trainer: trainer.train(),
        lambda trainer: trainer.train_step(1),
    ]

    class Impatient(TinyTrainer):
        def train_batch(self, *args: Any) -> Any:
            for use in uses:
                with pytest.raises(TrainerError, match="cannot be called while a training runs"):
                    use(self)
            return super().train_batch(*args)

    trainer = start(Impatient, tmp_path, 1)
    trainer.train()
    assert trainer.params.eidx == 2


def test_a_single_batch_under_a_gradient_scaler_is_refused(tmp_path: Path) -> None:
    scaled = MixedPrecision("16-mixed", "cpu", scaler=torch.amp.GradScaler("cpu"))
    trainer = start(TinyTrainer, tmp_path, plugins=[scaled])

    with pytest.raises(TrainerError, match=r"call train_step\(1\)$"):
        trainer.train_on_batch(next(iter(make_loader())))


def test_a_single_batch_is_autocast_as_in_training(tmp_path: Path) -> None:
    kinds: list[torch.dtype] = []

    class Noting(TinyTrainer):
        def train_batch(self, *args: Any) -> Any:
            kinds.append(self.model(args[3][0]).dtype)
            return super().train_batch(*args)

    trainer = start(Noting, tmp_path, 1, precision="bf16-mixed")
    trainer.train_on_batch(next(iter(make_loader())))
    trainer.train()

    assert set(kinds) == {torch.bfloat16}


def test_evaluation_test_and_prediction_work_alone(tmp_path: Path) -> None:
    trainer = start(Predicting, tmp_path)

    assert trainer.eval().loss == trainer.test().loss
    assert {"eval_loss", "test_loss"} == set(trainer.experiment.metrics)
    assert trainer.predict(trainer.feed_batchdata()).shape == (4, 3)
    assert len(trainer.predict_all()) == BATCHES


# -- devices and modes ---------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:Found 1 module.* in eval mode")  # Lightning's, of the dropout
def test_modes_are_changed_for_all_modules_and_training_begins_in_its_own(tmp_path: Path) -> None:
    modes: list[bool] = []

    class Noting(Predicting):
        def train_batch(self, *args: Any) -> Any:
            modes.append(self.model.training)
            assert not self.dropout.training
            return super().train_batch(*args)

    trainer = start(Noting, tmp_path, 1)
    trainer.dropout.eval()

    trainer.change_mode(False)
    assert not any(module.training for module in trainer.module.modules())
    trainer.train()
    assert modes == [True] * BATCHES
    trainer.change_mode(False)
    trainer.change_mode(True)
    assert all(module.training for module in trainer.module.modules())


def test_a_trainer_knows_its_device_from_the_beginning(tmp_path: Path) -> None:
    class Asking(TinyTrainer):
        def initial_trainer(self, params: Params) -> None:
            assert self.device == torch.device("cpu")
            super().initial_trainer(params)
            self.model.to(self.device)

    start(Asking, tmp_path).to("cpu")


@pytest.mark.parametrize("device", ["nowhere", "cuda:97", "meta", 1.5])
def test_a_device_that_holds_nothing_is_refused(device: Any, tmp_path: Path) -> None:
    trainer = start(TinyTrainer, tmp_path)

    with pytest.raises(UsageError, match=r"\Ato\([^\n]*\Z"):
        trainer.to(device)
    trainer.train_on_batch(next(iter(make_loader())))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_all_that_trains_moves_away_and_comes_back_to_train(tmp_path: Path) -> None:
    params = Params()
    params.epoch, params.device = 2, "cuda:0"
    trainer = TinyTrainer(params)
    trainer.initial_exp(tmp_path)
    trainer.train_step(BATCHES + 1)

    trainer.to("cpu")
    momenta = [state["momentum_buffer"] for state in trainer.optim.state.values()]
    held = [*trainer.model.parameters(), *momenta]
    assert {value.device.type for value in held} == {"cpu"}
    trainer.train_on_batch(next(iter(make_loader())))
    trainer.to("cpu")
    trainer.train()

    assert next(trainer.model.parameters()).device.type == "cuda"
    trainer.experiment.end_exp()
