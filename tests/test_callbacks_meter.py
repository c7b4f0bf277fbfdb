"""MeterCallback: the means over an epoch, and the values of some steps."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint
from pytorch_lightning.loggers import CSVLogger
from rnd_helpers import SaveEach, Sized, same
from torch.utils.data import DataLoader
from trainer_helpers import (
    BATCHES,
    EvalTrainer,
    PlainModule,
    TinyTrainer,
    ended_runs,  # noqa: F401 - a fixture of every test here
    lightnings_own_warnings,
    make_data,
    make_loader,
    metrics_of,
    plain_trainer,
    start,
)

from thexp_pl import Meter, RunLogger, rnd
from thexp_pl.callbacks import LoggerCallback, MeterCallback, RndCallback
from thexp_pl.errors import CheckpointError

SAMPLES = 10  # in batches of 4, 4 and 2


class Recording(PlainModule):
    """Has each sample's own number as the loss, so that the mean over samples is known."""

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        output = super().training_step(batch, batch_idx)
        output["meter"].mean = batch[0].mean()
        output["meter"].name = "text"
        return output


@lightnings_own_warnings
def test_in_a_plain_module_the_mean_is_the_one_over_all_samples(tmp_path: Path) -> None:
    logger = CSVLogger(tmp_path)
    trainer = plain_trainer(callbacks=[MeterCallback()], max_epochs=2, logger=logger)

    trainer.fit(Recording(), make_loader(samples=SAMPLES))

    samples = torch.stack([xs for xs, _ in make_data(SAMPLES)])
    each_alike = math.fsum(xs.mean().item() for xs, _ in make_loader(samples=SAMPLES)) / 3
    true_mean = samples.mean().item()
    assert trainer.callback_metrics["mean"].item() == pytest.approx(true_mean, rel=1e-6)
    assert true_mean != pytest.approx(each_alike, rel=1e-3), "the test would show nothing"
    with (Path(logger.log_dir) / "metrics.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["mean"]]
    assert [(row["epoch"], row["step"]) for row in rows] == [("0", "2"), ("1", "5")]
    assert float(rows[0]["mean"]) == pytest.approx(true_mean, rel=1e-6)


@lightnings_own_warnings
def test_without_a_self_log_the_means_reach_console_record_and_callback_metrics(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logger = RunLogger(tmp_path, "means", board=False, code=False, console=False)
    callbacks = [MeterCallback(), LoggerCallback()]
    trainer = plain_trainer(callbacks=callbacks, max_epochs=2, logger=logger, log_every_n_steps=2)

    trainer.fit(PlainModule(), make_loader())

    last = trainer.callback_metrics["loss"].item()
    rows = metrics_of(logger.experiment)
    assert [row[:2] for row in rows["loss"]] == [(4, 0), (9, 1)]
    assert rows["loss"][-1][2] == last
    assert [row[0] for row in rows["loss_step"]] == [1, 3, 5, 7, 9]
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "2/2 | 5/5 | " in line]
    assert f"({last:.4f})" in line


def sized(batch: Any) -> float:
    """Give the weight that a batch counts with, seen from outside."""
    callback = MeterCallback()
    trainer: Any = SimpleNamespace(
        loggers=[], log_every_n_steps=1, fit_loop=SimpleNamespace(total_batch_idx=0)
    )
    for value, each in ((1.0, batch), (0.0, torch.zeros(6))):
        meter = Meter()
        meter.value = value
        callback.on_train_batch_end(trainer, None, {"meter": meter}, each, 0)  # type: ignore[arg-type]
    share = callback.average.means()["value"]
    return round(share / (1 - share) * 6, 6)


four, seven = torch.zeros(4, 2), torch.zeros(7)


@pytest.mark.parametrize(
    ("batch", "size"),
    [
        (four, 4),
        ((four, seven), 4),
        ([seven, four], 7),
        ({"x": four, "y": seven}, 4),
        ([{"x": [four]}, seven], 4),
        (((("name", ["a", "b"]), four),), 4),
        ({"index": torch.tensor(3), "x": four}, 4),
        (["a", "b"], 1),
        ((), 1),
        (None, 1),
        (torch.tensor(3), 1),
    ],
)
def test_the_batch_size_is_found_wherever_the_first_tensor_lies(batch: Any, size: int) -> None:
    assert sized(batch) == size


def test_the_values_of_every_nth_step_are_recorded_counted_over_epochs(tmp_path: Path) -> None:
    trainer = start(TinyTrainer, tmp_path, 3, log_every_n_steps=4)

    trainer.train()

    rows = metrics_of(trainer.experiment)
    assert [row[:2] for row in rows["loss_step"]] == [(3, 0), (7, 1), (11, 2)]
    assert [row[:2] for row in rows["loss"]] == [(4, 0), (9, 1), (14, 2)]


def test_an_epoch_mean_is_the_mean_of_its_steps(tmp_path: Path) -> None:
    trainer = start(TinyTrainer, tmp_path, 2, log_every_n_steps=1)

    trainer.train()

    rows = metrics_of(trainer.experiment)
    for epoch, (_, _, mean) in enumerate(rows["loss"]):
        steps = [value for _, its_epoch, value in rows["loss_step"] if its_epoch == epoch]
        assert len(steps) == BATCHES
        assert mean == pytest.approx(math.fsum(steps) / BATCHES)


class GoesUp(EvalTrainer):
    """Has a loss that grows, in training as in evaluation."""

    def train_batch(self, *args: Any) -> Any:
        super().train_batch(*args)
        return {"loss": float(args[2])}

    def test_eval_logic(self, dataloader: Any, params: Any) -> Any:
        return {"loss": float(params.eidx)}


@pytest.mark.parametrize("monitor", ["loss", "eval_loss"])
def test_lightnings_callbacks_monitor_the_means(monitor: str, tmp_path: Path) -> None:
    stopping = EarlyStopping(monitor, patience=2)
    best = ModelCheckpoint(monitor=monitor, save_top_k=1, filename="best-{epoch}")
    trainer = start(GoesUp, tmp_path, 10, callbacks=[stopping, best])

    trainer.train()

    assert trainer.params.eidx == 4  # the first is the best, and two more are waited for
    assert Path(best.best_model_path).name == "best-epoch=0.ckpt"
    assert trainer.experiment.path in Path(best.best_model_path).parents


def test_a_loss_that_is_nan_reaches_the_metrics_and_stops_early_stopping(tmp_path: Path) -> None:
    class Diverging(TinyTrainer):
        def train_batch(self, *args: Any) -> Any:
            meter = super().train_batch(*args)
            if args[2] == BATCHES + 1:
                meter.loss = meter.loss * float("nan")
            return meter

    stopping = EarlyStopping("loss", check_finite=True, patience=100)
    trainer = start(Diverging, tmp_path, 10, callbacks=[stopping])

    trainer.train()

    assert trainer.params.eidx == 3
    assert math.isnan(trainer.lightning_trainer.callback_metrics["loss"])
    assert math.isnan(metrics_of(trainer.experiment)["loss"][-1][2])


@lightnings_own_warnings
@pytest.mark.parametrize("output", ["loss", "dict"])
def test_a_step_without_a_meter_is_passed_over(output: str, tmp_path: Path) -> None:
    class Without(PlainModule):
        def training_step(self, batch: Any, batch_idx: int) -> Any:
            loss = super().training_step(batch, batch_idx)["loss"]
            return loss if output == "loss" else {"loss": loss}

    trainer = plain_trainer(callbacks=[MeterCallback()], max_epochs=1, default_root_dir=tmp_path)

    trainer.fit(Without(), DataLoader(make_data(), 4))

    assert trainer.callback_metrics == {}


class Weighs(PlainModule):
    """Has sums that are rounded, on the host and on the device, and notes each epoch's means."""

    def __init__(self) -> None:
        super().__init__()
        self.means: dict[int, Any] = {}

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        output = super().training_step(batch, batch_idx)
        meter, loss = output["meter"], output["loss"].detach()
        meter.host, meter.wide, meter.text = loss.item() / 3, loss.double() / 3, "last"
        if batch_idx == 1:
            meter.once = loss
        return output

    def on_train_epoch_end(self) -> None:
        metrics = self.trainer.callback_metrics
        self.means[self.current_epoch] = {name: one.item() for name, one in metrics.items()}


@lightnings_own_warnings
def test_an_epoch_gone_on_with_from_anywhere_has_the_same_means(tmp_path: Path) -> None:
    def trained(path: Path | None = None) -> tuple[Any, Any]:
        rnd.fix_seed(5)
        callback, module = MeterCallback(), Weighs()
        folder = tmp_path if path is None else tmp_path / "resumed"
        trainer = plain_trainer(
            callbacks=[callback, RndCallback(), SaveEach(folder)],
            max_epochs=2,
            enable_checkpointing=True,
        )
        trainer.fit(module, Sized(), ckpt_path=path, weights_only=True)
        return module.means, callback.state_dict()

    means, state = trained()
    saved = [*tmp_path.glob("*_batch_end.ckpt")]
    assert len(saved) == 6
    assert means[1].keys() == {"loss", "host", "wide", "once"}

    for path in saved:
        resumed, resumed_state = trained(path)
        assert resumed == {epoch: means[epoch] for epoch in resumed}, path.name
        assert same(resumed_state, state)


@pytest.mark.parametrize("state", [{"ranks": None}, {"other": 1}, {"ranks": {0: {"loss": 1}}}])
def test_a_state_of_something_else_is_refused(state: dict[str, Any]) -> None:
    callback = MeterCallback()
    assert callback.state_dict() == {}
    callback.setup(plain_trainer(), PlainModule(), "fit")

    with pytest.raises(CheckpointError):
        callback.load_state_dict(state)
