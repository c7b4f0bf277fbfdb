"""EvalCallback: when the facade evaluates and tests, and in what state."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from pytorch_lightning.callbacks import EarlyStopping
from torch import nn
from trainer_helpers import (
    BATCHES,
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

from thexp_pl import Params
from thexp_pl.callbacks import EvalCallback
from thexp_pl.errors import TrainerError


def with_periods(eval_per_epoch: int, test_per_epoch: int) -> type[EvalTrainer]:
    class Periodic(EvalTrainer):
        def initial_callback(self) -> None:
            assert EvalCallback(eval_per_epoch, test_per_epoch).hook(self) in self._callbacks

    return Periodic


def epochs_of(trainer: Any, name: str) -> list[int]:
    """Give the epochs, from 1, whose weights were measured, each checked to be at its last step."""
    rows = metrics_of(trainer.experiment).get(name, [])
    assert all(step == BATCHES * (epoch + 1) - 1 for step, epoch, _ in rows)
    return [epoch + 1 for _, epoch, _ in rows]


@pytest.mark.parametrize(
    ("periods", "epochs", "evaluated", "tested"),
    [
        ((1, 5), 3, [1, 2, 3], [3]),
        ((2, 3), 6, [2, 4, 6], [3, 6]),
        ((2, 3), 5, [2, 4, 5], [3, 5]),
        ((0, 2), 3, [], [2, 3]),
        ((1, 0), 2, [1, 2], []),
        ((0, 0), 2, [], []),
        ((10, 10), 2, [2], [2]),
    ],
)
def test_epochs_are_evaluated_when_due_and_at_the_end(
    periods: tuple[int, int],
    epochs: int,
    evaluated: list[int],
    tested: list[int],
    tmp_path: Path,
) -> None:
    trainer = start(with_periods(*periods), tmp_path, epochs)

    trainer.train()

    assert epochs_of(trainer, "eval_loss") == evaluated
    assert epochs_of(trainer, "test_loss") == tested


def test_by_default_every_epoch_is_evaluated_and_every_fifth_tested(tmp_path: Path) -> None:
    trainer = start(EvalTrainer, tmp_path, 6)

    trainer.train()

    assert epochs_of(trainer, "eval_loss") == [1, 2, 3, 4, 5, 6]
    assert epochs_of(trainer, "test_loss") == [5, 6]


def test_the_end_of_each_training_does_what_its_last_epoch_had_not(tmp_path: Path) -> None:
    trainer = start(with_periods(1, 2), tmp_path, 1)
    trainer.train()
    trainer.params.epoch = 2
    trainer.train()

    assert epochs_of(trainer, "test_loss") == [1, 2]


@lightnings_own_warnings
def test_a_plain_lightning_module_is_refused_by_name(tmp_path: Path) -> None:
    trainer = plain_trainer(callbacks=[EvalCallback()], max_epochs=1, default_root_dir=tmp_path)

    with pytest.raises(TrainerError, match=r"plain PlainModule; .*check_val_every_n_epoch$"):
        trainer.fit(PlainModule(), make_loader())


@pytest.mark.parametrize("value", [-1, 1.5, True, None, "1"])
def test_a_period_that_is_no_number_of_epochs_is_refused(value: Any) -> None:
    with pytest.raises(TrainerError, match="is not a number of epochs"):
        EvalCallback(1, value)


# -- the state in which it evaluates -------------------------------------------------------------


class Frozen(TinyTrainer):
    def initial_trainer(self, params: Params) -> None:
        super().initial_trainer(params)
        self.norm = nn.Sequential(nn.BatchNorm1d(6), nn.Dropout(0.5))
        self.norm[0].eval()
        self._modes: list[list[bool]] = []

    def modes(self) -> list[bool]:
        return [self.model.training, self.norm.training, *(part.training for part in self.norm)]

    def train_batch(self, *args: Any) -> Any:
        self._modes.append(self.modes())
        return super().train_batch(*args)

    def test_eval_logic(self, dataloader, params):
        assert self.modes() == [False] * 4
        assert not torch.is_grad_enabled()
        for batch in dataloader:
            assert not self.measure(batch).loss.requires_grad


@pytest.mark.filterwarnings("ignore:Found 1 module.s. in eval mode")
def test_every_module_gets_its_own_mode_back(tmp_path: Path) -> None:
    trainer = start(Frozen, tmp_path, 2)

    trainer.train()
    trainer.eval()

    assert trainer._modes == [[True, True, False, True]] * (2 * BATCHES)
    assert trainer.modes() == [True, True, False, True]


@pytest.mark.filterwarnings("ignore:Found 1 module.s. in eval mode")
def test_an_evaluation_that_fails_gives_the_modes_back_too(tmp_path: Path) -> None:
    class Failing(Frozen):
        def test_eval_logic(self, dataloader, params):
            raise RuntimeError("on purpose")

    trainer = start(Failing, tmp_path, 1)

    with pytest.raises(RuntimeError, match="on purpose"):
        trainer.eval()

    assert trainer.modes() == [True, True, False, True]
    assert torch.is_grad_enabled()


def test_evaluation_in_bf16_sees_the_precision_of_training(tmp_path: Path) -> None:
    class Typed(TinyTrainer):
        def test_eval_logic(self, dataloader, params):
            (xs, _), *_ = dataloader
            assert self.model(xs).dtype == torch.bfloat16

    trainer = start(Typed, tmp_path, 1, precision="bf16-mixed")

    trainer.train()


def test_the_loader_given_is_the_one_registered_with_its_attributes(tmp_path: Path) -> None:
    class Looking(TinyTrainer):
        def test_eval_logic(self, dataloader, params):
            assert dataloader.batch_size == 4
            assert len(dataloader.dataset) == 20
            assert len(dataloader) == len(list(dataloader)) == len(list(dataloader)) == 5
            return {"seen": sum(len(xs) for xs, _ in dataloader)}

    trainer = start(Looking, tmp_path, 1)

    assert trainer.eval().seen == 20


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_batches_and_modules_meet_on_the_device(tmp_path: Path) -> None:
    class Placed(TinyTrainer):
        def train_batch(self, *args: Any) -> Any:
            assert args[3][0].device == args[5] == torch.device("cuda:0")
            return super().train_batch(*args)

        def test_eval_logic(self, dataloader, params):
            for batch in dataloader:
                assert self.measure(batch).loss.device == torch.device("cuda:0")

    params = Params()
    params.epoch, params.device = 1, "cuda:0"
    trainer = Placed(params)
    trainer.initial_exp(tmp_path)

    trainer.eval()
    trainer.train()
    trainer.eval()


# -- without an evaluation -----------------------------------------------------------------------


def test_without_test_eval_logic_one_line_says_so_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trainer = start(TinyTrainer, tmp_path, 2)

    trainer.train()

    assert trainer.eval() is None
    assert capsys.readouterr().out.count("TinyTrainer has no test_eval_logic") == 1


def test_without_a_loader_of_the_stage_one_line_says_so_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Untested(EvalTrainer):
        def initial_trainer(self, params: Params) -> None:
            super().initial_trainer(params)
            del self._loaders["test"]

    trainer = start(Untested, tmp_path, 5)

    trainer.train()

    out = capsys.readouterr().out
    assert out.count("test is skipped: no 'test' loader was registered") == 1
    assert out.count(" - eval - @loss=") == 5


def test_a_value_of_an_epoch_that_was_not_evaluated_is_not_counted_again(tmp_path: Path) -> None:
    class Every2nd(EvalTrainer):
        def initial_callback(self) -> None:
            EvalCallback(2, 0).hook(self)

    patient = EarlyStopping("eval_loss", min_delta=100.0, patience=1, strict=False)
    trainer = start(Every2nd, tmp_path, epoch=9, callbacks=patient)
    trainer.train()

    assert trainer.params.eidx == 5, "stopped after the second evaluation, in epoch 4"


@pytest.mark.parametrize("precision", ["64-true", "bf16-true", "bf16-mixed"])
def test_batches_to_evaluate_on_have_the_precision_of_the_training(
    precision: str, tmp_path: Path
) -> None:
    trainer = start(EvalTrainer, tmp_path, epoch=1, precision=precision)
    trainer.train()

    assert trainer.eval().loss > 0
