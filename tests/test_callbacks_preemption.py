"""SaverCallback: signals end a training with a checkpoint, and leave all else as it was."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from lightning_fabric.plugins.environments import SLURMEnvironment
from saving_helpers import (
    At,
    Validated,
    fit,
    keep_all,
    loader,
    make_trainer,
    saved_at,
    sending,
    steps,
)

from thexp_pl import RunLogger
from thexp_pl.callbacks import SaverCallback, preemption
from thexp_pl.record.metrics import read_metrics
from thexp_pl.saver import Saver

TAKEN = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)


@pytest.fixture(autouse=True)
def none_of_ours_stays() -> Iterator[None]:
    yield
    for number in TAKEN:
        handler = signal.getsignal(number)
        assert not isinstance(getattr(handler, "__self__", None), preemption.Signals)


def ended_by(number: signal.Signals, folder: Path, batch: int = 3, **options: Any) -> Any:
    """Train until a signal comes in a batch, and give what ended the training."""
    saver = options.pop("saver", None) or keep_all()
    with pytest.raises(SystemExit) as ended:
        fit(folder, At(batch, sending(number)), saver, **options)
    return ended.value


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGUSR1, 138), (signal.SIGINT, 1)]
)
@pytest.mark.parametrize("batch", [3, 5, 10])
def test_a_signal_ends_the_training_after_the_batch_with_a_checkpoint(
    number: signal.Signals, code: int, batch: int, tmp_path: Path
) -> None:
    assert ended_by(number, tmp_path, batch, validate=True).code == code

    assert steps(tmp_path)[-1] == batch
    assert not list((tmp_path / "modules").glob("emergency*"))
    whole = fit(tmp_path / "whole", validate=True, max_epochs=3)
    resumed = fit(tmp_path, validate=True, max_epochs=3, ckpt_path=saved_at(tmp_path, batch))
    assert torch.equal(resumed.layer.weight, whole.layer.weight)


@pytest.mark.parametrize("number", TAKEN)
def test_the_record_says_which_signal_it_was_and_has_all_that_was_logged(
    number: signal.Signals, tmp_path: Path
) -> None:
    logger = RunLogger(tmp_path, "signals", board=False, code=False)

    ended_by(number, tmp_path, logger=logger)

    paths = logger.experiment.paths
    manifest = json.loads(paths.manifest.read_text())
    assert manifest["status"] == "interrupted"
    if number != signal.SIGINT:
        assert manifest["cause"]["signal"] == number.name
    rows = [row for row in read_metrics(paths.metrics).rows() if row[3] == "loss_step"]
    assert [row[0] for row in rows] == [0, 1, 2]
    assert [path.name for path in Saver(paths.folder / "modules").find_checkpoints()] == [
        "0000000.ckpt"
    ]


def test_a_signal_in_the_midst_of_an_accumulation_waits_for_its_end(tmp_path: Path) -> None:
    ended_by(signal.SIGTERM, tmp_path, accumulate_grad_batches=2)

    assert steps(tmp_path) == [4]


def test_a_signal_in_a_validation_waits_for_its_end(tmp_path: Path) -> None:
    class Signal(pl.Callback):
        def on_validation_batch_end(self, trainer, *args):
            if trainer.fit_loop.total_batch_idx == 1:
                os.kill(os.getpid(), signal.SIGTERM)

    module = Validated()
    trainer = make_trainer(tmp_path, Signal(), keep_all(), val_check_interval=2)
    with pytest.raises(SystemExit):
        trainer.fit(module, loader(), loader(2, shuffle=False))

    assert steps(tmp_path) == [2]
    assert module.events == ["train 0.0", "train 0.1", "validate 0.0", "validate 0.1"]


def test_a_signal_while_the_end_is_saved_ends_the_process_afterwards(tmp_path: Path) -> None:
    class Signal(pl.Callback):
        def on_train_end(self, *args):
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(SystemExit) as ended:
        fit(tmp_path, Signal(), keep_all())

    assert ended.value.code == 143
    assert steps(tmp_path) == [5, 10]
    assert [path.name for path in Saver(tmp_path / "modules").find_models()] == [
        "model.0000002.pth"
    ]


def test_once_all_is_saved_a_signal_is_no_business_of_ours(tmp_path: Path) -> None:
    class Late(Validated):
        def on_train_end(self) -> None:  # after the callbacks
            os.kill(os.getpid(), signal.SIGINT)
            self.events.append("went on")

    module = Late()
    with pytest.raises(SystemExit):
        make_trainer(tmp_path, keep_all()).fit(module, loader(), loader(2))

    assert module.events[-1] != "went on"


def test_a_second_ctrl_c_acts_at_once(tmp_path: Path) -> None:
    passed = []

    def twice() -> None:
        sending(signal.SIGINT, times=2)()
        passed.append("the second one")

    with pytest.raises(SystemExit):
        fit(tmp_path, At(3, twice), keep_all())

    assert not passed
    assert not list((tmp_path / "modules").glob("*.ckpt"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_process_that_the_training_forks_leaves_signals_to_it(
    number: signal.Signals, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    ended = []

    def forked() -> None:
        child = os.fork()
        if child == 0:
            with contextlib.suppress(KeyboardInterrupt):
                signal.raise_signal(number)
                signal.raise_signal(number)
                os._exit(0)
            os._exit(1)
        ended.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))

    fit(tmp_path, At(3, forked), keep_all())

    assert ended == [-number if number == signal.SIGTERM else 0]
    assert "once more" not in capfd.readouterr().err
    assert steps(tmp_path)[-1] == 10  # the training went on


def test_two_sigterms_within_a_second_are_one_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert preemption._ONE_REQUEST_SECONDS == 1.0
    # a busy machine may let a second pass between two lines
    monkeypatch.setattr(preemption, "_ONE_REQUEST_SECONDS", 60.0)

    with pytest.raises(SystemExit) as ended:
        fit(tmp_path, At(3, sending(signal.SIGTERM, times=2)), keep_all())

    assert ended.value.code == 143
    assert steps(tmp_path) == [3]


def test_a_second_sigterm_later_on_acts_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preemption, "_ONE_REQUEST_SECONDS", -1.0)

    with pytest.raises(SystemExit) as ended:
        fit(tmp_path, At(3, sending(signal.SIGTERM, times=2)), keep_all())

    assert ended.value.code == 143
    assert steps(tmp_path) == []


@pytest.mark.parametrize("number", TAKEN)
def test_the_handler_of_a_user_is_called_once_the_checkpoint_is_written(
    number: signal.Signals, tmp_path: Path
) -> None:
    found: list[list[int]] = []
    before = signal.signal(number, lambda *_: found.append(steps(tmp_path)))
    try:
        if number == signal.SIGTERM:
            assert ended_by(number, tmp_path).code == 143
            assert steps(tmp_path) == [3]
        else:  # it is theirs to say whether the training ends
            fit(tmp_path, At(3, sending(number)), At(7, sending(number)), keep_all())
            assert steps(tmp_path) == [3, 5, 7, 10]
    finally:
        signal.signal(number, before)

    assert found == ([[3]] if number == signal.SIGTERM else [[3], [3, 5, 7]])


@pytest.mark.parametrize("fails", [False, True])
def test_the_handlers_are_the_same_after_a_fit(fails: bool, tmp_path: Path) -> None:
    before = [signal.getsignal(number) for number in TAKEN]

    with pytest.raises(ZeroDivisionError) if fails else contextlib.nullcontext():
        fit(tmp_path, At(3, lambda: 1 / 0 if fails else None), keep_all())

    assert [signal.getsignal(number) for number in TAKEN] == before


def test_slurms_requeueing_comes_once_the_checkpoint_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "scontrol.log"
    command = tmp_path / "bin" / "scontrol"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nls "{tmp_path}/modules" > "{log}"; echo "$@" >> "{log}"\n')
    command.chmod(0o755)
    monkeypatch.setenv("PATH", str(command.parent), prepend=os.pathsep)
    for name, value in {"NTASKS": 1, "JOB_ID": 7, "LOCALID": 0, "PROCID": 0, "NODEID": 0}.items():
        monkeypatch.setenv(f"SLURM_{name}", str(value))
    plugins = [SLURMEnvironment(auto_requeue=True)]

    fit(tmp_path, At(3, sending(signal.SIGUSR1)), keep_all(), plugins=plugins)

    assert "0000000.ckpt.json\n" in log.read_text()
    assert log.read_text().endswith("requeue 7\n")
    assert steps(tmp_path) == [3, 5, 10]


def test_a_signal_that_is_ignored_stays_ignored(tmp_path: Path) -> None:
    before = signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    try:
        fit(tmp_path, At(3, sending(signal.SIGUSR1)), keep_all())
    finally:
        signal.signal(signal.SIGUSR1, before)

    assert steps(tmp_path) == [5, 10]


def test_without_on_signal_lightning_decides(tmp_path: Path) -> None:
    saver = keep_all(on_signal=False, emergency=False)

    assert ended_by(signal.SIGTERM, tmp_path, saver=saver).code is None

    assert steps(tmp_path) == []


def test_another_process_is_ended_by_sigterm_with_a_checkpoint_and_its_status(
    tmp_path: Path,
) -> None:
    context = multiprocessing.get_context("fork")
    reached = context.Event()
    process = context.Process(target=_train_for_ever, args=(tmp_path, reached))
    process.start()
    try:
        assert reached.wait(180)
        os.kill(process.pid, signal.SIGTERM)
        process.join(180)
        assert process.exitcode == 143
    finally:
        process.kill()
        process.join(180)

    (folder,) = (tmp_path / "signals").glob("*-*")
    manifest = json.loads((folder / "run.json").read_text())
    assert (manifest["status"], manifest["cause"]["signal"]) == ("interrupted", "SIGTERM")
    (path,) = Saver(folder / "modules").find_checkpoints()
    assert Saver(folder / "modules").load_state_dict(path)[0]["global_step"] >= 3


def _train_for_ever(folder: Path, reached: Any) -> None:
    os.environ["THEXP_HOME"] = str(folder)
    sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115, PTH123 - until the process ends
    logger = RunLogger(folder, "signals", board=False, code=False)
    saver = SaverCallback(every_n_epochs=None)
    fit(folder, At(3, reached.set), saver, logger=logger, max_epochs=-1)
