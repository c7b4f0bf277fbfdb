"""What runs beside or within `train_batch` and is no backward of its own is left alone."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from precision_helpers import HUGE, assert_same, scale_of, start_half
from torch.optim import SGD
from trainer_helpers import (
    BATCHES,
    PlainModule,
    TinyTrainer,
    ended_runs,  # noqa: F401 - a fixture of every test here
    make_loader,
    make_model,
    plain_trainer,
    start,
    weights_of,
)

from thexp_pl.errors import TrainerError


class Backwards(pl.Callback):
    """Counts what reaches Lightning as a backward."""

    count = 0

    def on_before_backward(self, *_: Any) -> None:
        self.count += 1


def in_a_thread(work: Any) -> None:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(60)
    assert not thread.is_alive()


# -- other threads -------------------------------------------------------------------------------


class Helped(TinyTrainer):
    """A thread beside the batch trains something else, as one does by hand."""

    def train_batch(self, eidx, idx, global_step, batch_data, params, device):
        model = make_model()
        optimizer = SGD(model.parameters(), lr=0.1)

        def work() -> None:
            model(batch_data[0]).sum().backward()
            self.of_thread = model[2].bias.grad.clone()
            optimizer.step()

        in_a_thread(work)
        return super().train_batch(eidx, idx, global_step, batch_data, params, device)


@pytest.mark.parametrize("half", [False, True])
def test_a_training_in_another_thread_is_neither_scaled_nor_told_to_lightning(
    half: bool, tmp_path: Path
) -> None:
    counted = Backwards()
    begin = start_half if half else start
    trainer = begin(Helped, tmp_path / "1", 1, callbacks=[counted])
    alone = begin(TinyTrainer, tmp_path / "2", 1)

    trainer.train()
    alone.train()

    assert trainer.of_thread.tolist() == [4.0, 4.0, 4.0]
    assert counted.count == BATCHES
    assert_same(weights_of(trainer), weights_of(alone))


def test_gradients_that_another_thread_has_made_are_refused_by_a_scaled_step(
    tmp_path: Path,
) -> None:
    class ByThread(TinyTrainer):
        def train_batch(self, eidx, idx, global_step, batch_data, params, device):
            in_a_thread(lambda: self.measure(batch_data).loss.backward())
            self.optim.step()

    start(ByThread, tmp_path / "1", 1).train()
    trainer = start_half(ByThread, tmp_path / "2", 1)
    before = weights_of(trainer)

    with pytest.raises(TrainerError, match="was changed by something other than a backward"):
        trainer.train()

    assert_same(weights_of(trainer), before)


# -- a training within a training ----------------------------------------------------------------


class Outer(TinyTrainer):
    """In its second batch it trains another one to the end."""

    inner: Any

    def train_batch(self, eidx, idx, global_step, batch_data, params, device):
        if global_step == 1:
            state = torch.get_rng_state()
            type(self).inner.train()
            torch.set_rng_state(state)
        return super().train_batch(eidx, idx, global_step, batch_data, params, device)


class Counting(TinyTrainer):
    def initial_trainer(self, params: Any) -> None:
        super().initial_trainer(params)
        self.backwards = 0

    def train_batch(self, *args: Any) -> Any:
        self.backwards += 1
        return super().train_batch(*args)


@pytest.mark.parametrize("outer_half", [False, True])
@pytest.mark.parametrize("inner_half", [False, True])
def test_a_trainer_that_trains_within_a_batch_of_another_is_as_good_as_alone(
    outer_half: bool, inner_half: bool, tmp_path: Path
) -> None:
    starts = {True: start_half, False: start}
    alone = starts[inner_half](TinyTrainer, tmp_path / "1", 1)
    alone.train()
    without = starts[outer_half](TinyTrainer, tmp_path / "2", 1)
    without.train()
    inner = starts[inner_half](Counting, tmp_path / "3", 1)
    outer = starts[outer_half](type("Outer1", (Outer,), {"inner": inner}), tmp_path / "4", 1)

    outer.train()

    assert_same(weights_of(outer), weights_of(without))
    assert inner.backwards == BATCHES
    if inner_half or not outer_half:  # else it runs in the other's autocast
        assert_same(weights_of(inner), weights_of(alone))


def test_a_lightning_training_within_a_scaled_batch_is_refused(tmp_path: Path) -> None:
    class Nesting(TinyTrainer):
        def train_batch(self, eidx, idx, global_step, batch_data, params, device):
            plain_trainer(max_epochs=1).fit(PlainModule(), make_loader())

    with pytest.raises(TrainerError, match="that no attribute held when the epoch began"):
        start_half(Nesting, tmp_path).train()


# -- torch is itself again -----------------------------------------------------------------------


@pytest.mark.parametrize("half", [False, True])
def test_torch_is_itself_again_after_a_batch_that_failed(half: bool, tmp_path: Path) -> None:
    before = torch.Tensor.backward, torch.autograd.backward

    class Failing(TinyTrainer):
        def train_batch(self, eidx, idx, global_step, batch_data, params, device):
            self.measure(batch_data).loss.backward()
            self.optim.step()
            assert (torch.Tensor.backward, torch.autograd.backward) != before
            raise ValueError("on purpose")

    trainer = (start_half if half else start)(Failing, tmp_path)
    with pytest.raises(ValueError, match="on purpose"):
        trainer.train()

    assert (torch.Tensor.backward, torch.autograd.backward) == before
    make_model()(torch.zeros(1, 6)).sum().backward()
    SGD(make_model().parameters(), lr=0.1).step()
    if half:
        assert "update" not in vars(trainer.lightning_trainer.precision_plugin.scaler)


def test_training_goes_on_after_a_batch_that_failed_in_mid_backward(tmp_path: Path) -> None:
    class Caught(TinyTrainer):
        """Every other backward fails, after some gradients were made."""

        def train_batch(self, eidx, idx, global_step, batch_data, params, device):
            meter = self.measure(batch_data)
            if global_step % 2:
                meter.loss.register_hook(self.fail)
                with pytest.raises(KeyError):
                    (meter.loss + self.model[0].bias.sum()).backward()
                self.sizes = [float(one.grad.abs().max()) for one in self.model[0].parameters()]
                self.optim.zero_grad()
                return None
            meter.loss.backward()
            self.optim.step()
            return meter

        def fail(self, gradient: torch.Tensor) -> None:
            raise KeyError("on purpose")

    trainer = start_half(Caught, tmp_path, 2)

    trainer.train()

    assert max(trainer.sizes) < 2
    assert 1 < scale_of(trainer) < HUGE
