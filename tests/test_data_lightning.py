"""Exact loaders and bundles in a real Lightning Trainer, which makes some of them anew."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from data_helpers import Augmented, Seekable, indices
from pytorch_lightning.utilities import CombinedLoader
from torch.utils.data import IterableDataset

from thexp_pl.data import DataBundler, ExactDataLoader

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*recommended that you turn shuffling off",
    "ignore:.*IterableDataset. has .__len__. defined",
    "ignore:Starting from v1.9.0, .tensorboardX. has been removed",
)


class Seen(pl.LightningModule):
    """Keeps the indices of the samples that it is given."""

    def __init__(self, loader: Any = None) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.loader = loader
        self.epochs: list[list[int]] = []

    def train_dataloader(self) -> Any:
        return self.loader() if callable(self.loader) else self.loader

    def on_train_epoch_start(self) -> None:
        self.epochs.append([])

    def training_step(self, batch: Any, number: int) -> torch.Tensor:
        parts = batch if isinstance(batch, tuple | list) else [batch]
        for part in parts:
            self.epochs[-1] += [int(index) for index in part[:, 0]]
        return self.weight * 0.0

    def predict_step(self, batch: Any, number: int) -> Any:
        return batch[:, 0]

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.1)


class Validating(Seen):
    """The same, and those of each validation."""

    def __init__(self) -> None:
        super().__init__()
        self.validated: list[list[int]] = []

    def on_validation_epoch_start(self) -> None:
        self.validated.append([])

    def validation_step(self, batch: Any, number: int) -> None:
        self.validated[-1] += [int(index) for index in batch[:, 0]]


def loader(size: int = 12, **options: Any) -> ExactDataLoader:
    options = {"batch_size": 2, "shuffle": True, "seed": 5} | options
    return ExactDataLoader(Augmented(size), **options)


def orders(count: int, **options: Any) -> list[list[int]]:
    own = loader(**options)
    return [indices(own) for _ in range(count)]


def trainer(**options: Any) -> pl.Trainer:
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    quiet |= {"enable_model_summary": False, "accelerator": "cpu", "max_epochs": 2}
    return pl.Trainer(**(quiet | options))


def test_epochs_come_in_the_loaders_own_order():
    module = Seen()
    trainer(max_epochs=3).fit(module, loader())
    assert module.epochs == orders(3)


@pytest.mark.parametrize("from_hook", [False, True])
def test_overfitting_shows_the_same_first_batches_in_every_epoch(from_hook: bool):
    module = Seen(loader if from_hook else loader())
    with pytest.warns(UserWarning, match="turning off the train dataloader shuffling"):
        trainer(overfit_batches=2).fit(module)
    assert module.epochs == [[0, 1, 2, 3]] * 2


def test_overfitting_an_ordered_loader_is_not_said_to_shuffle():
    module = Seen(loader(shuffle=False))
    trainer(overfit_batches=2).fit(module)
    assert module.epochs == [[0, 1, 2, 3]] * 2


def test_limits_end_an_epoch_early_and_the_next_is_another():
    module = Validating()
    trainer(limit_train_batches=2, limit_val_batches=1).fit(module, loader(), loader())
    first, second = orders(2)
    assert module.epochs == [first[:4], second[:4]]
    assert module.validated[-2:] == [first[:2], second[:2]]  # told of the training's epoch
    module = Seen()
    trainer(fast_dev_run=True).fit(module, loader(num_workers=1))
    assert module.epochs == [first[:2]]


def test_a_reloaded_loader_is_told_of_the_epoch():
    module = Seen(loader)
    trainer(reload_dataloaders_every_n_epochs=1, max_epochs=3).fit(module)
    assert module.epochs == orders(3)


def test_combined_loaders_and_bundles_give_batches_of_each():
    combined = CombinedLoader([loader(), loader(4, shuffle=False)], "max_size_cycle")
    module = Seen()
    trainer(max_epochs=1).fit(module, combined)
    assert sorted(module.epochs[0]) == sorted([*range(12), *[0, 1, 2, 3] * 3])
    bundle = DataBundler().add(loader()).cycle(loader(4, shuffle=False)).zip_mode()
    module = Seen()
    trainer(max_epochs=2).fit(module, bundle)
    assert [[*epoch] for epoch in module.epochs] == [_mixed(order) for order in orders(2)]


def _mixed(order: list[int]) -> list[int]:
    short = [0, 1, 2, 3] * 3
    return [index for at in range(0, 12, 2) for index in order[at : at + 2] + short[at : at + 2]]


def test_predicting_keeps_track_of_the_indices():
    predicting = trainer()
    found = predicting.predict(Seen(), loader(7, shuffle=False))
    assert [batch.tolist() for batch in found or []] == [[0, 1], [2, 3], [4, 5], [6]]
    seen = predicting.predict_loop._combined_loader.flattened[0]  # type: ignore[union-attr]
    assert seen.batch_sampler.seen_batch_indices == [[0, 1], [2, 3], [4, 5], [6]]
    shuffled = predicting.predict(Seen(), loader(7))
    assert sorted(int(i) for batch in shuffled or [] for i in batch) == [*range(7)]


def test_an_iterable_dataset_that_is_fetched_ahead_knows_the_place_of_the_step():
    stream = ExactDataLoader(Seekable(9), batch_size=2, seed=1)

    class Places(pl.Callback):
        found: list[tuple[int, int]] = []

        def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
            ahead = len(trainer.fit_loop._data_fetcher.batches)  # type: ignore[union-attr]
            state = stream.state_dict(ahead)
            self.found.append((state["epoch"], state["batches"]))

    module = Seen()
    trainer(callbacks=[Places()]).fit(module, stream)
    assert module.epochs == [[*range(9)]] * 2
    each = [(0, 1), (0, 2), (0, 3), (0, 4), (1, 0)]
    assert Places.found == each + [(epoch + 1, batch) for epoch, batch in each]


class Sized(IterableDataset[torch.Tensor]):
    def __len__(self) -> int:
        return 6

    def __iter__(self) -> Iterator[torch.Tensor]:
        return iter(torch.arange(6.0).reshape(6, 1))


def test_an_iterable_dataset_with_a_length_and_no_state_trains_as_ever():
    module = Seen()
    trainer().fit(module, ExactDataLoader(Sized(), batch_size=4))
    assert module.epochs == [[*range(6)]] * 2


def test_persistent_workers_end_with_the_training():
    before = set(multiprocessing.active_children())
    own = loader(num_workers=1, persistent_workers=True)
    module = Seen()
    trainer().fit(module, own)
    assert module.epochs == orders(2)
    assert set(multiprocessing.active_children()) <= before
    assert len(indices(own)) == 12  # and begin again when they are needed
