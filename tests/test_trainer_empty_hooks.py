"""What Lightning passes over while a facade trains is nothing that anybody has written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
from trainer_helpers import BATCHES, TinyTrainer, start

from thexp_pl.callbacks import EvalCallback, MeterCallback

HOOKS = ("on_train_batch_start", "on_before_backward", "on_before_optimizer_step")


class Counting(EvalCallback):
    """One of ours, with hooks of a user's."""

    def __init__(self) -> None:
        super().__init__(0, 0)
        self.heard: list[str] = []

    def on_train_batch_start(self, *args: Any) -> None:
        super().on_train_batch_start(*args)
        self.heard.append("on_train_batch_start")

    def on_before_backward(self, *args: Any) -> None:
        self.heard.append("on_before_backward")


def test_a_hook_that_a_subclass_has_written_is_called_at_every_batch(tmp_path: Path) -> None:
    counting = Counting()
    counting.on_before_optimizer_step = lambda *args: counting.heard.append("step")  # type: ignore[method-assign]
    trainer = start(TinyTrainer, tmp_path, epoch=1, callbacks=counting)
    trainer.train()

    for name in ("on_train_batch_start", "on_before_backward", "step"):
        assert counting.heard.count(name) == BATCHES


@pytest.mark.parametrize("fails", [False, True])
def test_every_hook_can_be_called_after_a_training(fails: bool, tmp_path: Path) -> None:
    class Failing(TinyTrainer):
        def train_batch(self, *args: Any) -> Any:
            if fails:
                raise KeyError("on purpose")
            return super().train_batch(*args)

    trainer = start(Failing, tmp_path, epoch=1)
    if fails:
        with pytest.raises(KeyError, match="on purpose"):
            trainer.train()
    else:
        trainer.train()

    lightning = trainer.lightning_trainer
    for callback in lightning.callbacks:
        for hook in HOOKS:
            assert callable(getattr(callback, hook))


def test_hooks_are_passed_over_while_it_trains(tmp_path: Path) -> None:
    """Else the tests above would hold of a thing that does nothing."""
    seen: list[Any] = []

    class Looking(pl.Callback):
        def on_train_batch_end(self, trainer: Any, *args: Any) -> None:
            meter = next(one for one in trainer.callbacks if isinstance(one, MeterCallback))
            seen.append(meter.on_before_backward)

    start(TinyTrainer, tmp_path, epoch=1, callbacks=Looking()).train()

    assert seen == [None] * BATCHES
