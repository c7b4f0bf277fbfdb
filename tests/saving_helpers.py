"""A small LightningModule, its data and its Trainer, for the tests of what is saved and when."""

from __future__ import annotations

import json
import os
import resource
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch.utils.data import TensorDataset

from thexp_pl.callbacks import RndCallback, SaverCallback
from thexp_pl.data import ExactDataLoader

torch.set_num_threads(1)

BATCHES = 5  # of an epoch


class Module(pl.LightningModule):
    """A linear model that counts batches and epochs in buffers, last of all that they do."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.layer = torch.nn.Linear(4, 1)
        self.register_buffer("seen", torch.zeros((), dtype=torch.long))
        self.register_buffer("epochs", torch.zeros((), dtype=torch.long))
        self.events: list[str] = []

    def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
        self.events.append(f"train {self.trainer.current_epoch}.{batch_idx}")
        noise = torch.randn(1)
        loss = (self.layer(batch[0]) - noise).square().mean()
        self.log("loss", loss, on_step=True, on_epoch=True)
        return loss

    def on_train_batch_end(self, *args: Any) -> None:
        self.seen += 1

    def on_train_epoch_end(self) -> None:
        self.epochs += 1

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.01, momentum=0.9)


class Validated(Module):
    """As `Module`, with a validation; it counts these too, last of all that they do."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("validated", torch.zeros((), dtype=torch.long))

    def on_validation_end(self) -> None:
        self.validated += 1

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.events.append(f"validate {self.trainer.current_epoch}.{batch_idx}")
        self.log("val_loss", self.layer(batch[0]).square().mean())


def loader(batches: int = BATCHES, shuffle: bool = True) -> ExactDataLoader:
    generator = torch.Generator().manual_seed(7)
    data = torch.randn(2 * batches, 4, generator=generator)
    return ExactDataLoader(TensorDataset(data), batch_size=2, shuffle=shuffle, seed=1)


def make_trainer(folder: Path, *callbacks: pl.Callback, **options: Any) -> pl.Trainer:
    """Make a quiet Trainer on the CPU that saves below a folder."""
    quiet = {
        "accelerator": "cpu",
        "logger": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "num_sanity_val_steps": 0,
        "log_every_n_steps": 1,
        "max_epochs": 2,
        "default_root_dir": folder,
    }
    return pl.Trainer(callbacks=[RndCallback(), *callbacks], **{**quiet, **options})


def fit(folder: Path, *callbacks: pl.Callback, validate: bool = False, **options: Any) -> Module:
    """Train a module; `ckpt_path` is where it goes on from."""
    torch.manual_seed(11)
    module, path = Validated() if validate else Module(), options.pop("ckpt_path", None)
    trainer = make_trainer(folder, *callbacks, **options)
    trainer.fit(module, loader(), loader(2, shuffle=False) if validate else None, ckpt_path=path)
    return module


def keep_all(**options: Any) -> SaverCallback:
    return SaverCallback(**{"max_to_keep": None, **options})


def record_of(path: Path) -> dict[str, Any]:
    """Give what the sidecar of a checkpoint records."""
    record: dict[str, Any] = json.loads(path.with_name(f"{path.name}.json").read_text())["_record"]
    return record


def steps(folder: Path, pattern: str = "[0-9]*.ckpt") -> list[int]:
    """Give after how many batches the checkpoints were saved, sorted."""
    return sorted(record_of(path)["step"] for path in (folder / "modules").glob(pattern))


def saved_at(folder: Path, step: int) -> Path:
    """Give the checkpoint that was saved after so many batches."""
    paths = (folder / "modules").glob("[0-9]*.ckpt")
    (found,) = [path for path in paths if record_of(path)["step"] == step]
    return found


class At(pl.Callback):
    """Does something after the batch of a number, counted from 1 over all epochs."""

    def __init__(self, batch: int, deed: Callable[[], object]) -> None:
        self.batch = batch
        self.deed = deed

    def on_train_batch_end(self, trainer: pl.Trainer, *args: Any) -> None:
        if trainer.fit_loop.total_batch_idx + 1 == self.batch:
            self.deed()


def sending(number: signal.Signals, times: int = 1) -> Callable[[], None]:
    """Make what sends a signal to this very process."""

    def send() -> None:
        for _ in range(times):
            os.kill(os.getpid(), number)

    return send


class Blocked:
    """Puts a file in the place of the checkpoints' folder, and takes it away again."""

    def __init__(self, folder: Path, callback: SaverCallback) -> None:
        self.folder = folder / "modules"
        self.callback = callback

    def begin(self) -> None:
        assert self.callback.saver is not None
        self.callback.saver.flush()
        self.folder.rename(self.folder.with_name("aside"))
        self.folder.write_text("no folder")

    def end(self) -> None:
        self.folder.unlink()
        self.folder.with_name("aside").rename(self.folder)


class SmallFiles:
    """Has the system refuse what is written beyond the first 512 bytes of a file."""

    def __init__(self) -> None:
        self.before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def begin(self) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (512, self.before[1]))

    def end(self) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, self.before)

    def __enter__(self) -> SmallFiles:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()
