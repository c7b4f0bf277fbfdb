"""Callbacks in thexp's style: which calls they are told of, with what, and in which order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from callback_helpers import Listening, Silent
from trainer_helpers import (
    BATCHES,
    EvalTrainer,
    ended_runs,  # noqa: F401 - a fixture of every test here
    start,
)

from thexp_pl import AvgMeter, Meter
from thexp_pl.callbacks import BaseCallback, EvalCallback, TrainCallback
from thexp_pl.errors import TrainerError


def test_every_public_method_is_told_from_its_beginning_to_its_end(tmp_path: Path) -> None:
    class Own(Silent):
        def train_batch(self, *args: Any) -> Any:
            return super().train_batch(*args)

        def measure(self, batch_data: Any) -> Meter:
            self._private()
            return super().measure(batch_data)

        def _private(self) -> None:
            pass

        @staticmethod
        def constant() -> int:
            return 3

    trainer = start(Own, tmp_path, 1)
    listening = Listening().hook(trainer)

    trainer.train()
    assert trainer.constant() == 3

    batch = ["train_batch(", "measure(", ")measure", ")train_batch"]
    told = ["train(", "train_epoch(", *batch * BATCHES, ")train_epoch", ")train"]
    assert listening.heard == told


def test_a_callback_of_initial_callback_hears_of_the_setting_up(tmp_path: Path) -> None:
    listening = Listening()

    class Hooking(Silent):
        def initial_callback(self) -> None:
            listening.hook(self)

    start(Hooking, tmp_path)

    inner = ["regist_databundler(", ")regist_databundler"]
    assert listening.heard == ["initial_trainer(", *inner, ")initial_trainer"]


def test_the_named_methods_get_what_the_call_gets(tmp_path: Path) -> None:
    seen: list[Any] = []

    class Watching(TrainCallback):
        def on_train_begin(self, trainer, func, params, *args, **kwargs):
            seen.append(("train", func.__self__ is trainer, params is trainer.params, args, kwargs))

        def on_train_epoch_begin(self, trainer, func, params, eidx, its_params, **kwargs):
            seen.append(("epoch", func.__name__, eidx, params.eidx, its_params is params))

        def on_train_batch_begin(self, trainer, func, params, *args, **kwargs):
            eidx, idx, global_step, (xs, _), its_params, device = args
            assert (eidx, idx, global_step) == (params.eidx, params.idx, params.global_step)
            assert (len(xs), its_params, device) == (4, params, torch.device("cpu"))
            seen.append(("batch", eidx, idx, global_step))

    trainer = start(Silent, tmp_path, 2)
    Watching().hook(trainer)

    trainer.train()

    epochs = [
        [("epoch", "train_epoch", eidx, eidx, True)]
        + [("batch", eidx, idx, (eidx - 1) * BATCHES + idx) for idx in range(BATCHES)]
        for eidx in (1, 2)
    ]
    assert seen == [("train", True, True, (), {}), *epochs[0], *epochs[1]]


def test_an_end_gets_what_the_method_returned_and_an_epoch_its_means(tmp_path: Path) -> None:
    ends: dict[str, list[Any]] = {}

    class Ends(TrainCallback):
        def on_end(self, trainer, func, params, meter, *args, **kwargs):
            ends.setdefault(func.__name__, []).append(meter)

        def on_train_epoch_end(self, trainer, func, params, meter, eidx, its_params):
            losses = torch.stack([one.loss for one in ends["train_batch"]])
            assert meter.means()["loss"] == pytest.approx(losses.mean().item())
            ends["means"] = [meter]

    trainer = start(Silent, tmp_path, 1)
    Ends().hook(trainer)

    trainer.train()

    assert [type(one) for one in ends["train_batch"]] == [Meter] * BATCHES
    assert [type(one) for one in ends["means"]] == [AvgMeter]
    assert ends["train"] == [None]


def test_evaluations_are_told_whoever_asks_for_them(tmp_path: Path) -> None:
    seen: list[Any] = []

    class Watching(TrainCallback):
        def on_begin(self, trainer, func, params, *args, **kwargs):
            assert func.__name__ != "evaluate"

        def on_eval_begin(self, trainer, func, params, *args, **kwargs):
            seen.append((func.__name__, args, kwargs))

        def on_eval_end(self, trainer, func, params, meter, *args, **kwargs):
            seen.append((func.__name__, type(meter), meter.loss > 0))

        def on_test_end(self, trainer, func, params, meter, *args, **kwargs):
            seen.append((func.__name__, type(meter)))

    class Evaluating(EvalTrainer):
        def initial_callback(self) -> None:
            EvalCallback(1, 2).hook(self)
            Watching().hook(self)

    trainer = start(Evaluating, tmp_path, 2)

    trainer.train()
    each = [("eval", (), {}), ("eval", Meter, True)]
    assert seen == [*each, *each, ("test", Meter)]

    trainer.eval()
    assert seen[5:] == each


def test_a_method_of_the_user_has_a_beginning_and_an_end_of_its_own_name(tmp_path: Path) -> None:
    seen: list[Any] = []

    class Measuring(BaseCallback):
        def on_measure_begin(self, trainer, func, params, batch_data):
            seen.append(len(batch_data))

        def on_measure_end(self, trainer, func, params, meter, batch_data):
            meter.twice = meter.loss * 2
            seen.append(type(meter))

    trainer = start(Silent, tmp_path, 1)
    Measuring().hook(trainer)

    trainer.train()

    assert seen == [2, Meter] * BATCHES
    means = trainer.lightning_trainer.callback_metrics
    assert means["twice"] == pytest.approx(2 * means["loss"].item())


# -- order, and who is told ----------------------------------------------------------------------


def test_a_lower_priority_is_told_first_and_of_equals_the_one_hooked_earlier(
    tmp_path: Path,
) -> None:
    order: list[str] = []

    def called(name: str, at: int) -> BaseCallback:
        def on_measure_begin(self, *args, **kwargs):
            order.append(type(self).__name__)

        members = {"priority": at, "on_measure_begin": on_measure_begin}
        return type(name, (BaseCallback,), members)()

    trainer = start(Silent, tmp_path)
    for name, at in (("second", 0), ("third", 0), ("last", 7), ("first", -1)):
        called(name, at).hook(trainer)

    trainer.measure(next(iter(trainer.eval_dataloader)))

    assert order == ["first", "second", "third", "last"]


def test_one_that_is_not_enabled_is_told_nothing(tmp_path: Path) -> None:
    trainer = start(Silent, tmp_path, 1)
    listening = Listening().hook(trainer)
    batch = next(iter(trainer.eval_dataloader))

    listening.enable = False
    trainer.measure(batch)
    assert listening.heard == []

    listening.enable = True
    trainer.measure(batch)
    assert listening.heard == ["measure(", ")measure"]


def test_of_each_class_the_first_is_hooked_and_a_second_is_told_so(tmp_path: Path) -> None:
    failed: list[str] = []

    class Once(Listening):
        def on_hook_failed(self, trainer, message):
            failed.append(message)

    trainer = start(Silent, tmp_path)
    first, second = Once(), Once()

    assert trainer.add_callback(first) is True
    assert trainer.add_callback(second) is False
    trainer.measure(next(iter(trainer.eval_dataloader)))

    assert failed == [
        "a Once is hooked already, and of each class there is one; call remove_callback(Once) first"
    ]
    assert (first.count("measure("), second.heard) == (1, [])


def test_a_callback_that_is_removed_hears_nothing_and_one_reloaded_is_hooked_anew(
    tmp_path: Path,
) -> None:
    hooked: list[Any] = []

    class Hooked(Listening):
        def on_hooked(self, trainer, params):
            hooked.append((self.trainer is trainer, params is trainer.params))

    trainer = start(Silent, tmp_path)
    callback = Hooked().hook(trainer)
    trainer.reload_callback(callback)
    assert hooked == [(True, True)] * 2

    for remove in (callback.unhook, lambda: trainer.remove_callback(Hooked)):
        remove()
        trainer.measure(next(iter(trainer.eval_dataloader)))
        assert (callback.heard, callback.trainer) == ([], None)
        callback.hook(trainer)


def test_what_is_not_hooked_cannot_be_taken_off(tmp_path: Path) -> None:
    trainer = start(Silent, tmp_path)
    Listening().hook(trainer)

    with pytest.raises(TrainerError, match=r"^this EvalCallback is not hooked .*\(Listening\)$"):
        trainer.remove_callback(EvalCallback)
    with pytest.raises(TrainerError, match=r"^this Listening is hooked to no trainer"):
        Listening().unhook()
