"""Trainings that draw from every generator, to be killed anywhere and resumed."""

from __future__ import annotations

import copy
import json
import os
import random
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch import nn
from torch.optim import SGD, Adam
from torch.optim.lr_scheduler import StepLR
from torch.utils.data import DataLoader, Dataset, IterableDataset, get_worker_info

from thexp_pl import AvgMeter, Meter, Params, Trainer
from thexp_pl.callbacks import EvalCallback, RndCallback, SaverCallback
from thexp_pl.data import DataBundler, ExactDataLoader

torch.set_num_threads(1)

SAMPLES, BATCH, EPOCHS = 16, 4, 3
STEPS = EPOCHS * SAMPLES // BATCH


class Noisy(Dataset):
    """Items with fresh noise of torch, numpy and random each time."""

    def __init__(self, scale: float = 0.1) -> None:
        self.scale = scale

    def __len__(self) -> int:
        return SAMPLES

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        x = torch.linspace(index, index + 1, 6) / SAMPLES
        noise = torch.randn(6) + torch.from_numpy(np.random.randn(6)).float() + random.gauss(0, 1)
        return x + self.scale * noise, index % 3


class Stream(IterableDataset):
    """The same, as a stream that keeps its own place."""

    def __init__(self) -> None:
        self.at = 0

    def __iter__(self) -> Iterator[tuple[torch.Tensor, int]]:
        worker = get_worker_info()
        first, stride = (worker.id, worker.num_workers) if worker else (0, 1)
        items = Noisy()
        while first + self.at * stride < SAMPLES:
            index = first + self.at * stride
            self.at += 1
            yield items[index]
        self.at = 0

    def state_dict(self) -> dict[str, int]:
        return {"at": self.at}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.at = state["at"]


def make_loader(
    data: str = "map", workers: int = 0, persistent: bool = False, batch: int = BATCH
) -> Any:
    options: dict[str, Any] = {
        "num_workers": workers,
        "persistent_workers": persistent and workers > 0,
    }
    if data == "per item":
        return ExactDataLoader(Noisy(), batch, shuffle=True, seed_per_item=True, **options)
    if data == "stream":
        return ExactDataLoader(Stream(), BATCH, **options)
    loader = ExactDataLoader(Noisy(), BATCH, shuffle=True, **options)
    if data == "bundler":
        short = ExactDataLoader(Noisy(), 6, shuffle=True, drop_last=True, **options)
        return DataBundler().cycle(short, "unlabelled").add(loader, "labelled").zip_mode()
    return loader


def make_model() -> nn.Sequential:
    return nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Dropout(0.3), nn.Linear(8, 3))


def follow(average: nn.Module, model: nn.Module) -> None:
    """Let a model be the moving average of another one."""
    with torch.no_grad():
        here, there = average.state_dict(), model.state_dict()
        for name, value in here.items():
            if value.is_floating_point():
                value.mul_(0.9).add_(there[name], alpha=0.1)


def pairs_of(batch: Any) -> list[Any]:
    """The (xs, ys) of a batch, or of each part of a bundled one."""
    return [batch] if isinstance(batch[0], torch.Tensor) else list(batch)


class Noted:
    """Writes down the loss of each step and of each batch of a validation, bit for bit."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, step: int | str, loss: torch.Tensor, rank: int = 0) -> None:
        with self.path.with_name(f"losses{rank}").open("a") as file:
            file.write(json.dumps([step, float(loss.detach()).hex()]) + "\n")


def note_validation(module: Any, batch_idx: int, loss: torch.Tensor) -> None:
    """Write a validation's loss down, unless Lightning only tries whether it works."""
    if not module.trainer.sanity_checking:
        step = module.trainer.fit_loop.total_batch_idx
        module.notes.add(f"{step}, {batch_idx}", loss, module.global_rank)


class Automatic(pl.LightningModule):
    """Automatic optimisation, a scheduler, and an average kept in the module's own hook."""

    def __init__(self, notes: Path, validation_noise: float) -> None:
        super().__init__()
        self.validation_noise = validation_noise
        self.model = make_model()
        self.average = copy.deepcopy(self.model).requires_grad_(False)
        self.notes = Noted(notes)

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        loss = sum(nn.functional.cross_entropy(self.model(x), y) for x, y in pairs_of(batch))
        self.notes.add(self.trainer.fit_loop.total_batch_idx, loss, self.global_rank)
        self.log("loss", loss, on_epoch=True)
        return {"loss": loss, "meter": Meter(), "value": loss.detach()}

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        follow(self.average, self.model)

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        loss = nn.functional.cross_entropy(self.model(batch[0]), batch[1])
        note_validation(self, batch_idx, loss)
        self.log("val", loss)

    def configure_optimizers(self) -> Any:
        optimizer = SGD(self.model.parameters(), lr=0.1, momentum=0.9)
        scheduler = StepLR(optimizer, 2, 0.9)
        return [optimizer], [{"scheduler": scheduler, "interval": "step"}]


class Elastic(Automatic):
    """A model of which a batch's parts may be computed apart: the same on 1 rank and on 2."""

    def __init__(self, notes: Path, validation_noise: float) -> None:
        super().__init__(notes, validation_noise)
        self.model = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3))
        self.average = copy.deepcopy(self.model).requires_grad_(False)


class Gan(pl.LightningModule):
    """Two optimizers that step by hand, noise from the global generator."""

    def __init__(self, notes: Path, validation_noise: float) -> None:
        super().__init__()
        self.validation_noise = validation_noise
        self.automatic_optimization = False
        self.generator = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 6))
        self.critic = nn.Sequential(nn.Linear(6, 8), nn.Dropout(0.2), nn.Linear(8, 1))
        self.notes = Noted(notes)

    def training_step(self, batch: Any, batch_idx: int) -> None:
        of_generator, of_critic = self.optimizers()
        real = batch[0]
        fake = self.generator(torch.randn(len(real), 4))
        loss = self.critic(fake.detach()).mean() - self.critic(real).mean()
        of_critic.zero_grad()
        self.manual_backward(loss)
        of_critic.step()
        if batch_idx % 2:  # the generator's gradients of two batches
            step, _ = of_generator.step, of_generator.zero_grad
        self.manual_backward(-self.critic(fake).mean())
        if batch_idx % 2:
            step()
            of_generator.zero_grad()
        self.notes.add(self.trainer.fit_loop.total_batch_idx, loss)

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        loss = self.critic(batch[0]).mean()
        note_validation(self, batch_idx, loss)
        self.log("val", loss)

    def configure_optimizers(self) -> Any:
        return Adam(self.generator.parameters(), 0.01), Adam(self.critic.parameters(), 0.01)


MODULES = {"automatic": Automatic, "elastic": Elastic, "gan": Gan}


class Killer(pl.Callback):
    """Kills the process at a moment: ``["on_train_batch_start", 5]`` is the fifth call, from 0."""

    def __init__(self, at: list[Any] | None) -> None:
        self.hook, self.count = at or ["", 0]

    def _met(self, hook: str) -> None:
        if hook == self.hook:
            if self.count == 0:
                os.killpg(0, signal.SIGKILL)  # all ranks and workers, as a machine that goes down
            self.count -= 1

    def on_train_batch_start(self, *args: Any) -> None:
        self._met("on_train_batch_start")

    def on_before_zero_grad(self, *args: Any) -> None:
        self._met("on_before_zero_grad")

    def on_train_batch_end(self, *args: Any) -> None:
        self._met("on_train_batch_end")

    def on_validation_batch_end(self, *args: Any) -> None:
        self._met("on_validation_batch_end")

    def on_validation_end(self, *args: Any) -> None:
        self._met("on_validation_end")

    def on_train_epoch_end(self, *args: Any) -> None:
        self._met("on_train_epoch_end")

    def on_train_epoch_start(self, *args: Any) -> None:
        self._met("on_train_epoch_start")

    def on_train_end(self, *args: Any) -> None:
        self._met("on_train_end")


class Final(pl.Callback):
    """Leaves the state that a training ends with as ``final.ckpt``."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        state = trainer._checkpoint_connector.dump_checkpoint(weights_only=False)
        if trainer.is_global_zero:
            torch.save(state, self.root / "final.ckpt")


class Facade(Trainer):
    """Everything by hand, as thexp's users write it."""

    def initial_trainer(self, params: Params) -> None:
        self.model = make_model()
        self.average = copy.deepcopy(self.model)
        self.optim = SGD(self.model.parameters(), lr=0.1, momentum=0.9)
        self.schedule = StepLR(self.optim, 2, 0.9)
        self.means = AvgMeter()
        self._notes = Noted(Path(params["notes"]))
        data = params["data"]
        if data == "plain":  # made exact by the trainer itself
            train: Any = DataLoader(Noisy(), BATCH, shuffle=True, num_workers=params["workers"])
        else:
            train = make_loader(data, params["workers"], params["persistent"])
        self.regist_databundler(train=train, eval=DataLoader(Noisy(), BATCH, shuffle=True))

    def initial_callback(self) -> None:
        EvalCallback(1, 0).hook(self)

    def train_batch(self, eidx, idx, global_step, batch_data, params, device):  # type: ignore[no-untyped-def]
        loss = sum(nn.functional.cross_entropy(self.model(x), y) for x, y in pairs_of(batch_data))
        loss.backward()
        if idx % params["every"] == params["every"] - 1:  # gradients add up until then
            self.optim.step()
            self.optim.zero_grad()
        self.schedule.step()
        follow(self.average, self.model)
        self.means.update({"loss": loss})
        self._notes.add(global_step, loss)
        return {"loss": loss}

    def test_eval_logic(self, dataloader: Any, params: Params) -> Meter:
        meter = Meter()
        meter.loss = torch.stack([self.model(x).mean() for x, _ in dataloader]).mean()
        self._notes.add(f"evaluated {params.eidx}", meter.loss)
        return meter


def newest(folder: Path) -> Path | None:
    """The newest checkpoint that a Saver of this folder would take."""
    from thexp_pl import Saver

    found = Saver(folder).find_checkpoints() if folder.is_dir() else []
    return found[-1] if found else None


def train(
    kind: str,
    folder: str,
    kill: list[Any] | None = None,
    resume: bool = False,
    workers: int = 0,
    persistent: bool = False,
    data: str = "map",
    every: int = 1,
    options: dict[str, Any] | None = None,
    batch: int = BATCH,
    validation_noise: float = 0.1,
    background: bool = True,
) -> None:
    """Train in a folder, from its newest checkpoint with `resume`, and leave ``final.ckpt``."""
    root = Path(folder)
    saver = SaverCallback(max_to_keep=2, every_n_batches=1, background=background)
    callbacks = [saver, Killer(kill), Final(root)]
    given = {"workers": workers, "persistent": persistent, "data": data}
    pl.seed_everything(11)
    if kind == "facade":
        _train_facade(root, callbacks, resume, {**given, "every": every}, options or {})
    else:
        loader = make_loader(**given, batch=batch)
        options = {"accumulate_grad_batches": every, **(options or {})}
        module = MODULES[kind](root / "losses", validation_noise)
        _train_module(module, root, callbacks, resume, loader, options)


def _train_module(
    module: pl.LightningModule,
    root: Path,
    callbacks: list[pl.Callback],
    resume: bool,
    loader: Any,
    options: dict[str, Any],
) -> None:
    trainer = pl.Trainer(
        **{
            "max_epochs": EPOCHS,
            "accelerator": "cpu",
            "logger": False,
            "enable_progress_bar": False,
            "enable_model_summary": False,
            "default_root_dir": root,
            "callbacks": [RndCallback(), *callbacks],
            **options,
        }
    )
    # a plain loader; where its workers persist they ask for a seed only once, and draw other noise
    workers = getattr(loader, "num_workers", 0)
    noisy = Noisy(0.0 if workers else module.validation_noise)
    validation = DataLoader(noisy, BATCH, num_workers=workers, persistent_workers=workers > 0)
    path = newest(root / "modules") if resume else None
    trainer.fit(module, loader, validation, ckpt_path=path and str(path))


def _train_facade(
    root: Path,
    callbacks: list[pl.Callback],
    resume: bool,
    given: dict[str, Any],
    options: dict[str, Any],
) -> None:
    params = Params()
    params["epoch"], params["device"] = EPOCHS, "cpu"
    for name, value in given.items():
        params[name] = value
    params["notes"] = str(root / "losses")
    trainer = Facade(params, callbacks=callbacks, **options)
    trainer.initial_exp(root, "resumed", code=False, console=False, board=False)
    if resume:
        trainer.load_latest_checkpoint()
    trainer.train()
