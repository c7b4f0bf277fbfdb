"""RndCallback and the loaders: steps as the limit, several loaders, and validation on the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities import CombinedLoader
from rnd_helpers import DATA, SaveEach, same
from torch.utils.data import Dataset, IterableDataset, Subset
from trainer_helpers import lightnings_own_warnings, plain_trainer

from thexp_pl import rnd
from thexp_pl.callbacks import RndCallback
from thexp_pl.data import DataBundler, ExactDataLoader

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*LeafSpec"),
    pytest.mark.filterwarnings("ignore:.*Skipping val loop"),
    pytest.mark.filterwarnings("ignore:.*recommended that you turn shuffling off"),
]


class Net(pl.LightningModule):
    """Trains on whatever parts a batch has, and keeps what it saw and each validation's sum."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.layer = torch.nn.Linear(6, 1)
        self.seen: list[Any] = []
        self.validated: list[float] = []

    def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
        parts = [part[0] for part in batch if part is not None] if nested(batch) else [batch[0]]
        self.seen.append((self.trainer.current_epoch, batch_idx, [x.sum().item() for x in parts]))
        return torch.stack([self.layer(x).square().mean() for x in parts]).sum()

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        parts = [part[0] for part in batch] if nested(batch) else [batch[0]]
        if not self.trainer.sanity_checking:
            self.validated.append(sum(x.sum().item() for x in parts))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.01, momentum=0.9)


class Noisy(Dataset[Any]):
    def __len__(self) -> int:
        return len(DATA)

    def __getitem__(self, index: int) -> Any:
        return DATA[index][0] + torch.randn(6), DATA[index][1]


class Stream(IterableDataset[Any]):
    """Has no length, so that Lightning reads a batch ahead of training."""

    def __init__(self, size: int) -> None:
        self.size, self.at = size, 0

    def seek(self, at: int) -> None:
        self.at = at

    def __iter__(self) -> Iterator[Any]:
        begins, self.at = self.at, 0
        for index in range(begins, self.size):
            yield DATA[index][0] + torch.randn(6), DATA[index][1]


def nested(batch: Any) -> bool:
    return not isinstance(batch[0], torch.Tensor)


def shuffled(samples: int = len(DATA), batch_size: int = 4) -> ExactDataLoader:
    return ExactDataLoader(Subset(DATA, range(samples)), batch_size, shuffle=True)


def combined(mode: Any) -> CombinedLoader:
    return CombinedLoader([shuffled(), shuffled(8)], mode)


def streams(mode: Any) -> CombinedLoader:
    return CombinedLoader([ExactDataLoader(Stream(n), batch_size=4) for n in (16, 8, 12)], mode)


def on_the_same(make: Callable[[], Any]) -> tuple[Any, Any]:
    loader = make()
    return loader, loader


def bundle() -> DataBundler:
    return DataBundler().add(shuffled()).cycle(shuffled(8)).zip_mode()


def trained(
    folder: Path, loaders: tuple[Any, Any], path: Path | None = None, **options: Any
) -> tuple[Net, dict[str, Any]]:
    module = Net()
    rnd.fix_seed(5 if path is None else 99)
    trainer = plain_trainer(
        callbacks=[RndCallback(), SaveEach(folder)],
        enable_checkpointing=True,
        **{"max_epochs": 2, **options},
    )
    trainer.fit(module, loaders[0], loaders[1], ckpt_path=path, weights_only=True)
    return module, trainer._checkpoint_connector.dump_checkpoint()


CASES: dict[str, tuple[Callable[[], tuple[Any, Any]], dict[str, Any]]] = {
    "max_steps": (lambda: (shuffled(), None), {"max_steps": 8, "max_epochs": -1}),
    "max_steps and max_epochs": (
        lambda: (shuffled(), shuffled()),
        {"max_steps": 1000, "val_check_interval": 2},
    ),
    "max_steps of several batches": (
        lambda: (shuffled(), None),
        {"max_steps": 1000, "accumulate_grad_batches": 4},
    ),
    "max_size": (lambda: (combined("max_size"), None), {}),
    "max_size, streams": (lambda: (streams("max_size"), None), {}),
    "max_size_cycle, streams": (lambda: (streams("max_size_cycle"), None), {}),
    "min_size, streams": (lambda: (streams("min_size"), None), {}),
    "one loader": (lambda: on_the_same(shuffled), {"val_check_interval": 3}),
    "one bundle": (
        lambda: on_the_same(bundle),
        {"val_check_interval": 2, "limit_val_batches": 2},
    ),
    "noise in validation": (
        lambda: (shuffled(), ExactDataLoader(Noisy(), 4, shuffle=True)),
        {"val_check_interval": 2, "limit_val_batches": 2},
    ),
}


@lightnings_own_warnings
@pytest.mark.parametrize("case", CASES)
def test_a_training_goes_on_with_the_batches_that_it_would_have_had(
    case: str, tmp_path: Path
) -> None:
    make, options = CASES[case]
    whole, end = trained(tmp_path, make(), **options)
    # gradients of half a step are in no checkpoint
    saved = "*.on_train_epoch_end.ckpt" if "accumulate_grad_batches" in options else "*.ckpt"
    paths = list(tmp_path.glob(saved))
    assert len(paths) >= 2

    for path in paths:
        resumed, resumed_end = trained(tmp_path / "resumed", make(), path, **options)
        done = int(path.name.partition(".")[0])
        assert resumed.seen == whole.seen[done:], path
        assert resumed.validated == whole.validated[-len(resumed.validated) or 1000 :], path
        assert same(resumed_end["state_dict"], end["state_dict"]), path
        assert same(resumed_end["optimizer_states"], end["optimizer_states"]), path


@lightnings_own_warnings
def test_a_sanity_check_before_a_restored_training_settles_no_seed(tmp_path: Path) -> None:
    def loaders() -> tuple[Any, Any]:
        return shuffled(), ExactDataLoader(Noisy(), 4, shuffle=True)

    trained(tmp_path, loaders(), max_epochs=1)
    given = loaders()
    (path,) = tmp_path.glob("*.on_train_epoch_end.ckpt")
    trained(tmp_path / "resumed", given, path, max_epochs=2)

    assert {loader.state_dict()["seed"] for loader in given} == {5}


@lightnings_own_warnings
def test_another_validation_than_was_saved_is_no_reason_to_refuse(tmp_path: Path) -> None:
    trained(tmp_path, (shuffled(), shuffled()), max_epochs=1)
    (path,) = tmp_path.glob("*.on_train_epoch_end.ckpt")
    for other in (shuffled(12), bundle(), CombinedLoader([shuffled(), shuffled(8)], "min_size")):
        resumed, _ = trained(tmp_path / "resumed", (shuffled(), other), path, max_epochs=2)
        assert resumed.validated
