"""16-true, bf16-true and 64-true: the model is of the type from the run's beginning on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from cli_helpers import CommandLine, metrics, project, thexp_pl
from precision_helpers import assert_same, cross
from torch import nn
from torch.optim import SGD
from trainer_helpers import (
    EvalTrainer,
    TinyTrainer,
    ended_runs,  # noqa: F401 - a fixture of every test here
    make_loader,
    make_model,
    start,
)

from thexp_pl import Params

__all__ = ["project", "thexp_pl"]  # fixtures
EPOCHS = 3
TYPES = {"16-true": torch.float16, "bf16-true": torch.bfloat16, "64-true": torch.float64}
each_type = pytest.mark.parametrize("precision", TYPES)


class Typed(EvalTrainer):
    def initial_trainer(self, params: Params) -> None:
        super().initial_trainer(params)
        self.held = list(self.model.parameters())

    def train_batch(self, eidx, idx, global_step, batch_data, params, device):
        self.batch_type = batch_data[0].dtype
        return super().train_batch(eidx, idx, global_step, batch_data, params, device)

    def predict(self, batch_data: Any) -> torch.Tensor:
        return self.model(batch_data[0])


@each_type
def test_true_precision_trains_the_optimizers_own_parameters(
    precision: str, tmp_path: Path
) -> None:
    dtype = TYPES[precision]
    trainer = start(Typed, tmp_path, EPOCHS, precision=precision)
    model = make_model().to(dtype)
    optimizer = SGD(model.parameters(), lr=0.1, momentum=0.9)
    for _ in range(EPOCHS):
        for xs, ys in make_loader():
            cross(model(xs.to(dtype)), ys).backward()
            optimizer.step()
            optimizer.zero_grad()

    trainer.train()

    assert trainer.batch_type == dtype
    held = trainer.optim.param_groups[0]["params"]
    assert all(one is other for one, other in zip(trainer.held, held, strict=True))
    assert_same(trainer.model.state_dict(), model.state_dict())


# -- before any training -------------------------------------------------------------------------


def mean_loss(model: nn.Module, dtype: torch.dtype) -> torch.Tensor:
    with torch.no_grad():
        losses = [cross(model(xs.to(dtype)), ys) for xs, ys in make_loader()]
        return torch.stack(losses).mean()


@each_type
@pytest.mark.parametrize("stage", ["eval", "test"])
def test_an_evaluation_before_any_training_equals_the_same_by_hand(
    stage: str, precision: str, tmp_path: Path
) -> None:
    trainer = start(Typed, tmp_path, precision=precision)

    meter = getattr(trainer, stage)()

    expected = mean_loss(make_model().to(TYPES[precision]), TYPES[precision])
    assert float(meter.loss) == float(expected)


@each_type
def test_a_batch_that_was_fed_fits_the_model_before_any_training(
    precision: str, tmp_path: Path
) -> None:
    dtype = TYPES[precision]
    trainer, model = start(Typed, tmp_path, precision=precision), make_model().to(dtype)

    xs, _ = trainer.feed_batchdata()

    assert_same(trainer.model(xs), model(xs))
    assert_same(trainer.predict_all(), [model(xs.to(dtype)).detach() for xs, _ in make_loader()])


def test_a_model_that_is_new_since_the_run_began_is_evaluated_in_its_type(tmp_path: Path) -> None:
    trainer = start(Typed, tmp_path, precision="bf16-true")
    trainer.model = nn.Sequential(make_model(), nn.Tanh())
    trainer.optim = SGD(trainer.model.parameters(), lr=0.1)

    meter = trainer.eval()

    expected = mean_loss(nn.Sequential(make_model(), nn.Tanh()).bfloat16(), torch.bfloat16)
    assert float(meter.loss) == float(expected)


@each_type
def test_pieces_and_a_checkpoint_go_on_with_the_same_bits(precision: str, tmp_path: Path) -> None:
    whole = start(TinyTrainer, tmp_path, EPOCHS, precision=precision)
    whole.train()

    first = start(TinyTrainer, tmp_path, EPOCHS, precision=precision)
    first.train_step(7)
    path = first.save_checkpoint()
    second = start(TinyTrainer, tmp_path, EPOCHS, precision=precision)
    second.load_checkpoint(path)
    momentum = [one["momentum_buffer"].dtype for one in second.optim.state.values()]
    second.train()

    assert set(momentum) == {TYPES[precision]}
    assert_same(second.model.state_dict(), whole.model.state_dict())
    assert_same(second.optim.state_dict(), whole.optim.state_dict())


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # jsonargparse's, of Lightning's calls
@pytest.mark.parametrize(("command", "name"), [("validate", "eval_loss"), ("test", "test_loss")])
def test_the_command_line_evaluates_in_true_precision(
    thexp_pl: CommandLine, command: str, name: str
) -> None:
    words = (command, "--trainer_class=mine:MyTrainer", "--device=cpu")
    ended = thexp_pl(*words, "--trainer.precision=bf16-true")

    assert ended.code == 0, ended.err
    (value,) = {value for _, _, one, value in metrics(ended.run) if one == name}
    assert float(value) == float(torch.tensor(float(value)).bfloat16())
