"""RndCallback on several ranks: each has a stream of its own, and goes on with it."""

from __future__ import annotations

import random
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.trainer import call
from resume_nursery import Nursery, nursery
from torch import nn
from torch.utils.data import DataLoader
from trainer_helpers import make_data, plain_trainer

from thexp_pl import rnd
from thexp_pl.callbacks import MeterCallback, RndCallback
from thexp_pl.meter import Meter

DATA = make_data(16)


class Net(pl.LightningModule):
    """Notes on each rank what it drew, and from which seed loaders would make an order."""

    def __init__(self, folder: Path, fails_at: int | None) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.layer = nn.Linear(6, 3)
        self.folder, self.fails_at = folder, fails_at
        self.drawn: list[Any] = [torch.initial_seed()]

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        step = self.trainer.fit_loop.total_batch_idx
        self.drawn.append((step, torch.rand(1).item(), random.random(), np.random.rand()))
        if step == self.fails_at and self.global_rank == 1:
            error = ValueError("on purpose")
            call._interrupt(self.trainer, error)  # as Lightning does where it forks no processes
            raise error
        meter = Meter()
        meter.mean = torch.rand(1)
        return {"loss": self.layer(batch[0]).sum(), "meter": meter}

    def on_train_epoch_end(self) -> None:
        self.drawn.append(("mean", self.trainer.callback_metrics["mean"].item()))
        torch.save(self.drawn, self.folder / f"{self.global_rank}.pt")

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


class Saves(pl.Callback):
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def on_train_batch_end(self, trainer: pl.Trainer, *args: Any) -> None:
        step = trainer.fit_loop.epoch_loop.batch_progress.total.processed
        if step in (1, 3):
            trainer.save_checkpoint(self.folder / f"{step}.ckpt")

    def on_exception(self, trainer: pl.Trainer, *args: Any) -> None:
        state = trainer._checkpoint_connector.dump_checkpoint()
        torch.save(state, self.folder / f"emergency.{trainer.global_rank}.ckpt")


def train(folder: str, ranks: int, path: str | None = None, fails_at: int | None = None) -> None:
    """Train two epochs of four batches, or of two on each of two ranks."""
    Path(folder).mkdir(exist_ok=True)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        rnd.fix_seed(5 if path is None else 99)
        trainer = plain_trainer(
            max_epochs=2,
            devices=ranks,
            strategy="ddp_fork" if ranks > 1 else "auto",
            callbacks=[RndCallback(), MeterCallback(), Saves(Path(folder))],
        )
        trainer.fit(Net(Path(folder), fails_at), DataLoader(DATA, 4), ckpt_path=path)
    if ranks == 1:
        words = [str(one.message) for one in caught]
        torch.save([word for word in words if "ranks" in word], Path(folder) / "warnings.pt")


@pytest.fixture(scope="module")
def children() -> Iterator[Nursery]:
    with nursery("test_callbacks_rnd_ranks") as opened:
        yield opened


@pytest.fixture(scope="module")
def whole(children: Nursery, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    assert children.call("train", folder=str(folder), ranks=2) == 0
    return folder


def drawn(folder: Path, rank: int) -> list[Any]:
    found: list[Any] = torch.load(folder / f"{rank}.pt", weights_only=True)
    return found


def test_ranks_that_were_seeded_alike_draw_differently_and_have_one_seed(whole: Path) -> None:
    zero, one = drawn(whole, 0), drawn(whole, 1)
    assert zero[0] == one[0]
    rnd.fix_seed(5)
    assert zero[1][3] == np.random.rand(), "rank 0 stays as it is"
    for alike, apart in zip(zero[1:], one[1:], strict=True):
        assert alike[0] == apart[0]
        if alike[0] == "mean":  # over all ranks
            assert alike == apart
            continue
        assert not set(alike[1:]) & set(apart[1:])


@pytest.mark.parametrize("step", [1, 3])
def test_each_rank_goes_on_with_its_own_stream_and_means(
    step: int, whole: Path, children: Nursery, tmp_path: Path
) -> None:
    children.call("train", folder=str(tmp_path), ranks=2, path=str(whole / f"{step}.ckpt"))

    for rank in (0, 1):
        through = [one for one in drawn(whole, rank)[1:] if one[0] == "mean" or one[0] >= step]
        if step > 2:  # the first epoch's mean came before
            through.pop(0)
        assert drawn(tmp_path, rank)[1:] == through


def test_fewer_ranks_than_were_saved_go_on_with_one_warning_and_all_sums(
    whole: Path, children: Nursery, tmp_path: Path
) -> None:
    children.call("train", folder=str(tmp_path), ranks=1, path=str(whole / "1.ckpt"))

    (warning,) = torch.load(tmp_path / "warnings.pt", weights_only=True)
    assert "2 of 2 ranks, and this training has 1" in warning
    assert drawn(tmp_path, 0)[1] == drawn(whole, 0)[2]


def test_more_ranks_than_were_saved_draw_apart(children: Nursery, tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    children.call("train", folder=str(one), ranks=1)
    children.call("train", folder=str(two), ranks=2, path=str(one / "1.ckpt"))

    assert drawn(two, 0)[1] == drawn(one, 0)[2]
    assert not set(drawn(two, 0)[1][1:]) & set(drawn(two, 1)[1][1:])


def test_a_rank_that_fails_saves_its_own_states_without_waiting_for_the_other(
    children: Nursery, tmp_path: Path
) -> None:
    with pytest.raises(AssertionError, match="on purpose"):
        children.call("train", folder=str(tmp_path), ranks=2, fails_at=1)

    state = torch.load(tmp_path / "emergency.1.ckpt", weights_only=True)
    assert [*state["callbacks"]["RndCallback"]["ranks"]] == [1]
