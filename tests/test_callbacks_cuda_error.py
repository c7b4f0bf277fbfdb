"""CUDAErrorHold: a batch in which CUDA fails is tried again, skipped, or left to fail."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from terminal_helpers import (
    Answers,
    answering,  # noqa: F401 - fixtures
    batch_job,  # noqa: F401
    interrupts,  # noqa: F401
)
from torch import nn
from torch.optim import SGD
from trainer_helpers import (
    BATCHES,
    PlainModule,
    TinyTrainer,
    ended_runs,  # noqa: F401 - a fixture of every test here
    lightnings_own_warnings,
    make_loader,
    metrics_of,
    plain_trainer,
    same_weights,
    start,
    weights_of,
)

from thexp_pl import Params
from thexp_pl.callbacks import CUDAErrorHold

FULL = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB\nmore of it")
BAD = (1, 2)


class Full(TinyTrainer):
    """The memory is full in one batch, in the first tries, after the backward."""

    tries = 1
    error: BaseException = FULL

    def initial_callback(self) -> None:
        CUDAErrorHold().hook(self)

    def train_batch(self, eidx, idx, global_step, batch_data, params, device):
        meter = self.measure(batch_data)
        meter.loss.backward()
        if (eidx, idx) == BAD and self.tries:
            self.tries -= 1
            raise copy.copy(self.error)
        self.optim.step()
        self.optim.zero_grad()
        return meter


class Whole(Full):
    tries = 0


def like(kind: type[TinyTrainer], **members: Any) -> Any:
    return type("Like", (kind,), members)


def test_the_batch_is_tried_again_until_it_goes_well(
    tmp_path: Path,
    answering: Answers,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    answering("\n", "\n")
    trainer, whole = start(like(Full, tries=2), tmp_path, 2), start(Whole, tmp_path, 2)

    trainer.train()
    whole.train()

    assert capsys.readouterr().out.count("Tried to allocate 20.00 MiB; the training waits") == 2
    assert same_weights(weights_of(trainer), weights_of(whole))
    assert trainer.lightning_trainer.global_step == 2 * BATCHES
    assert metrics_of(trainer.experiment)["loss"] == metrics_of(whole.experiment)["loss"]


def test_the_batch_is_skipped_and_counts_as_done(
    tmp_path: Path,
    answering: Answers,  # noqa: F811
) -> None:
    class Skipping(TinyTrainer):
        def train_batch(self, eidx, idx, *args):
            return None if (eidx, idx) == BAD else super().train_batch(eidx, idx, *args)

    answering("s\n")
    trainer, skipping = start(Full, tmp_path, 2), start(Skipping, tmp_path, 2)

    trainer.train()
    skipping.train()

    assert same_weights(weights_of(trainer), weights_of(skipping))
    assert trainer.lightning_trainer.global_step == 2 * BATCHES
    assert metrics_of(trainer.experiment)["loss"] == metrics_of(skipping.experiment)["loss"]


@pytest.mark.parametrize("answer", ["q\n", "\x04"])
def test_any_other_answer_lets_the_error_go_on(
    answer: str,
    tmp_path: Path,
    answering: Answers,  # noqa: F811
) -> None:
    answering(answer)
    trainer = start(Full, tmp_path, 2)

    with pytest.raises(torch.OutOfMemoryError, match=r"^CUDA out of memory"):
        trainer.train()


def test_in_a_batch_job_a_line_says_so_and_the_error_goes_on(
    tmp_path: Path,
    batch_job: None,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    trainer = start(Full, tmp_path, 2)

    with pytest.raises(torch.OutOfMemoryError, match=r"^CUDA out of memory"):
        trainer.train()

    line = "Tried to allocate 20.00 MiB; nobody can be asked here, so the error goes on"
    assert capsys.readouterr().out.count(line) == 1


@pytest.mark.parametrize(
    ("error", "held"),
    [
        (RuntimeError("CUDA error: device-side assert triggered"), True),
        (RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"), True),
        (RuntimeError("shapes cannot be multiplied"), False),
        (ValueError("CUDA is only a word here"), False),
    ],
)
def test_only_errors_of_cuda_are_held(
    error: Exception,
    held: bool,
    tmp_path: Path,
    answering: Answers,  # noqa: F811
) -> None:
    answering("s\n")
    trainer = start(like(Full, error=error), tmp_path, 1)

    if held:
        trainer.train()
    else:
        with pytest.raises(type(error), match=str(error)):
            trainer.train()

    assert trainer.lightning_trainer.global_step == (BATCHES if held else BAD[1])


# -- what cannot be had a second time ------------------------------------------------------------


def test_gradients_that_were_pending_are_not_added_to_twice(
    tmp_path: Path,
    answering: Answers,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    class Accumulating(Full):
        def train_batch(self, eidx, idx, *args):
            step, self.optim.step = self.optim.step, lambda: None
            zero, self.optim.zero_grad = self.optim.zero_grad, lambda: None
            try:
                return super().train_batch(eidx, idx, *args)
            finally:
                self.optim.step, self.optim.zero_grad = step, zero

    answering("\n")
    trainer = start(Accumulating, tmp_path, 1)

    with pytest.raises(torch.OutOfMemoryError):
        trainer.train()

    assert "the batch has changed gradients of earlier ones" in capsys.readouterr().out


def test_a_batch_that_has_stepped_is_not_tried_again(
    tmp_path: Path,
    answering: Answers,  # noqa: F811
) -> None:
    class Two(Full):
        def initial_trainer(self, params: Params) -> None:
            super().initial_trainer(params)
            self.other = nn.Linear(6, 3)
            self.other_optim = SGD(self.other.parameters(), lr=0.1)

        def train_batch(self, *args):
            self.other(args[3][0]).sum().backward()
            self.other_optim.step()
            self.other_optim.zero_grad()
            return super().train_batch(*args)

    answering("\n")  # which would mean: try again
    trainer = start(Two, tmp_path, 1)
    with pytest.raises(torch.OutOfMemoryError):
        trainer.train()

    answering("s\n")
    trainer = start(Two, tmp_path, 1)
    trainer.train()
    assert trainer.lightning_trainer.global_step == BATCHES


# -- a plain Lightning Trainer -------------------------------------------------------------------


class FullModule(PlainModule):
    def __init__(self, by_hand: bool) -> None:
        super().__init__()
        self.automatic_optimization = not by_hand
        self.tries = 1

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        out = super().training_step(batch, batch_idx)
        if not self.automatic_optimization:
            self.manual_backward(out["loss"])
        if batch_idx == BAD[1] and self.tries:
            self.tries -= 1
            raise copy.copy(FULL)
        if not self.automatic_optimization:
            self.optimizers().step()
            self.optimizers().zero_grad()
        return out


@lightnings_own_warnings
@pytest.mark.parametrize("by_hand", [True, False])
def test_in_a_plain_lightning_trainer_it_stands_around_the_training_step(
    by_hand: bool,
    answering: Answers,  # noqa: F811
) -> None:
    modules = [FullModule(by_hand), FullModule(by_hand)]
    modules[1].tries = 0
    answering("\n")

    for module in modules:
        plain_trainer(callbacks=[CUDAErrorHold()], max_epochs=1).fit(module, make_loader())

    assert modules[0].tries == 0
    assert same_weights(modules[0].state_dict(), modules[1].state_dict())
    assert "training_step" not in vars(modules[0])
