"""The record that a facade training leaves, however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pytorch_lightning.loggers import CSVLogger
from trainer_helpers import (
    BATCHES,
    EvalTrainer,
    TinyTrainer,
    ended_runs,  # noqa: F401 - a fixture of every test here
    manifest,
    metrics_of,
    start,
)

from thexp_pl import ExperimentViewer, Params, RunLogger
from thexp_pl.errors import TrainerError
from thexp_pl.record.journal import read_journal
from thexp_pl.runs.keys import find_run


class Named(EvalTrainer):
    def initial_trainer(self, params: Params) -> None:
        super().initial_trainer(params)
        params.width = 8


def test_a_finished_training_leaves_its_settings_status_and_metrics(tmp_path: Path) -> None:
    params = Params()
    params.epoch, params.device = 2, "cpu"
    params.optim_option(lr=0.1)
    params.build_exp_name("named", "optim.lr")
    trainer = Named(params)
    trainer.initial_exp(tmp_path)
    assert find_run([tmp_path], "@last").status == "running"

    trainer.train()
    trainer.experiment.end_exp()

    assert trainer.experiment.path.parent == tmp_path / "named_optim.lr=0.1"
    written = manifest(trainer)
    assert written["status"] == "finished"
    assert written["params"] == {"epoch": 2, "device": "cpu", "optim": {"lr": 0.1}, "width": 8}
    assert {"loss", "eval_loss", "test_loss"} <= written["metrics"].keys()
    assert ExperimentViewer([tmp_path]).list() == [trainer.experiment.key]


def test_metrics_hold_epoch_means_steps_evaluations_and_tests(tmp_path: Path) -> None:
    trainer = start(EvalTrainer, tmp_path, 3, log_every_n_steps=7)

    trainer.train()
    trainer.test()

    rows = metrics_of(trainer.experiment)
    ends = [(BATCHES - 1, 0), (2 * BATCHES - 1, 1), (3 * BATCHES - 1, 2)]
    assert rows.keys() == {"loss", "loss_step", "eval_loss", "test_loss"}
    assert [row[:2] for row in rows["loss"]] == ends
    assert [row[:2] for row in rows["eval_loss"]] == ends
    assert [row[:2] for row in rows["test_loss"]] == [ends[-1]] * 2  # the end's, and test()
    assert [row[:2] for row in rows["loss_step"]] == [(6, 1), (13, 2)]
    assert rows["eval_loss"][-1][2] == pytest.approx(rows["test_loss"][-1][2])


def test_the_experiment_is_named_after_the_class_or_as_initial_exp_says(tmp_path: Path) -> None:
    trainer = start(TinyTrainer, tmp_path)
    other = TinyTrainer(trainer.params)
    other.initial_exp(tmp_path, "实验 1")
    other.experiment.end_exp()

    assert trainer.experiment.name == "TinyTrainer"
    assert other.experiment.path.parent == tmp_path / "实验 1"


def test_loading_and_saving_are_in_the_journal(tmp_path: Path) -> None:
    first = start(TinyTrainer, tmp_path)
    path = first.save_checkpoint()
    second = start(TinyTrainer, tmp_path)
    second.load_checkpoint(path)
    second.load_model(path)
    second.experiment.end_exp()

    events = read_journal(second.experiment.paths.journal)
    assert [(e["event"], e["path"]) for e in events if e["event"] in ("resume", "load")] == [
        ("load", str(path)),
        ("load", str(path)),
    ]


def test_another_logger_records_beside_the_run(tmp_path: Path) -> None:
    other = CSVLogger(tmp_path / "csv")
    trainer = start(EvalTrainer, tmp_path / "root", 1, logger=other)

    trainer.train()

    header = (Path(other.log_dir) / "metrics.csv").read_text().splitlines()[0].split(",")
    assert {"epoch", "step", "loss", "eval_loss", "test_loss"} <= set(header)
    assert "loss" in metrics_of(trainer.experiment)


@pytest.mark.parametrize("as_list", [True, False])
def test_a_run_logger_of_ones_own_is_refused_and_starts_no_second_run(
    as_list: bool, tmp_path: Path
) -> None:
    logger = RunLogger(tmp_path)

    with pytest.raises(TrainerError, match=r"^logger: the facade Trainer records its run"):
        TinyTrainer(Params(), logger=[logger] if as_list else logger)

    assert list(tmp_path.iterdir()) == []


# -- the end -------------------------------------------------------------------------------------


class Raising(TinyTrainer):
    error: BaseException

    def train_batch(self, *args: Any) -> Any:
        if args[2] == 2:
            raise type(self).error
        return super().train_batch(*args)


def raising(error: BaseException) -> type[Raising]:
    return type("Raising", (Raising,), {"error": error})


def test_an_exception_in_train_batch_comes_out_and_fails_the_run_with_its_traceback(
    tmp_path: Path,
) -> None:
    error = LookupError("on purpose")
    trainer = start(raising(error), tmp_path)

    with pytest.raises(LookupError) as caught:
        trainer.train()

    assert caught.value is error
    assert manifest(trainer)["status"] == "failed"
    assert manifest(trainer)["cause"]["type"] == "LookupError"
    trace = trainer.experiment.paths.traceback.read_text()
    assert "in train_batch" in trace
    assert trace.rstrip().endswith("LookupError: on purpose")


def test_ctrl_c_interrupts_the_run_and_a_second_one_still_works(tmp_path: Path) -> None:
    trainer = start(raising(KeyboardInterrupt()), tmp_path)
    handler = signal.getsignal(signal.SIGINT)

    with pytest.raises(SystemExit):  # Lightning's way out
        trainer.train()

    assert manifest(trainer)["status"] == "interrupted"
    assert signal.getsignal(signal.SIGINT) is handler


@pytest.mark.parametrize("method", ["initial_trainer", "initial_callback"])
def test_an_exception_while_the_run_begins_fails_it(method: str, tmp_path: Path) -> None:
    def fail(self: Any, *args: Any) -> None:
        raise ValueError("on purpose")

    broken = type("Broken", (TinyTrainer,), {method: fail})(Params())

    with pytest.raises(ValueError, match="on purpose"):
        broken.initial_exp(tmp_path)

    assert find_run([tmp_path], "@last").status == "failed"


def test_an_option_that_lightning_refuses_begins_no_run(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="max_steps"):
        start(TinyTrainer, tmp_path, max_steps=-5)

    assert not list(tmp_path.iterdir())


SCRIPT = """
import os, signal, sys
sys.path.insert(0, {tests!r})
from pathlib import Path
from trainer_helpers import TinyTrainer, start

class Ending(TinyTrainer):
    def train_batch(self, eidx, idx, *rest):
        if (eidx, idx) == (2, 1):
            {ending}
        return super().train_batch(eidx, idx, *rest)

start(Ending, Path("root")).train()
"""


@pytest.mark.parametrize(
    ("ending", "code", "status"),
    [
        ("pass", 0, "finished"),
        ("os.kill(os.getpid(), signal.SIGTERM)", None, "interrupted"),
    ],
)
def test_a_process_that_ends_or_is_told_to_leaves_its_status(
    ending: str, code: int | None, status: str, tmp_path: Path
) -> None:
    script = SCRIPT.format(tests=str(Path(__file__).parent), ending=ending)
    environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
    ended = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )

    run = find_run([tmp_path / "root"], "@last")
    assert run.status == status, ended.stderr
    assert code in (None, ended.returncode)
    if status == "interrupted":
        assert run.manifest["cause"]["signal"] == "SIGTERM"
