"""The options of the Lightning Trainer that a facade run takes do there what they do elsewhere."""

from __future__ import annotations

import json
from datetime import timedelta
from inspect import signature
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from lightning_fabric.plugins.io.torch_io import TorchCheckpointIO
from pytorch_lightning.callbacks import (
    EarlyStopping,
    ModelCheckpoint,
    ModelSummary,
    RichModelSummary,
)
from pytorch_lightning.callbacks.progress import ProgressBar
from trainer_helpers import (
    BATCHES,
    EvalTrainer,
    TinyTrainer,
    ended_runs,  # noqa: F401 - a fixture of every test here
    make_loader,
    metrics_of,
    start,
)

from thexp_pl import Params


class Counting(EvalTrainer):
    """Notes every train_batch: epoch from 1, batch, and the first numbers of its samples."""

    def initial_trainer(self, params: Params) -> None:
        super().initial_trainer(params)
        self._seen: list[tuple[int, int]] = []
        self._samples: list[list[float]] = []
        self._evaluated: list[int] = []
        self._inference: list[bool] = []

    def train_batch(self, eidx, idx, global_step, batch_data, params, device):
        self._seen.append((eidx, idx))
        self._samples.append(batch_data[0][:, 0].tolist())
        return super().train_batch(eidx, idx, global_step, batch_data, params, device)

    def test_eval_logic(self, dataloader, params):
        self._evaluated.append(len(list(dataloader)))
        return super().test_eval_logic(dataloader, params)

    def predict(self, batch_data):
        assert not torch.is_grad_enabled()
        self._inference.append(torch.is_inference_mode_enabled())
        return self.model(batch_data[0])


# -- how long ------------------------------------------------------------------------------------


def early() -> EarlyStopping:
    return EarlyStopping("loss", min_delta=100.0, patience=1)  # after two epochs


def epochs_with(tmp_path: Path, **options: Any) -> int:
    trainer = start(Counting, tmp_path, 6, callbacks=[early()], **options)
    trainer.train()
    return len(trainer._seen) // BATCHES


def test_min_epochs_and_min_steps_hold_an_early_stop_back(tmp_path: Path) -> None:
    assert epochs_with(tmp_path) == 2
    assert epochs_with(tmp_path, min_epochs=4) == 4
    assert epochs_with(tmp_path, min_steps=3 * BATCHES) == 3


@pytest.mark.parametrize("max_time", [{"seconds": 0}, timedelta(0), "00:00:00:00"])
def test_max_time_ends_a_training_without_end(max_time: Any, tmp_path: Path) -> None:
    trainer = start(Counting, tmp_path, -1, max_time=max_time)

    trainer.train()

    assert len(trainer._seen) <= 1


def test_overfit_batches_trains_on_the_same_few_batches_and_evaluates_as_many(
    tmp_path: Path,
) -> None:
    trainer = start(Counting, tmp_path, 3, overfit_batches=2)

    trainer.train()

    assert trainer._seen == [(epoch, idx) for epoch in (1, 2, 3) for idx in (0, 1)]
    assert trainer._samples[:2] == trainer._samples[2:4] == trainer._samples[4:]
    assert trainer._evaluated[:3] == [2, 2, 2]


@pytest.mark.filterwarnings("ignore:You requested to overfit but enabled train dataloader shuf")
def test_overfit_batches_does_not_shuffle(tmp_path: Path) -> None:
    class Shuffled(Counting):
        def initial_trainer(self, params: Params) -> None:
            super().initial_trainer(params)
            self.regist_databundler(train=make_loader(shuffle=True))

    trainer = start(Shuffled, tmp_path, 2, overfit_batches=2)

    trainer.train()

    assert trainer._samples[:2] == trainer._samples[2:]


def test_limit_predict_and_limit_test_batches_hold(tmp_path: Path) -> None:
    trainer = start(Counting, tmp_path, 1, limit_predict_batches=2, limit_test_batches=3)

    trainer.test()

    assert len(trainer.predict_all()) == 2
    assert trainer._evaluated == [3]


# -- what is seen --------------------------------------------------------------------------------


def test_log_every_n_steps_says_how_often_a_steps_values_are_recorded(tmp_path: Path) -> None:
    trainer = start(TinyTrainer, tmp_path, 2, log_every_n_steps=3)

    trainer.train()

    assert [step for step, _, _ in metrics_of(trainer.experiment)["loss_step"]] == [2, 5, 8]


def test_enable_progress_bar_and_enable_model_summary_show_lightnings_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = start(TinyTrainer, tmp_path, 1).lightning_trainer
    trainer = start(TinyTrainer, tmp_path, 1, enable_progress_bar=True, enable_model_summary=True)
    trainer.train()

    kinds = (ProgressBar, ModelSummary)
    assert not any(isinstance(one, kinds) for one in plain.callbacks)
    assert sum(isinstance(one, kinds) for one in trainer.lightning_trainer.callbacks) == 2
    shown = capsys.readouterr().out
    if any(isinstance(one, RichModelSummary) for one in trainer.lightning_trainer.callbacks):
        assert "Sequential" in shown  # Lightning 2.5 logs it
        assert "83" in shown  # parameters
    assert "Epoch 0" in shown


# -- how it computes -----------------------------------------------------------------------------


def test_deterministic_and_benchmark_are_torchs_switches(tmp_path: Path) -> None:
    before = torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark
    try:
        start(TinyTrainer, tmp_path, 1, deterministic=True).train()
        assert torch.are_deterministic_algorithms_enabled()
        start(TinyTrainer, tmp_path, 1, deterministic=False, benchmark=True).train()
        assert torch.backends.cudnn.benchmark
    finally:
        torch.use_deterministic_algorithms(before[0])
        torch.backends.cudnn.benchmark = before[1]


@pytest.mark.parametrize("inference_mode", [True, False])
def test_inference_mode_says_how_predictions_are_made(inference_mode: bool, tmp_path: Path) -> None:
    trainer = start(Counting, tmp_path, 1, inference_mode=inference_mode)

    trainer.predict_all()

    assert set(trainer._inference) == {inference_mode}


@pytest.mark.filterwarnings("ignore:Anomaly Detection has been enabled")
@pytest.mark.filterwarnings("ignore:.*Error detected in")
def test_detect_anomaly_names_the_backward_that_gave_nan(tmp_path: Path) -> None:
    class Broken(TinyTrainer):
        def measure(self, batch_data: Any) -> Any:
            meter = super().measure(batch_data)
            meter.loss = meter.loss + (self.model[0].weight * 0).sum().sqrt() * 0
            return meter

    start(Broken, tmp_path, 1).train()
    with pytest.raises(RuntimeError, match=r"SqrtBackward0.*nan"):
        start(Broken, tmp_path, 1, detect_anomaly=True).train()


class Dtypes(Counting):
    def initial_callback(self) -> None:
        pass

    def train_batch(self, *args: Any) -> Any:
        meter = super().train_batch(*args)
        self._dtypes = (args[3][0].dtype, self.model[0].weight.dtype, meter.loss.dtype)
        self._out = self.model(args[3][0]).dtype
        return meter


@pytest.mark.parametrize(
    ("precision", "weights", "out"),
    [
        ("32-true", torch.float32, torch.float32),
        ("64-true", torch.float64, torch.float64),
        ("bf16-true", torch.bfloat16, torch.bfloat16),
        ("bf16-mixed", torch.float32, torch.bfloat16),
    ],
)
def test_precision_is_that_of_the_weights_and_of_what_they_compute(
    precision: Any, weights: torch.dtype, out: torch.dtype, tmp_path: Path
) -> None:
    trainer = start(Dtypes, tmp_path, 1, precision=precision)

    trainer.train()

    assert trainer._dtypes[1] == weights
    assert trainer._out == out


# -- what is kept --------------------------------------------------------------------------------


def test_enable_checkpointing_false_keeps_nothing(tmp_path: Path) -> None:
    trainer = start(TinyTrainer, tmp_path, 1, enable_checkpointing=False)

    trainer.train()

    assert list(trainer.saver.dir.iterdir()) == []


def test_plugins_reach_lightning_and_its_own_checkpoints(tmp_path: Path) -> None:
    class Noting(TorchCheckpointIO):
        saved: list[str] = []

        def save_checkpoint(self, checkpoint: Any, path: Any, storage_options: Any = None) -> None:
            self.saved.append(Path(path).name)
            super().save_checkpoint(checkpoint, path, storage_options)

    plugin = Noting()
    callback = ModelCheckpoint(tmp_path / "own", filename="{epoch}")
    start(TinyTrainer, tmp_path, 1, plugins=[plugin], callbacks=[callback]).train()

    assert plugin.saved == ["epoch=0.ckpt"]


def test_default_root_dir_and_enable_autolog_hparams_leave_the_record_as_it_is(
    tmp_path: Path,
) -> None:
    options = {"default_root_dir": tmp_path / "other"}
    if "enable_autolog_hparams" in signature(pl.Trainer).parameters:  # not in Lightning 2.5
        options["enable_autolog_hparams"] = False
    trainer = start(TinyTrainer, tmp_path / "root", 1, **options)

    trainer.train()

    assert trainer.lightning_trainer.default_root_dir == str(tmp_path / "other")
    assert not (tmp_path / "other").exists()
    written = json.loads(trainer.experiment.paths.manifest.read_text())
    assert written["params"]["epoch"] == 1
