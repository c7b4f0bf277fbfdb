"""Where ranks do not do the same, each of them says so at once, and none waits."""

from __future__ import annotations

import re
from typing import Any

import pytest
from ddp_helpers import Deed, together

from thexp_pl.errors import TrainerError

# what rank 1 does otherwise, and what both say
FAULTS = {
    "SkipsBackward": r"next comes: a backward\(\) on rank 0 and the end of the batch on rank 1",
    "OneBackwardMore": r"next comes: the end of the batch on rank 0 and a backward\(\) on rank 1",
    "OneStepMore": r"steps of optimizer 0 \(SGD\): 1 on rank 0 and 2 on rank 1",
    "OtherBatches": r"the batch is: the epoch's last on rank 0 and not the last on rank 1",
    "OtherEpochs": r"epochs to train: 3 on rank 0 and 4 on rank 1, .*; start every rank with the",
    "OtherParameters": r"different parameters: \('model.0.weight', \(4, 3\), .* and .*\(5, 3\)",
    "MoreParameters": r"rank 0 and rank 1 hold different parameters: 4 and 6",
    "Changes": r"model.0.weight has come to differ between the ranks",
    "SavesChanged": r"model.0.weight has come to differ between the ranks",
    "Permutes": r"model.0.weight has come to differ between the ranks",
    "ChangesGradient": r"model.0.weight has come to differ between the ranks",
    "OtherRate": r"model.0.weight has come to differ between the ranks",
    "Stops": r"requests to stop: 0 on rank 0 and 1 on rank 1",
    "Sparse": r"model.weight, of shape \(5, 2\), has a sparse gradient.*sparse=False",
    "Closure": r"LBFGS decides by its own loss.*train with it on one device",
    "StepsWithin": r"SGD.step\(\) was called within a backward",
    "Lazy": r"model.0.weight has no shape yet",
    "GrowsAlone": r"parameters and optimizers are: those known on rank 0 and others than before on",
    "GrowsApart": r"model.3.weight is new in the midst of an epoch, and other numbers on each rank",
    "NewModule": r"self.extra is new in the midst of an epoch",
}


def message(error: Any) -> str:
    assert isinstance(error, TrainerError), error
    assert "\n" not in str(error)
    return str(error)


@pytest.fixture(scope="module")
def outcomes() -> dict[str, list[Any]]:
    """One after another in the same two processes, and last what goes wrong nowhere."""
    kinds = [*FAULTS, "Raises", "Faulty"]
    deeds = [
        Deed("ddp_faults:train", kind=kind, enable_checkpointing=kind == "SavesChanged")
        for kind in kinds
    ]
    return dict(zip(kinds, together(deeds), strict=True))


@pytest.mark.parametrize("kind", FAULTS)
def test_every_rank_says_what_differs(kind: str, outcomes: dict[str, list[Any]]):
    for rank in outcomes[kind]:
        assert re.search(FAULTS[kind], message(rank)), rank


def test_what_differs_is_not_saved(outcomes: dict[str, list[Any]]):
    """The error comes at the save, in the epoch's midst."""
    assert [rank.batch for rank in outcomes["Changes"]] == [5, 5]
    assert [rank.batch for rank in outcomes["SavesChanged"]] == [4, 4]


def test_a_rank_that_raises_leaves_none_waiting(outcomes: dict[str, list[Any]]):
    assert isinstance(outcomes["Raises"][1], KeyError)
    assert "rank 1 failed: KeyError" in message(outcomes["Raises"][0])


def test_the_processes_train_on_after_an_error(outcomes: dict[str, list[Any]]):
    assert outcomes["Faulty"] == [None, None]
