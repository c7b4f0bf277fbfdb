"""KeyErrorSave: Ctrl-C saves a keypoint of the moment, and a terminal decides what follows."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest
from terminal_helpers import (
    Answers,
    answering,  # noqa: F401 - fixtures
    batch_job,  # noqa: F401
    interrupts,  # noqa: F401
)
from trainer_helpers import (
    PlainModule,
    TinyTrainer,
    ended_runs,  # noqa: F401 - a fixture of every test here
    lightnings_own_warnings,
    make_loader,
    manifest,
    plain_trainer,
    same_weights,
    start,
    weights_of,
)

from thexp_pl import RunLogger
from thexp_pl.callbacks import KeyErrorSave, MeterCallback, RndCallback, SaverCallback
from thexp_pl.errors import UsageError

CTRL_D = "\x04"


class Interrupted(TinyTrainer):
    """Somebody presses Ctrl-C in the third batch of the second epoch."""

    times = 1

    def initial_callback(self) -> None:
        KeyErrorSave().hook(self)

    def train_batch(self, eidx, idx, *args):
        if (eidx, idx) == (2, 2):
            for _ in range(self.times):
                signal.raise_signal(signal.SIGINT)
        return super().train_batch(eidx, idx, *args)


def interrupted(trainer: Any) -> None:
    with pytest.raises((SystemExit, KeyboardInterrupt)):
        trainer.train()


def keypoints(trainer: Any) -> list[tuple[str, int, str]]:
    """Give the name, the number of batches and the reason of each keypoint."""
    found = []
    for path in trainer.saver.find_keypoints():
        sidecar = json.loads(Path(f"{path}.json").read_text())
        found.append((path.name, sidecar["_record"]["step"], sidecar["reason"]))
    return found


def goes_on_exactly(trainer: Any, root: Path) -> bool:
    """Say whether a training from the keypoint ends where an undisturbed one does."""
    whole, again = start(TinyTrainer, root / "whole", 3), start(TinyTrainer, root / "again", 3)
    whole.train()
    again.load_keypoint(trainer.saver.find_keypoints()[0])
    again.train()
    return same_weights(weights_of(whole), weights_of(again))


def test_in_a_batch_job_it_saves_says_so_and_ends(
    tmp_path: Path,
    batch_job: None,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    trainer = start(Interrupted, tmp_path, 3)

    interrupted(trainer)

    assert keypoints(trainer) == [("keep.0000001.ckpt", 8, "Ctrl-C")]
    assert manifest(trainer)["status"] == "interrupted"
    assert capsys.readouterr().out.count("nobody can be asked here, so the training ends") == 1
    assert not list(trainer.saver.dir.glob("emergency*"))
    assert goes_on_exactly(trainer, tmp_path)


@pytest.mark.parametrize("answer", ["y\n", " YES \n"])
def test_at_a_terminal_yes_goes_on_as_if_nothing_had_been(
    answer: str,
    tmp_path: Path,
    answering: Answers,  # noqa: F811
) -> None:
    answering(answer)
    trainer, whole = start(Interrupted, tmp_path, 3), start(TinyTrainer, tmp_path, 3)

    trainer.train()
    whole.train()

    assert same_weights(weights_of(trainer), weights_of(whole))
    assert keypoints(trainer) == [("keep.0000001.ckpt", 8, "Ctrl-C")]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("answer", ["n\n", "\n", CTRL_D])
def test_at_a_terminal_any_other_answer_ends_the_training(
    answer: str,
    tmp_path: Path,
    answering: Answers,  # noqa: F811
    capfd: pytest.CaptureFixture[str],
) -> None:
    answering(answer)
    trainer = start(Interrupted, tmp_path, 3)

    interrupted(trainer)

    # whether the training ends is asked only afterwards
    assert "Ctrl-C: a checkpoint is saved after this batch" in capfd.readouterr().err
    assert manifest(trainer)["status"] == "interrupted"
    assert goes_on_exactly(trainer, tmp_path)


def test_each_ctrl_c_that_is_answered_yes_is_asked_anew(
    tmp_path: Path,
    answering: Answers,  # noqa: F811
) -> None:
    class Twice(Interrupted):
        def train_batch(self, eidx, idx, *args):
            if (eidx, idx) == (3, 0):
                signal.raise_signal(signal.SIGINT)
            return super().train_batch(eidx, idx, *args)

    answering("y\n", "y\n")
    trainer = start(Twice, tmp_path, 3)

    trainer.train()

    assert [step for _, step, _ in keypoints(trainer)] == [8, 11]


def test_a_second_ctrl_c_ends_it_at_once_without_a_question(
    tmp_path: Path,
    answering: Answers,  # noqa: F811
) -> None:
    answering("y\n")
    trainer = start(type("Hurried", (Interrupted,), {"times": 2}), tmp_path, 3)

    interrupted(trainer)

    assert trainer.lightning_trainer.global_step == 7
    assert keypoints(trainer) == []


@lightnings_own_warnings
def test_it_works_in_a_plain_lightning_trainer(
    tmp_path: Path,
    answering: Answers,  # noqa: F811
) -> None:
    class Module(PlainModule):
        def training_step(self, batch: Any, batch_idx: int) -> Any:
            if batch_idx == 2:
                signal.raise_signal(signal.SIGINT)
            return super().training_step(batch, batch_idx)

    answering("y\n", "n\n")
    saver = SaverCallback()
    trainer = plain_trainer(
        logger=RunLogger(tmp_path, "plain", code=False, console=False),
        callbacks=[MeterCallback(), RndCallback(), saver, KeyErrorSave()],
        max_epochs=5,
        enable_checkpointing=True,
    )

    with pytest.raises((SystemExit, KeyboardInterrupt)):
        trainer.fit(Module(), make_loader())

    assert trainer.current_epoch == 1
    assert saver.saver is not None
    assert [path.name for path in saver.saver.find_keypoints()] == [
        "keep.0000000.ckpt",
        "keep.0000001.ckpt",
    ]


@lightnings_own_warnings
@pytest.mark.parametrize("callbacks", [[], [SaverCallback(on_signal=False)]])
def test_without_a_saver_callback_that_takes_signals_it_is_refused(
    callbacks: list[Any], tmp_path: Path
) -> None:
    trainer = plain_trainer(
        callbacks=[KeyErrorSave(), *callbacks],
        max_epochs=1,
        default_root_dir=tmp_path,
        enable_checkpointing=bool(callbacks),
    )

    with pytest.raises(UsageError, match=r"^KeyErrorSave saves with the SaverCallback, and there"):
        trainer.fit(PlainModule(), make_loader())

    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
