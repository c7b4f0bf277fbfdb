"""RndCallback: a training that goes on from a checkpoint draws and reads as if it had not ended."""

from __future__ import annotations

import copy
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from rnd_helpers import BATCHES, DATA, Loader, SaveEach, Sized, same
from torch import nn
from torch.utils.data import DataLoader
from trainer_helpers import lightnings_own_warnings, plain_trainer

from thexp_pl import rnd
from thexp_pl.callbacks import RndCallback
from thexp_pl.errors import CheckpointError

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*sampler has shuffling enabled"),
    pytest.mark.filterwarnings("ignore:.*LeafSpec"),
]

EPOCHS = 3
STEPS = BATCHES * EPOCHS


class LooksBack(Loader):
    """Has no length, so that Lightning reads a batch ahead of training."""

    def noise(self) -> torch.Tensor:
        with rnd.fork(self.epoch * BATCHES + self.done):  # whenever it is read
            return super().noise()

    def state_dict(self, ahead: int = 0) -> dict[str, int]:
        batches = self.epoch * BATCHES + self.done - ahead
        return {"epoch": batches // BATCHES, "done": batches % BATCHES}


class Net(pl.LightningModule):
    """Draws in every place where it can: dropout, a shuffled validation, its own hooks."""

    def __init__(self, estimates: bool = False) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.layers = nn.Sequential(
            nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 3)
        )
        self.estimates = estimates
        self.losses: dict[int, float] = {}

    def on_train_start(self) -> None:
        torch.rand(random.randrange(1, 9))

    def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
        loss = nn.functional.cross_entropy(self.layers(batch[0]), batch[1])
        self.losses[self.trainer.fit_loop.total_batch_idx] = loss.item()
        return loss

    def on_train_batch_end(self, *args: Any) -> None:
        np.random.rand()

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        torch.rand(5), random.random(), np.random.rand()

    def on_validation_end(self) -> None:
        torch.rand(5)

    def val_dataloader(self) -> DataLoader[Any]:
        torch.rand(1)
        return DataLoader(DATA, 8, shuffle=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        if self.estimates:
            assert self.trainer.estimated_stepping_batches
        return torch.optim.SGD(self.parameters(), lr=0.1, momentum=0.9)


def trained(
    folder: Path, loader: Any, path: Path | None = None, **options: Any
) -> tuple[Net, dict[str, Any]]:
    """Train, from a checkpoint where one is given, and give the module and the whole end."""
    rnd.fix_seed(5 if path is None else 99)
    module = Net(options.pop("estimates", False))
    trainer = plain_trainer(
        max_epochs=EPOCHS,
        callbacks=[RndCallback(), SaveEach(folder)],
        enable_checkpointing=True,
        **{"val_check_interval": 2, "num_sanity_val_steps": 1, **options},
    )
    trainer.fit(module, loader, ckpt_path=path, weights_only=True)
    state = trainer._checkpoint_connector.dump_checkpoint()
    state["drawn"] = (random.random(), np.random.rand(), torch.rand(1).item())
    assert not set(vars(module)) & {"on_train_start"}
    assert "run" not in vars(trainer.fit_loop.epoch_loop.val_loop)
    return module, state


@lightnings_own_warnings
@pytest.mark.parametrize(
    ("loader", "options"),
    [
        (Sized, {}),
        (Sized, {"val_check_interval": 3, "estimates": True}),
        (LooksBack, {}),
        (LooksBack, {"limit_val_batches": 0}),
    ],
)
def test_resumed_after_any_batch_it_ends_with_the_same_bits(
    loader: type[Loader], options: dict[str, Any], tmp_path: Path
) -> None:
    whole, end = trained(tmp_path, loader(), **options)
    saved = {path: int(path.name.partition(".")[0]) for path in tmp_path.glob("*.ckpt")}
    assert sorted({*saved.values()}) == list(range(1, STEPS + 1))

    for path, step in saved.items():
        if step == STEPS:
            continue
        data = loader()
        resumed, resumed_end = trained(tmp_path / "resumed", data, path, **dict(options))

        assert resumed.losses == {n: whole.losses[n] for n in range(step, STEPS)}, path
        assert same(resumed_end["state_dict"], end["state_dict"]), path
        assert same(resumed_end["optimizer_states"], end["optimizer_states"]), path
        assert same(resumed_end["callbacks"], end["callbacks"]), path
        assert resumed_end["drawn"] == end["drawn"], path
        assert min(data.read) == (step // BATCHES, step % BATCHES + 1), "what is done is not read"


class Quiet(Net):
    """Validates without drawing, or not at all."""

    val_dataloader = None  # type: ignore[assignment]


@lightnings_own_warnings
def test_validation_changes_nothing_of_a_training(tmp_path: Path) -> None:
    ends = []
    for workers, interval, sanity in ((0, 1.0, 0), (1, 1.0, 2), (0, 1, 2), (0, 2, 0)):
        rnd.fix_seed(5)
        module = Quiet()
        trainer = plain_trainer(
            max_epochs=2,
            callbacks=[RndCallback()],
            val_check_interval=interval,
            num_sanity_val_steps=sanity,
            limit_val_batches=0 if not ends else 1.0,
        )
        loader = DataLoader(
            DATA, 8, shuffle=True, num_workers=workers, persistent_workers=bool(workers)
        )
        trainer.fit(module, Sized(), loader)
        ends.append((module.losses, torch.rand(1).item(), random.random()))
    assert all(end == ends[0] for end in ends)


@lightnings_own_warnings
def test_a_state_is_restored_once_and_only_into_the_fit_that_it_was_loaded_for() -> None:
    callback = RndCallback()
    assert callback.state_dict() == {}
    first = []
    rnd.fix_seed(5)
    state: dict[str, Any] = {}

    class Loads(Net):
        def setup(self, stage: str) -> None:
            if state:
                callback.load_state_dict(copy.deepcopy(state))

        def on_train_epoch_start(self) -> None:
            first.append(torch.rand(1).item())

    trainer = plain_trainer(max_epochs=1, callbacks=[callback], limit_val_batches=0)
    trainer.fit(Loads(), Sized())
    state = callback.state_dict()
    following = torch.rand(1).item()
    for epochs in (2, 3):
        trainer.fit_loop.max_epochs = epochs
        trainer.fit(Loads(), Sized())
    state = {}
    trainer.fit_loop.max_epochs = 4
    trainer.fit(Loads(), Sized())

    assert first[1] == first[2] == following
    assert first[3] not in first[:3]


@lightnings_own_warnings
def test_a_training_that_fails_leaves_module_and_loops_as_they_were() -> None:
    class Fails(Net):
        def validation_step(self, batch: Any, batch_idx: int) -> None:
            torch.rand(7)
            if not self.trainer.sanity_checking:
                raise ValueError("on purpose")

    saved = []

    class Emergency(pl.Callback):
        def on_exception(self, trainer: pl.Trainer, *args: Any) -> None:
            saved.append(callback.state_dict())

    callback, module = RndCallback(), Fails()
    trainer = plain_trainer(max_epochs=1, callbacks=[callback, Emergency()])
    with pytest.raises(ValueError, match="on purpose"):
        trainer.fit(module, Sized())

    assert "on_train_start" not in vars(module)
    assert "run" not in vars(trainer.fit_loop.epoch_loop.val_loop)
    assert same(saved[0]["ranks"][0]["rnd"], rnd.get_state())
    assert saved[0]["ranks"][0]["loaders"] == [{"epoch": 1, "done": 0}]


@lightnings_own_warnings
@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ({"ranks": {}}, "none that it saves"),
        ({"ranks": {0: {"rnd": 3}}}, "none that it saves"),
        ({"ranks": {0: {"rnd": {}, "loaders": [None]}}}, "no random state"),
        ({"ranks": {0: {"rnd": None, "loaders": [{}, {}]}}}, "2 train loaders, and this .* has 1"),
    ],
)
def test_a_state_that_does_not_fit_is_refused(damage: dict[str, Any], message: str) -> None:
    callback = RndCallback()
    for state in damage["ranks"].values():
        state["rnd"] = rnd.get_state() if state["rnd"] is None else state["rnd"]

    class Loads(Net):
        def setup(self, stage: str) -> None:
            callback.load_state_dict({"world_size": 1, **damage})

    with pytest.raises(CheckpointError, match=message):
        plain_trainer(max_epochs=1, callbacks=[callback]).fit(Loads(), Sized())
