"""Every option of the Lightning Trainer works on a facade run, or is refused in one line."""

from __future__ import annotations

import inspect
import logging
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
from lightning_fabric.plugins.environments import LightningEnvironment
from pytorch_lightning.loggers import CSVLogger
from pytorch_lightning.plugins import MixedPrecision
from pytorch_lightning.profilers import SimpleProfiler
from pytorch_lightning.strategies import (
    DDPStrategy,
    ModelParallelStrategy,
    SingleDeviceStrategy,
    StrategyRegistry,
)
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import fp16_compress_hook
from trainer_helpers import TinyTrainer

from thexp_pl import Params, RunLogger
from thexp_pl.errors import TrainerError
from thexp_pl.trainer.asked.options import check_options, refuse_strategy

# what works, and the file whose tests show it
WORKS = {
    **dict.fromkeys(
        ["limit_train_batches", "max_steps", "fast_dev_run", "max_epochs", "limit_val_batches"],
        "test_trainer_progress.py",
    ),
    **dict.fromkeys(
        ["min_epochs", "min_steps", "max_time", "overfit_batches", "limit_predict_batches"],
        "test_trainer_options_work.py",
    ),
    **dict.fromkeys(
        ["log_every_n_steps", "deterministic", "benchmark", "inference_mode", "detect_anomaly"],
        "test_trainer_options_work.py",
    ),
    **dict.fromkeys(
        ["enable_progress_bar", "enable_model_summary", "enable_checkpointing", "precision"],
        "test_trainer_options_work.py",
    ),
    **dict.fromkeys(
        ["default_root_dir", "enable_autolog_hparams", "plugins", "limit_test_batches"],
        "test_trainer_options_work.py",
    ),
    "profiler": "test_trainer_whole.py",
    "callbacks": "test_trainer_whole.py",
    "logger": "test_trainer_recording.py",
    "accelerator": "test_trainer_members.py",
    "devices": "test_trainer_members.py",
    # with several devices
    **dict.fromkeys(["strategy", "num_nodes", "use_distributed_sampler"], ""),
}
# what is refused: a value, and what to do in its place
REFUSED: dict[str, tuple[Any, str]] = {
    "accumulate_grad_batches": (4, "every n-th idx"),
    "gradient_clip_val": (0.5, "clip_grad"),
    "gradient_clip_algorithm": ("value", "clip_value="),
    "check_val_every_n_epoch": (2, "EvalCallback"),
    "val_check_interval": (1, "EvalCallback"),  # one batch
    "num_sanity_val_steps": (2, r"call eval\(\) before train\(\)"),
    "reload_dataloaders_every_n_epochs": (1, r"regist_databundler\(train=\.\.\.\)"),
    "sync_batchnorm": (True, "convert_sync_batchnorm"),
    "barebones": (True, "use pytorch_lightning.Trainer"),
    "model_registry": ("name", "callbacks="),
}
OPTIONS = [name for name in inspect.signature(pl.Trainer.__init__).parameters if name != "self"]


@pytest.mark.parametrize("option", OPTIONS)
def test_each_option_of_the_installed_lightning_is_decided(option: str) -> None:
    assert (option in WORKS) != (option in REFUSED)
    home = WORKS.get(option)
    if home:
        assert option in (Path(__file__).parent / home).read_text()


@pytest.mark.parametrize("option", [one for one in REFUSED if one in OPTIONS])
def test_an_option_that_would_have_no_effect_is_refused_with_the_way_out(option: str) -> None:
    value, instead = REFUSED[option]

    with pytest.raises(TrainerError, match=rf"\A{option}={value!r} is not for[^\n]*{instead}"):
        TinyTrainer(Params(), **{option: value})


@pytest.mark.parametrize("option", [one for one in REFUSED if one in OPTIONS])
def test_lightnings_own_default_of_such_an_option_is_taken(option: str) -> None:
    default = inspect.signature(pl.Trainer.__init__).parameters[option].default

    check_options({option: default})


@pytest.mark.parametrize("value", [timedelta(hours=1), "00:01:00:00", 0.5, 100])
def test_no_form_of_val_check_interval_passes(value: Any) -> None:
    with pytest.raises(TrainerError, match=r"\Aval_check_interval=[^\n]*EvalCallback[^\n]*\Z"):
        TinyTrainer(Params(), val_check_interval=value)


def test_a_misspelt_option_is_named_with_the_near_miss() -> None:
    with pytest.raises(TrainerError, match=r"\A'max_step' is no option [^\n]*'max_steps'\?\Z"):
        TinyTrainer(Params(), max_step=3)


@pytest.mark.parametrize(
    ("option", "value", "reason"),
    [
        ("profiler", "simpel", "it can only be one of .*; did you mean 'simple'?"),
        ("precision", "bf16-mxed", "is invalid.*; did you mean 'bf16-mixed'?"),
        ("plugins", "foo", "is no object of a pytorch_lightning plugin"),
        ("plugins", [MixedPrecision], "MixedPrecision is a class; give MixedPrecision"),
        ("logger", "foo", "is no object of a pytorch_lightning Logger"),
        ("logger", [CSVLogger], "CSVLogger is a class; give CSVLogger"),
        ("limit_train_batches", 2.5, "it has to be in "),
        ("overfit_batches", -1, "it has to be in "),
        ("max_time", "an hour", "is not a valid duration"),
        ("max_steps", "many", "."),
        ("fast_dev_run", -1, "should be >= 0"),
    ],
)
def test_a_value_that_lightning_would_refuse_is_told_in_one_line_before_a_run_begins(
    option: str, value: Any, reason: str
) -> None:
    with pytest.raises(TrainerError, match=rf"\A{option}[=:][^\n]*{reason}[^\n]*\Z"):
        TinyTrainer(Params(), **{option: value})


def test_a_precision_that_is_said_twice_is_refused_in_one_line() -> None:
    plugin = MixedPrecision("bf16-mixed", "cpu")

    with pytest.raises(TrainerError, match=r"\Aprecision: precision=32 and MixedPrecision[^\n]*\Z"):
        TinyTrainer(Params(), precision=32, plugins=plugin)
    with pytest.raises(TrainerError, match=r"\Aprecision: MixedPrecision and Mixed[^\n]*\Z"):
        TinyTrainer(Params(), plugins=[plugin, plugin])


@pytest.mark.parametrize(
    "options",
    [
        {"profiler": SimpleProfiler(), "max_time": timedelta(hours=1), "max_steps": -1},
        {"precision": 64, "limit_val_batches": 0.5, "fast_dev_run": True},
        {"logger": True, "plugins": [LightningEnvironment()]},
        {"logger": [CSVLogger("."), False], "plugins": LightningEnvironment()},
    ],
)
def test_values_that_lightning_takes_pass_without_a_word(
    options: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    speakers = [logging.getLogger(name) for name in ("pytorch_lightning", "lightning_fabric")]
    for speaker in speakers:
        speaker.addHandler(caplog.handler)
    TinyTrainer(Params(), **options)
    for speaker in speakers:
        speaker.removeHandler(caplog.handler)

    assert caplog.messages == []


def test_trying_a_value_asks_no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("SLURM_NTASKS", "2"), ("SLURM_JOB_NAME", "job"), ("SLURM_PROCID", "1")):
        monkeypatch.setenv(name, value)
    before = dict(os.environ)

    TinyTrainer(Params(), precision="bf16-mixed")

    assert dict(os.environ) == before


def test_a_run_logger_among_several_loggers_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainerError, match=r"\Alogger: the facade Trainer records[^\n]*\Z"):
        TinyTrainer(Params(), logger=[RunLogger(tmp_path)])


# -- strategies ----------------------------------------------------------------------------------


DDP = [name for name in StrategyRegistry if name.startswith("ddp")]


@pytest.mark.parametrize("strategy", [None, "auto", "single_device", *DDP, DDPStrategy()])
def test_the_ddp_family_and_one_device_are_let_through(strategy: Any) -> None:
    refuse_strategy(strategy, devices=1)


@pytest.mark.parametrize("devices", [2, "2", [0, 1], -1])
def test_several_devices_are_let_through_where_the_strategy_can_have_them(devices: Any) -> None:
    refuse_strategy("ddp", devices, num_nodes=2)
    refuse_strategy(None, devices)
    with pytest.raises(TrainerError, match=r"\Astrategy='single_device' contradicts devices="):
        refuse_strategy("single_device", devices)


@pytest.mark.parametrize("name", sorted({*StrategyRegistry} - {*DDP, "single_device"}))
def test_every_other_strategy_of_lightnings_is_refused_with_the_reason(name: str) -> None:
    with pytest.raises(TrainerError, match=rf"\Astrategy='{name}' is not for[^\n]*: it[^\n]*'ddp'"):
        TinyTrainer(Params(), strategy=name, devices=2)


class Own(DDPStrategy):
    pass


@pytest.mark.parametrize(
    ("strategy", "reason"),
    [
        ("dp", "Lightning has it no more"),
        ("dpp", "is unknown; did you mean 'ddp'"),
        ("DDP", "is unknown; did you mean 'ddp'"),
        ("horovod", "is unknown; use 'ddp' or leave it out"),
        ("", "is unknown; use 'ddp' or leave it out"),
        (ModelParallelStrategy(), "a ModelParallelStrategy is not for .*nothing would shard them"),
        (SingleDeviceStrategy(), "a SingleDeviceStrategy is not for .*has its own for it"),
        (Own(), "the methods of a Own would have no effect"),
        (DDPStrategy(ddp_comm_hook=fp16_compress_hook), "communication hooks"),
        (DDPStrategy(model_averaging_period=5), "model averaging"),
        (2, "a int is not for the facade Trainer"),
    ],
)
def test_a_strategy_that_cannot_be_meant_is_refused_in_one_line(strategy: Any, reason: str) -> None:
    with pytest.raises(TrainerError, match=rf"\Astrategy[^\n]*{reason}[^\n]*\Z"):
        TinyTrainer(Params(), strategy=strategy)


def test_strategies_that_need_other_packages_are_refused_by_their_class() -> None:
    class DeepSpeedStrategy(pl.strategies.Strategy):  # the real one asks for deepspeed
        __abstractmethods__ = frozenset()

        def __init__(self) -> None:
            pass

    DeepSpeedStrategy.__abstractmethods__ = frozenset()
    with pytest.raises(TrainerError, match=r"a DeepSpeedStrategy is not for .*its engine runs"):
        refuse_strategy(DeepSpeedStrategy())
