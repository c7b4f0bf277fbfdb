"""What Lightning passes over of our callbacks, in a Trainer of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from thexp_pl.callbacks import MeterCallback, RndCallback, SaverCallback

BATCHES = 3
EMPTY = ("on_before_zero_grad", "on_before_backward", "on_after_backward")


class Net(pl.LightningModule):
    def __init__(self, fails: bool = False) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(4, 1)
        self.fails = fails

    def training_step(self, batch: torch.Tensor, batch_idx: int) -> torch.Tensor:
        if self.fails:
            raise KeyError("on purpose")
        return self.layer(batch).sum()

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.1)


class Handing(pl.Callback):
    """Hands on what it is called for."""

    def __init__(self, inner: pl.Callback) -> None:
        self.inner = inner

    def setup(self, *args: Any, **kwargs: Any) -> None:
        self.inner.setup(*args, **kwargs)

    def on_before_backward(self, *args: Any) -> None:
        self.inner.on_before_backward(*args)


class Looking(pl.Callback):
    """Notes which hooks of the others can be called in the midst of a training."""

    def __init__(self) -> None:
        self.seen: list[list[bool]] = []

    def on_train_batch_end(self, trainer: Any, *_: Any) -> None:
        others = [one for one in trainer.callbacks if one is not self]
        self.seen.append([callable(getattr(one, hook)) for one in others for hook in EMPTY])


def fit(folder: Path, *callbacks: pl.Callback, fails: bool = False) -> None:
    trainer = pl.Trainer(
        max_epochs=1,
        accelerator="cpu",
        default_root_dir=folder,
        logger=False,
        callbacks=list(callbacks),
        enable_checkpointing=any(isinstance(one, SaverCallback) for one in callbacks),
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(Net(fails), DataLoader(torch.randn(BATCHES, 4), 1))


@pytest.mark.filterwarnings("ignore:resuming will not be exact")
@pytest.mark.parametrize("fails", [False, True])
def test_empty_hooks_are_passed_over_and_can_be_called_afterwards(
    fails: bool, tmp_path: Path
) -> None:
    ours, looking = [MeterCallback(), RndCallback(), SaverCallback(emergency=False)], Looking()
    if fails:
        with pytest.raises(KeyError, match="on purpose"):
            fit(tmp_path, *ours, looking, fails=True)
    else:
        fit(tmp_path, *ours, looking)
        assert looking.seen == [[False] * len(EMPTY) * len(ours)] * BATCHES

    for callback in ours:
        assert all(callable(getattr(callback, hook)) for hook in EMPTY)


def test_a_callback_that_another_one_hands_on_to_keeps_its_hooks(tmp_path: Path) -> None:
    fit(tmp_path, Handing(MeterCallback()))


def test_a_hook_that_a_subclass_has_written_is_called_at_every_batch(tmp_path: Path) -> None:
    heard: list[str] = []

    class Heard(MeterCallback):
        def on_before_backward(self, *_: Any) -> None:
            heard.append("on_before_backward")

    fit(tmp_path, Heard())
    assert heard == ["on_before_backward"] * BATCHES
