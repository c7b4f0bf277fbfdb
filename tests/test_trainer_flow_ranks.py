"""Pieces of a training, and its early ends, on two ranks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from ddp_helpers import Deed, together
from torch import nn
from torch.optim import SGD
from trainer_helpers import TinyTrainer, make_loader

from thexp_pl import Params
from thexp_pl.errors import TrainerError

BATCHES = 3  # of 20 samples, 4 on each of two ranks
HERE = "test_trainer_flow_ranks"


class OnRanks(TinyTrainer):
    """Draws, and on one rank alone asks for an end."""

    asks: tuple[str, ...] = ()

    def initial_trainer(self, params: Params) -> None:
        torch.manual_seed(5)
        self.model = nn.Sequential(nn.Linear(6, 8), nn.Dropout(0.5), nn.Linear(8, 3))
        self.optim = SGD(self.model.parameters(), lr=0.1, momentum=0.9)
        self.regist_databundler(train=make_loader(shuffle=True))
        self._seen: list[tuple[int, int]] = []

    def train_batch(self, eidx, idx, global_step, batch_data, params, device):
        self._seen.append((eidx, idx))
        if (eidx, idx) == (2, 1) and torch.distributed.get_rank() == 1:
            for toggle in self.asks:
                setattr(self, toggle, True)
        return super().train_batch(eidx, idx, global_step, batch_data, params, device)


def train(rank: int, folder: Path, asks: list[str], steps: list[int]) -> dict[str, Any]:
    params = Params()
    params.epoch, params.device = 3, "cpu"
    trainer = OnRanks(params, devices=2)
    trainer.asks = tuple(asks)
    trainer.initial_exp(folder / "exp", code=False, console=False)
    for count in steps:
        trainer.train_step(count)
        torch.rand(rank + 1)
    trainer.train()
    with pytest.raises(TrainerError, match=r"call train_step\(1\)$"):
        trainer.train_on_batch(None)
    assert (type(trainer.writter).__name__ == "BoardWriter") is (rank == 0)
    trainer.writter.add_scalar("mine", 1.0, 0)
    result = {
        "seen": trainer._seen,
        "eidx": trainer.params.eidx,
        "weights": trainer.model.state_dict(),
    }
    trainer.experiment.end_exp()
    return result


def places(*lengths: int) -> list[tuple[int, int]]:
    return [(e + 1, idx) for e, length in enumerate(lengths) for idx in range(length)]


@pytest.fixture(scope="module")
def ranks() -> dict[str, list[Any]]:
    """Train in several ways, all in one pair of processes."""
    ways: dict[str, Any] = {
        "whole": ([], []),
        "pieces": ([], [2, 1, 2, 3]),
        "epoch": (["train_epoch_toggle"], []),
        "training": (["train_toggle"], []),
        "both": (["train_toggle", "train_epoch_toggle"], []),
    }
    deeds = [Deed(f"{HERE}:train", asks=asks, steps=steps) for asks, steps in ways.values()]
    outcomes = together(deeds)
    for outcome in outcomes:
        for one in outcome:
            if isinstance(one, BaseException):
                raise one
    return dict(zip(ways, outcomes, strict=True))


def assert_same(one: Any, two: Any) -> None:
    torch.testing.assert_close(one["weights"], two["weights"], rtol=0, atol=0)


def test_a_training_in_pieces_is_the_training_at_once_on_every_rank(ranks: Any) -> None:
    for piece, whole in zip(ranks["pieces"], ranks["whole"], strict=True):
        assert piece["seen"] == whole["seen"] == places(BATCHES, BATCHES, BATCHES)
        assert_same(piece, whole)


@pytest.mark.parametrize(
    ("way", "lengths"),
    [
        ("epoch", (BATCHES, 2, BATCHES)),
        ("training", (BATCHES, BATCHES)),
        ("both", (BATCHES, 2)),
    ],
)
def test_one_ranks_word_ends_an_epoch_or_a_training_of_all(
    way: str, lengths: tuple[int, ...], ranks: Any
) -> None:
    for rank in ranks[way]:
        assert rank["seen"] == places(*lengths)
        assert rank["eidx"] == len(lengths) + 1
    assert_same(*ranks[way])
