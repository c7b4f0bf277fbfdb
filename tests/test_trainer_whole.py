"""Lightning's own callbacks and profilers do on a facade run what they do elsewhere."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import (
    BackboneFinetuning,
    Callback,
    DeviceStatsMonitor,
    EarlyStopping,
    LambdaCallback,
    LearningRateMonitor,
    ModelCheckpoint,
    ModelSummary,
    RichProgressBar,
    Timer,
    TQDMProgressBar,
)
from torch.optim import SGD, Adam
from torch.optim.lr_scheduler import StepLR
from trainer_helpers import (
    BATCHES,
    EvalTrainer,
    TinyTrainer,
    ended_runs,  # noqa: F401 - a fixture of every test here
    make_model,
    metrics_of,
    same_weights,
    start,
    weights_of,
)

from thexp_pl import Params


class Scheduled(EvalTrainer):
    """Steps a scheduler of its own after every batch."""

    def initial_trainer(self, params: Params) -> None:
        super().initial_trainer(params)
        self.scheduler = StepLR(self.optim, 2, 0.5)

    def train_batch(self, *args: Any) -> Any:
        meter = super().train_batch(*args)
        self.scheduler.step()
        return meter


# -- stopping and saving -------------------------------------------------------------------------


@pytest.mark.parametrize("monitor", ["loss", "eval_loss"])
def test_early_stopping_ends_a_training_that_gets_no_better(monitor: str, tmp_path: Path) -> None:
    stopping = EarlyStopping(monitor, min_delta=100.0, patience=2)
    trainer = start(EvalTrainer, tmp_path, 9, callbacks=[stopping])

    trainer.train()

    assert trainer.params.eidx == 4  # one epoch that was the best, two without a better one
    values = [value for _, _, value in metrics_of(trainer.experiment)[monitor]]
    assert float(stopping.best_score) == pytest.approx(values[0])


@pytest.mark.filterwarnings("ignore:Be aware that when using `ckpt_path`, callbacks")
@pytest.mark.parametrize(("monitor", "mode"), [("loss", "min"), ("eval_loss", "max")])
def test_model_checkpoint_keeps_the_best_and_its_file_is_gone_on_with(
    monitor: str, mode: str, tmp_path: Path
) -> None:
    best = ModelCheckpoint(tmp_path / "best", monitor=monitor, mode=mode, save_top_k=1)
    trainer = start(Scheduled, tmp_path / "root", 3, callbacks=[best])
    trainer.train()
    values = [value for _, _, value in metrics_of(trainer.experiment)[monitor]]

    chosen = values.index(max(values) if mode == "max" else min(values)) + 1
    again = start(Scheduled, tmp_path / "root", 3)
    again.load_checkpoint(best.best_model_path)

    assert len(list((tmp_path / "best").iterdir())) == 1
    assert again.params.eidx == chosen + 1
    again.train()
    assert same_weights(weights_of(again), weights_of(trainer))
    assert again.scheduler.last_epoch == trainer.scheduler.last_epoch == 3 * BATCHES


def test_model_checkpoint_saves_every_n_batches_what_was_trained_by_then(tmp_path: Path) -> None:
    states: dict[int, Any] = {}

    class Noting(TinyTrainer):
        def train_batch(self, eidx: int, idx: int, global_step: int, *rest: Any) -> Any:
            meter = super().train_batch(eidx, idx, global_step, *rest)
            states[global_step + 1] = {k: v.clone() for k, v in self.model.state_dict().items()}
            return meter

    every = ModelCheckpoint(tmp_path / "own", "{step}", every_n_train_steps=3, save_top_k=-1)
    trainer = start(Noting, tmp_path / "root", 2, callbacks=[every])
    trainer.train()

    assert sorted(path.name for path in (tmp_path / "own").iterdir()) == [
        *("step=3.ckpt", "step=6.ckpt", "step=9.ckpt")
    ]
    for step in (3, 6, 9):
        again = start(Noting, tmp_path / "root", 2)
        again.load_checkpoint(tmp_path / "own" / f"step={step}.ckpt")
        assert same_weights(again.model.state_dict(), states[step])


def test_timer_says_how_long_a_training_took_and_ends_it(tmp_path: Path) -> None:
    timer = Timer()
    start(TinyTrainer, tmp_path, 1, callbacks=[timer]).train()
    assert timer.time_elapsed("train") > 0

    trainer = start(TinyTrainer, tmp_path, -1, callbacks=[Timer(timedelta(0))])
    trainer.train()
    assert trainer.lightning_trainer.global_step <= 1


# -- what is shown -------------------------------------------------------------------------------


def test_learning_rate_monitor_records_what_a_scheduler_sets(tmp_path: Path) -> None:
    class Two(Scheduled):
        def initial_trainer(self, params: Params) -> None:
            super().initial_trainer(params)
            self.other = make_model()
            self.adam = Adam(self.other.parameters(), lr=0.25)

    monitor = LearningRateMonitor("step")
    trainer = start(Two, tmp_path, 1, callbacks=[monitor], log_every_n_steps=1)
    trainer.train()

    rates = {name: [v for *_, v in rows] for name, rows in metrics_of(trainer.experiment).items()}
    assert rates["lr-SGD"] == [0.1, 0.1, 0.05, 0.05, 0.025]
    assert rates["lr-Adam"] == [0.25] * BATCHES


def test_a_scheduler_is_stepped_and_saved_once(tmp_path: Path) -> None:
    trainer = start(Scheduled, tmp_path, 1, callbacks=[LearningRateMonitor()])
    trainer.train()

    state = torch.load(trainer.saver.find_checkpoints()[-1], weights_only=True)

    assert state["lr_schedulers"] == []
    assert state["thexp_pl_attributes"]["scheduler"]["last_epoch"] == BATCHES


def test_device_stats_monitor_records_the_machine(tmp_path: Path) -> None:
    callbacks = [DeviceStatsMonitor(cpu_stats=True)]
    trainer = start(TinyTrainer, tmp_path, 1, callbacks=callbacks, log_every_n_steps=1)
    trainer.train()

    rows = metrics_of(trainer.experiment)["DeviceStatsMonitor.on_train_batch_end/cpu_vm_percent"]
    assert len(rows) == BATCHES


@pytest.mark.parametrize("bar", [RichProgressBar, TQDMProgressBar])
def test_progress_bars_come_to_the_end_of_the_last_epoch(
    bar: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Silent(TinyTrainer):
        def initial_callback(self) -> None:
            pass

    start(Silent, tmp_path, 2, callbacks=[bar()]).train()

    shown = capsys.readouterr()
    assert f"{BATCHES}/{BATCHES}" in shown.out + shown.err
    assert "Epoch 1" in shown.out + shown.err


def test_model_summary_lists_the_modules_and_what_goes_in_and_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Predicting(TinyTrainer):
        def initial_trainer(self, params: Params) -> None:
            super().initial_trainer(params)
            self.example_input_array = torch.zeros(2, 6)

        def predict(self, batch_data: Any) -> Any:
            return self.model(batch_data)

    with caplog.at_level("INFO", "pytorch_lightning"):
        start(Predicting, tmp_path, 1, callbacks=[ModelSummary(2)]).train()

    rows = [line for line in caplog.text.splitlines() if "model.2" in line]
    assert "Linear" in rows[0]
    assert "[2, 8]" in rows[0]
    assert "[2, 3]" in rows[0]


# -- a user's own --------------------------------------------------------------------------------


class Gan(TinyTrainer):
    """Two optimizers, two backwards and a step of each, and a third backward every second batch."""

    def initial_trainer(self, params: Params) -> None:
        super().initial_trainer(params)
        self.other = make_model()
        self.other_optim = SGD(self.other.parameters(), lr=0.1)

    def train_batch(self, eidx: int, idx: int, *args: Any) -> Any:
        if idx % 2:
            self.other(args[1][0]).sum().backward()
        self.other(args[1][0]).mean().backward()
        self.other_optim.step()
        return super().train_batch(eidx, idx, *args)


def test_hooks_of_a_users_own_callback_fire_as_often_as_there_is_a_reason(tmp_path: Path) -> None:
    fired: Counter[str] = Counter()
    optimizers: list[Any] = []

    class Counting(Callback):
        def on_before_optimizer_step(self, trainer: Any, module: Any, optimizer: Any) -> None:
            fired["on_before_optimizer_step"] += 1
            optimizers.append(optimizer)

    # the hooks that come before and after training, its epochs and batches
    for hook in vars(Callback):
        if hook.startswith(("on_fit", "on_train", "on_before_back", "on_after_back")):
            setattr(Counting, hook, lambda self, *args, _hook=hook: fired.update([_hook]))
    trainer = start(Gan, tmp_path, 2, callbacks=[Counting()])
    trainer.train()

    backwards = 2 * (2 * BATCHES + BATCHES // 2)
    assert fired == {
        **dict.fromkeys(("on_fit_start", "on_fit_end", "on_train_start", "on_train_end"), 1),
        **dict.fromkeys(("on_train_epoch_start", "on_train_epoch_end"), 2),
        **dict.fromkeys(("on_train_batch_start", "on_train_batch_end"), 2 * BATCHES),
        **dict.fromkeys(("on_before_backward", "on_after_backward"), backwards),
        "on_before_optimizer_step": 4 * BATCHES,
    }
    assert optimizers[:2] == [trainer.other_optim, trainer.optim]
    assert trainer.lightning_trainer.global_step == 2 * BATCHES


def test_a_lambda_callback_sees_every_batch_and_the_module(tmp_path: Path) -> None:
    seen: list[Any] = []
    callback = LambdaCallback(on_train_batch_end=lambda _, module, *args: seen.append(module))
    trainer = start(TinyTrainer, tmp_path, 1, callbacks=[callback])
    trainer.train()

    assert seen == [trainer.lightning_module] * BATCHES
    assert trainer.lightning_module is trainer.module is trainer.lightning_trainer.lightning_module
    assert isinstance(trainer.lightning_module, pl.LightningModule)


def test_backbone_finetuning_trains_the_backbone_from_its_epoch_on(tmp_path: Path) -> None:
    moved: list[bool] = []

    class Finetuned(TinyTrainer):
        def initial_trainer(self, params: Params) -> None:
            super().initial_trainer(params)
            self.backbone, self.head = self.model[0], self.model[2]
            self.optim = SGD(self.head.parameters(), lr=0.1)

        def train_batch(self, *args: Any) -> Any:
            before = self.backbone.weight.clone()
            meter = super().train_batch(*args)
            moved.append(not torch.equal(before, self.backbone.weight))
            return meter

    callback = BackboneFinetuning(unfreeze_backbone_at_epoch=2)
    with pytest.warns(UserWarning, match="BackboneFinetuning acts at an epoch's start"):
        start(Finetuned, tmp_path, 3, callbacks=[callback]).train()

    assert moved == [False] * (2 * BATCHES) + [True] * BATCHES


# -- profilers -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["simple", "advanced", "pytorch"])
def test_profilers_tell_of_every_backward_and_step(kind: str, tmp_path: Path) -> None:
    reports = {
        "simple": pl.profilers.SimpleProfiler,
        "advanced": pl.profilers.AdvancedProfiler,
        "pytorch": pl.profilers.PyTorchProfiler,
    }
    every_row = {"row_limit": -1} if kind == "pytorch" else {}
    profiler = reports[kind](dirpath=tmp_path / "profile", filename="report", **every_row)
    start(TinyTrainer, tmp_path / "root", 1, profiler=profiler).train()

    report = next((tmp_path / "profile").glob("*report*.txt")).read_text()
    assert "optimizer_step" in report
    assert "backward" in report.lower()
