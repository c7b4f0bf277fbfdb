"""Callbacks in thexp's style where something fails: who is told, and what swallowing means."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from trainer_helpers import (
    BATCHES,
    TinyTrainer,
    ended_runs,  # noqa: F401 - a fixture of every test here
    manifest,
    metrics_of,
    same_weights,
    start,
    weights_of,
)

from thexp_pl import Meter
from thexp_pl.callbacks import BaseCallback

BAD = 2  # the batch of each epoch that fails


class Failing(TinyTrainer):
    def initial_callback(self) -> None:
        pass

    def measure(self, batch_data: Any) -> Meter:
        if self.params.idx == BAD:
            raise ValueError("on purpose")
        return super().measure(batch_data)


class Noting(BaseCallback):
    """Notes all exceptions; swallows those that leave the named methods."""

    def __init__(self, *swallowed: str, first: bool = False) -> None:
        self.heard: list[Any] = []
        self.swallowed = swallowed
        self.first = first

    def on_first_exception(self, trainer, func, params, e, *args, **kwargs):
        self.heard.append(("first", func.__name__, str(e), len(args)))
        return self.first and func.__name__ in self.swallowed

    def on_exception(self, trainer, func, params, e, *args, **kwargs):
        self.heard.append((func.__name__, type(e), len(args)))
        return not self.first and func.__name__ in self.swallowed

    def on_end(self, trainer, func, params, meter, *args, **kwargs):
        if func.__name__ in ("train", "train_epoch"):
            self.heard.append(("end", func.__name__))


def test_an_exception_is_told_for_every_method_that_it_leaves_from_within(tmp_path: Path) -> None:
    trainer = start(Failing, tmp_path, 1)
    noting = Noting().hook(trainer)

    with pytest.raises(ValueError, match=r"^on purpose$"):
        trainer.train()

    assert noting.heard == [
        ("first", "measure", "on purpose", 1),
        ("measure", ValueError, 1),
        ("train_batch", ValueError, 6),
        ("train_epoch", ValueError, 2),
        ("train", ValueError, 0),
    ]


def test_the_next_exception_has_a_first_method_again(tmp_path: Path) -> None:
    class Same(Failing):
        _error = ValueError("on purpose")

        def measure(self, batch_data: Any) -> Meter:
            raise self._error

    trainer = start(Same, tmp_path)
    noting = Noting().hook(trainer)

    for _ in range(2):
        with pytest.raises(ValueError, match="on purpose"):
            trainer.measure(None)

    assert [told[:2] for told in noting.heard] == [
        ("first", "measure"),
        ("measure", ValueError),
    ] * 2


@pytest.mark.parametrize("first", [False, True])
def test_a_batch_whose_exception_is_swallowed_counts_as_done_and_records_nothing(
    first: bool, tmp_path: Path
) -> None:
    class FailingBatch(TinyTrainer):
        def train_batch(self, eidx, idx, *args):
            if idx == BAD:
                raise ValueError("on purpose")
            return super().train_batch(eidx, idx, *args)

    class Skipping(TinyTrainer):
        def train_batch(self, eidx, idx, *args):
            return None if idx == BAD else super().train_batch(eidx, idx, *args)

    trainer = start(FailingBatch, tmp_path, 2)
    Noting("train_batch", first=first).hook(trainer)
    skipping = start(Skipping, tmp_path, 2)

    trainer.train()
    skipping.train()

    assert trainer.lightning_trainer.global_step == 2 * BATCHES
    assert trainer.params.eidx == 3
    assert same_weights(weights_of(trainer), weights_of(skipping))
    assert metrics_of(trainer.experiment) == metrics_of(skipping.experiment)


def test_a_batch_that_fails_after_its_backward_leaves_backward_as_it_was(tmp_path: Path) -> None:
    class Late(Failing):
        def train_batch(self, eidx, idx, *args):
            meter = super(Failing, self).train_batch(eidx, idx, *args)
            if idx == BAD:
                raise ValueError("late")
            return meter

        def measure(self, batch_data: Any) -> Meter:
            return TinyTrainer.measure(self, batch_data)

    original = torch.Tensor.backward
    trainer, whole = start(Late, tmp_path, 2), start(TinyTrainer, tmp_path, 2)
    Noting("train_batch").hook(trainer)

    trainer.train()
    whole.train()

    assert torch.Tensor.backward is original
    assert same_weights(weights_of(trainer), weights_of(whole))


def test_a_save_asked_for_in_a_batch_that_is_swallowed_is_made(tmp_path: Path) -> None:
    class Saving(Failing):
        def train_batch(self, eidx, idx, *args):
            if idx == BAD:
                self.save_keypoint()
            return super().train_batch(eidx, idx, *args)

    trainer = start(Saving, tmp_path, 1)
    Noting("train_batch").hook(trainer)

    trainer.train()

    assert len(trainer.saver.find_keypoints()) == 1


def test_a_method_whose_exception_is_swallowed_returns_none(tmp_path: Path) -> None:
    class Careful(Failing):
        def train_batch(self, eidx, idx, global_step, batch_data, params, device):
            return self.measure(batch_data) or {"missing": 1.0}

    trainer = start(Careful, tmp_path, 1)
    Noting("measure").hook(trainer)

    trainer.train()

    assert metrics_of(trainer.experiment)["missing"][0][2] == 1.0


@pytest.mark.parametrize("where", ["train", "train_epoch"])
def test_what_is_swallowed_outside_of_a_batch_ends_the_training_without_an_error(
    where: str, tmp_path: Path
) -> None:
    trainer = start(Failing, tmp_path, 3)
    noting = Noting(where).hook(trainer)

    assert trainer.train() is None

    assert trainer.lightning_trainer.global_step == BAD
    assert ("end", "train") not in noting.heard
    assert noting.heard[-1][0] == where
    assert manifest(trainer)["status"] == "failed"


def test_every_callback_is_told_and_one_that_swallows_is_enough(tmp_path: Path) -> None:
    class Other(Noting):
        pass

    trainer = start(Failing, tmp_path)
    trainer.params.idx = BAD
    noting, other = Noting("measure").hook(trainer), Other().hook(trainer)

    assert trainer.measure(None) is None
    assert noting.heard == other.heard
    assert len(other.heard) == 2


@pytest.mark.parametrize("hook", ["on_begin", "on_end", "on_exception", "on_measure_begin"])
def test_what_a_callback_raises_goes_on(hook: str, tmp_path: Path) -> None:
    def raising(self, trainer, func, *args, **kwargs):
        if func.__name__ == "measure":
            raise KeyError("of the callback")

    trainer = start(Failing, tmp_path)
    trainer.params.idx = BAD if hook == "on_exception" else 0
    type("Raising", (BaseCallback,), {hook: raising})().hook(trainer)

    with pytest.raises(KeyError, match="of the callback"):
        trainer.measure(next(iter(trainer.eval_dataloader)))


def test_what_a_callback_raises_in_a_batch_ends_the_training_and_is_told_from_there_on(
    tmp_path: Path,
) -> None:
    class Raising(BaseCallback):
        def on_train_batch_begin(self, trainer, func, params, *args):
            raise KeyError("of the callback")

    trainer = start(Failing, tmp_path)
    Raising().hook(trainer)
    noting = Noting().hook(trainer)

    with pytest.raises(KeyError, match="of the callback"):
        trainer.train()

    assert [told[:2] for told in noting.heard] == [
        ("first", "train_epoch"),
        ("train_epoch", KeyError),
        ("train", KeyError),
    ]


def test_ctrl_c_is_an_exception_that_can_be_swallowed_too(tmp_path: Path) -> None:
    class Interrupted(Failing):
        def measure(self, batch_data: Any) -> Meter:
            if self.params.idx == BAD:
                raise KeyboardInterrupt
            return super(Failing, self).measure(batch_data)

    trainer = start(Interrupted, tmp_path, 1)
    noting = Noting("train_batch").hook(trainer)

    trainer.train()

    assert noting.heard[1][:2] == ("measure", KeyboardInterrupt)
    assert trainer.lightning_trainer.global_step == BATCHES
