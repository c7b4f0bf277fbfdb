"""Evaluations and trainings on several ranks, as `ddp_helpers.together` calls them on each."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset
from torchmetrics import MeanMetric, SumMetric

from thexp_pl import AvgMeter, DataBundler, Meter, Params, Trainer
from thexp_pl.callbacks import MeterCallback
from thexp_pl.data import ExactDataLoader

WORLD = 2


def numbered(samples: int) -> TensorDataset:
    """Samples that say which they are."""
    return TensorDataset(torch.arange(float(samples)).unsqueeze(1))


def exact(samples: int, **options: Any) -> ExactDataLoader:
    return ExactDataLoader(numbered(samples), **{"batch_size": 2, "seed": 1, **options})


def plain(samples: int, **options: Any) -> DataLoader[Any]:
    return DataLoader(numbered(samples), **{"batch_size": 2, **options})


def dealt_by_torch(samples: int) -> DataLoader[Any]:
    return plain(samples, sampler=DistributedSampler(numbered(samples), shuffle=False))


class Batches:
    """A custom iterable that knows of no ranks."""

    def __init__(self, samples: int) -> None:
        self.samples = samples

    def __iter__(self) -> Iterator[Any]:
        return iter(plain(self.samples))


LOADERS: dict[str, Callable[[int], Any]] = {
    "plain": plain,
    "shuffled": lambda n: plain(n, shuffle=True),
    "exact": exact,
    "exact, shuffled": lambda n: exact(n, shuffle=True),
    "exact, dropping": lambda n: exact(n, drop_last=True),
    "DistributedSampler": dealt_by_torch,
    "iterable": Batches,
    "bundle": lambda n: DataBundler().add(exact(n)).add(exact(n)),
    "zipped": lambda n: DataBundler.create_zip_bundler(exact(n), plain(n)),
    "mixed": lambda n: DataBundler().add(plain(n)).add(exact(n)),
    "shared and plain": lambda n: DataBundler().add(plain(n)).add(dealt_by_torch(n)),
}


class Numbered(Trainer):
    """Keeps the numbers of the samples that it is given; `how` says what it returns of them."""

    how = "meter"

    def initial_callback(self) -> None:
        pass

    def initial_trainer(self, params: Params) -> None:
        self.model = nn.Sequential(nn.Linear(1, 2), nn.BatchNorm1d(2), nn.Linear(2, 1))
        self.optim = torch.optim.SGD(self.model.parameters(), lr=0.01)
        self.total = SumMetric()
        self._rank, self._seen = params.rank, []
        loaders = {stage: LOADERS[kind](size) for stage, (kind, size) in params.data.items()}
        self.regist_databundler(**loaders)

    def train_batch(self, eidx, idx, global_step, batch_data, params, device):  # type: ignore[no-untyped-def]
        numbers = _numbers(batch_data)
        self._seen.append(numbers.flatten().tolist())
        self.model(numbers).mean().backward()
        self.optim.step()
        self.optim.zero_grad()
        meter = Meter()
        meter.number = numbers.mean()
        meter[f"of_{self._rank}"] = float(self._rank)
        meter.text = "text"
        return meter

    def test_eval_logic(self, dataloader: Any, params: Params) -> Any:
        seen = torch.cat([_numbers(batch) for batch in dataloader])
        self._seen.append(seen.flatten().tolist())
        return getattr(self, f"_{params.how}")(seen)

    def _meter(self, seen: torch.Tensor) -> Meter:
        meter = Meter()
        meter.percent("mean")
        meter.mean, meter.count, meter.rank = seen.mean(), len(seen), float(self._rank)
        meter[f"of_{self._rank}"] = 1.0
        meter.text, meter.pair = f"rank {self._rank}", torch.tensor([self._rank, 7])
        return meter

    def _average(self, seen: torch.Tensor) -> AvgMeter:
        average = AvgMeter()
        for one in seen:
            average.update({"mean": one})
        average.update({f"of_{self._rank}": 1.0, "text": f"rank {self._rank}"})
        return average

    def _metrics(self, seen: torch.Tensor) -> AvgMeter:
        self.total.reset()
        self.total.update(seen)
        average = AvgMeter()
        average.update({"total": self.total, "mean": (own := MeanMetric())})
        own.update(seen)
        return average

    def _lone_metric(self, seen: torch.Tensor) -> AvgMeter:
        average = AvgMeter()
        metric = MeanMetric()
        metric.update(seen)
        average.update({"lone": metric} if self._rank else {"other": 1.0})
        return average

    def _norm(self, seen: torch.Tensor) -> dict[str, Any]:
        return {"norm": self.model(seen).mean(), "running": self.model[1].running_mean.sum()}

    def predict(self, batch_data: Any) -> Any:
        return _numbers(batch_data).flatten()


def _numbers(batch: Any) -> torch.Tensor:
    if isinstance(batch, tuple):
        return torch.cat([_numbers(part) for part in batch])
    return batch[0]


def made(rank: int, folder: Path, data: dict[str, Any], how: str = "meter", **options: Any) -> Any:
    """Give a trainer on all ranks, whose run has begun."""
    params = Params()
    params.device, params.epoch = "cpu", 1
    params.rank, params.data, params.how = rank, data, how
    trainer = Numbered(params, strategy="ddp", devices=WORLD, **options)
    trainer.initial_exp(folder, board=False, code=False, console=False)
    return trainer


def evaluated(rank: int, folder: Path, loader: list[Any], **options: Any) -> Any:
    """What an evaluation sees, the numbers it gives, and its values."""
    trainer = made(rank, folder, {"eval": loader}, **options)
    meter = trainer.eval()
    values = {
        name: one.tolist() if isinstance(one, torch.Tensor) else one for name, one in meter.items()
    }
    return trainer._seen[0], trainer.evaluate("eval"), values, str(meter)


def predicted(rank: int, folder: Path, loader: list[Any]) -> Any:
    trainer = made(rank, folder, {"predict": loader})
    return torch.cat(trainer.predict_all()).tolist()


def trained(rank: int, folder: Path, loader: list[Any], **options: Any) -> Any:
    """The batches of a training, its metrics, and what it warned of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        trainer = made(rank, folder, {"train": loader}, log_every_n_steps=1, **options)
        trainer.train()
    metrics = trainer.lightning_trainer.callback_metrics
    found = {name: value.item() for name, value in metrics.items()}
    (callback,) = (c for c in trainer.lightning_trainer.callbacks if type(c) is MeterCallback)
    return trainer._seen, found, [str(one.message) for one in caught], callback.average.means()


def trained_and_evaluated(rank: int, folder: Path) -> Any:
    """Evaluations with statistics that each rank has gathered of its own."""
    data = {"train": ["exact", 12], "eval": ["exact", 6]}
    trainer = made(rank, folder, data, how="norm", enable_checkpointing=False)  # which shares too
    before = []

    class Looks(pl.Callback):
        def on_train_epoch_end(self, *_: Any) -> None:
            before.append(trainer.model[1].running_mean.sum().item())

    trainer.add_callback(Looks())
    trainer.train()
    return before, trainer.evaluate("eval"), trainer._seen[:6], trainer.evaluate("eval")


class Plain(pl.LightningModule):
    """A LightningModule that returns Meters."""

    def __init__(self, names: str) -> None:
        super().__init__()
        self.layer = nn.Linear(1, 1)
        self.names = names
        self.metric = MeanMetric()

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        meter = Meter()
        meter.number = batch[0].mean()
        meter[f"of_{self.global_rank}" if self.names == "apart" else "same"] = batch_idx
        if self.names == "metric":
            self.metric.update(batch[0])
            meter.metric = self.metric
        return {"loss": self.layer(batch[0]).mean(), "meter": meter}

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def plainly_trained(rank: int, folder: Path, names: str) -> Any:
    """The metrics of a plain Lightning Trainer, read on one rank alone too."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        trainer = pl.Trainer(
            accelerator="cpu", devices=WORLD, strategy="ddp", max_epochs=1, logger=False,
            enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
            callbacks=[MeterCallback(), ReadsOnOneRank()],
        )  # fmt: skip
        trainer.fit(Plain(names), DataLoader(numbered(10), 3))
    words = [str(one.message) for one in caught if "sync_dist" in str(one.message)]
    return {name: value.item() for name, value in trainer.callback_metrics.items()}, words


class ReadsOnOneRank(pl.Callback):
    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.is_global_zero:
            assert "number" in trainer.callback_metrics


class Own(DataLoader[Any]):
    """A loader of a class of its own, which no exact one can stand for."""

    def own_method(self) -> None:
        pass


def trained_on_own(rank: int, folder: Path, kind: str) -> Any:
    """The batches that each rank gets of it."""
    loader: Any = Own(numbered(8), batch_size=2)
    LOADERS["own"] = lambda _: DataBundler().add(loader, "own") if kind == "bundled" else loader
    return trained(rank, folder, ["own", 8])[0]
