"""What torch objects to in a backward within `train_batch`, and what is refused there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.autograd.graph import get_gradient_edge
from trainer_helpers import (
    TinyTrainer,
    ended_runs,  # noqa: F401 - a fixture of every test here
    make_model,
    start,
)

from thexp_pl.errors import TrainerError


def of_no_number(trainer: Any, logits: torch.Tensor) -> None:
    torch.autograd.backward([logits, logits])


def of_another_shape(trainer: Any, logits: torch.Tensor) -> None:
    torch.autograd.backward([logits, logits], [torch.ones(2), torch.ones_like(logits)])


def of_too_few(trainer: Any, logits: torch.Tensor) -> None:
    torch.autograd.backward([logits, logits], [torch.ones_like(logits)])


def without_graph(trainer: Any, logits: torch.Tensor) -> None:
    torch.autograd.backward([logits.sum(), torch.zeros(())])


@pytest.mark.parametrize("act", [of_no_number, of_another_shape, of_too_few, without_graph])
def test_what_torch_objects_to_is_told_in_torchs_words(act: Any, tmp_path: Path) -> None:
    logits = make_model()(torch.zeros(2, 6))
    with pytest.raises(RuntimeError) as by_torch:
        act(None, logits)

    class Wrong(TinyTrainer):
        def train_batch(self, eidx, idx, global_step, batch_data, params, device):
            act(self, self.model(torch.zeros(2, 6)))

    with pytest.raises(RuntimeError) as by_trainer:
        start(Wrong, tmp_path).train()

    assert str(by_trainer.value) == str(by_torch.value)


def of_an_edge(loss: torch.Tensor) -> None:
    torch.autograd.backward(get_gradient_edge(loss))


def of_complex_tensors(loss: torch.Tensor) -> None:
    torch.autograd.backward([loss, loss * 1j], [None, torch.tensor(1j)])


@pytest.mark.parametrize(
    ("act", "message"),
    [(of_an_edge, "give the tensor itself"), (of_complex_tensors, "call backward for each")],
)
def test_a_backward_that_lightning_cannot_run_is_refused_in_a_line(
    act: Any, message: str, tmp_path: Path
) -> None:
    class Odd(TinyTrainer):
        def train_batch(self, eidx, idx, global_step, batch_data, params, device):
            act(self.measure(batch_data).loss)

    with pytest.raises(TrainerError, match=message):
        start(Odd, tmp_path).train()


def test_losses_of_several_types_are_one_backward(tmp_path: Path) -> None:
    class Typed(TinyTrainer):
        def train_batch(self, eidx, idx, global_step, batch_data, params, device):
            logits = self.model(batch_data[0])
            parts = [logits.sum().to(dtype) for dtype in (torch.float16, torch.float64)]
            torch.autograd.backward(parts)
            self.seen = self.model[2].bias.grad.tolist()
            self.optim.zero_grad()

    trainer = start(Typed, tmp_path, 1)

    trainer.train()

    assert trainer.seen == [8.0, 8.0, 8.0]  # four samples, two losses
