"""A checkpoint whose leftovers do not fit a training is refused in one line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from rnd_helpers import Sized
from trainer_helpers import PlainModule, lightnings_own_warnings, plain_trainer

from thexp_pl.callbacks.leftovers import restore
from thexp_pl.errors import CheckpointError


def damaged(change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    own: dict[str, Any] = {
        "metrics": {}, "gradients": [], "plateau": [], "within_epoch": False,
        "means": {}, "torchmetrics": {},
    }  # fmt: skip
    change(own)
    return {"world_size": 1, "ranks": {0: own}}


@lightnings_own_warnings
@pytest.mark.parametrize(
    "state",
    [
        {},
        {"world_size": 1, "ranks": {}},
        {"world_size": 1, "ranks": {0: None}},
        damaged(lambda own: own.pop("metrics")),
        damaged(lambda own: own.update(metrics={"loss": "text"})),
        damaged(lambda own: own.update(gradients=[[None]])),
        damaged(lambda own: own.update(gradients=[[torch.ones(5), None, None, None]])),
        damaged(lambda own: own.update(within_epoch=True, means={"key": {"value": 1.0}})),
    ],
)
def test_a_state_that_does_not_fit_is_refused(state: dict[str, Any]) -> None:
    class Loads(PlainModule):
        def on_train_start(self) -> None:
            restore(self.trainer, self, state)

    with pytest.raises(CheckpointError, match="saved by other code"):
        plain_trainer(max_epochs=1).fit(Loads(), Sized())
