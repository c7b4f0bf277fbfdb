"""What lists and dicts of a trainer hold, on two ranks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from ddp_cases import begin, make
from ddp_helpers import Deed, together
from ddp_states import Batches
from torch import nn
from torch.optim import SGD

from thexp_pl import Params, Trainer


class Listed(Trainer):
    """All that it trains is in lists and dicts, and begins otherwise on each rank."""

    _rank = 0

    def initial_trainer(self, params: Params) -> None:
        torch.manual_seed(self._rank)
        self.nets = {"body": nn.Linear(3, 4), "heads": [nn.Linear(4, 2)]}
        parameters = [*self.nets["body"].parameters(), *self.nets["heads"][0].parameters()]
        self.optims = [SGD(parameters, lr=0.1, momentum=0.9)]
        self.history: list[int] = []
        self.regist_databundler(train=Batches(self._rank))

    def train_batch(self, eidx, idx, global_step, batch_data, params, device):
        self.nets["heads"][0](self.nets["body"](batch_data)).square().mean().backward()
        self.optims[0].step()
        self.optims[0].zero_grad()
        self.history.append(10 * self._rank + idx)


def train(rank: int, folder: Path) -> dict[str, Any]:
    trainer = make(Listed, 2, epoch=1, _rank=rank, options={"enable_checkpointing": True})
    begin(trainer, folder)
    trainer.train()
    own = list(trainer.history)
    weights = {name: one.clone() for name, one in trainer.module.state_dict().items()}
    trainer.load_checkpoint(1)
    return {"own": own, "loaded": trainer.history, "weights": weights}


@pytest.fixture(scope="module")
def ranks() -> list[Any]:
    (outcome,) = together([Deed("test_trainer_state_ranks:train")])
    for rank in outcome:
        assert not isinstance(rank, BaseException), repr(rank)
    return outcome


def test_modules_in_lists_and_dicts_are_trained_as_one_model(ranks: list[Any]) -> None:
    first, second = (rank["weights"] for rank in ranks)

    assert {"nets.body.weight", "nets.heads.0.bias"} <= first.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
    torch.manual_seed(0)
    assert not torch.equal(first["nets.body.weight"], nn.Linear(3, 4).weight), "it was trained"


def test_a_list_of_numbers_is_each_ranks_own_until_rank_0s_is_loaded(ranks: list[Any]) -> None:
    first, second = ranks

    assert (first["own"], second["own"]) == ([0, 1, 2, 3], [10, 11, 12, 13])
    assert first["loaded"] == second["loaded"] == first["own"]
