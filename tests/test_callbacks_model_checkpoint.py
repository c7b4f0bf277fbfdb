"""ModelCheckpoint: which epoch's checkpoint is kept as the best, beside the newest ones."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from trainer_helpers import (
    TinyTrainer,
    ended_runs,  # noqa: F401 - a fixture of every test here
    lightnings_own_warnings,
    make_loader,
    plain_trainer,
    start,
)

from thexp_pl import Params, RunLogger
from thexp_pl.callbacks import (
    EvalCallback,
    ModelCheckpoint,
    SaverCallback,
    TimingCheckpoint,
)
from thexp_pl.errors import UsageError


class Scored(TinyTrainer):
    """Its evaluations give what is said here, epoch by epoch."""

    scores = (3.0, 1.0, 2.0, 5.0, 4.0, 4.5)
    hooked: tuple[Any, ...] = ()

    def initial_callback(self) -> None:
        EvalCallback(1, 0).hook(self)
        for callback in self.hooked:
            callback.hook(self)

    def test_eval_logic(self, dataloader: Any, params: Params) -> dict[str, float]:
        return {"score": self.scores[params.eidx - 1]}


def trained(root: Path, *callbacks: Any, **options: Any) -> Any:
    kind = type("Hooked", (Scored,), {"hooked": callbacks})
    trainer = start(kind, root, 6, **options)
    trainer.train()
    return trainer


def kept(trainer: Any) -> list[int]:
    saver = trainer.saver
    return [saver.checkpoint_info(path)["eidx"] for path in saver.find_checkpoints()]


@pytest.mark.parametrize(
    ("options", "best"),
    [
        ({}, 2),
        ({"mode": "min"}, 2),
        ({"lower": True}, 2),
        ({"mode": "min", "lower": True}, 2),
        ({"mode": "max"}, 4),
        ({"lower": False}, 4),
        ({"start_epoch": 3}, 3),
        ({"start_epoch": 5}, 5),
        ({"lower": False, "start_epoch": 5}, 6),
    ],
)
def test_the_best_epoch_from_the_first_that_counts_on_stays_beside_the_newest(
    options: dict[str, Any], best: int, tmp_path: Path
) -> None:
    callback = ModelCheckpoint("eval_score", max_to_keep=2, **options)

    trainer = trained(tmp_path, callback)

    assert kept(trainer) == sorted({best, 5, 6})
    info = trainer.load_checkpoint("best")
    assert (info["eidx"], info["eval_score"]) == (best, Scored.scores[best - 1])
    assert Path(callback.best_model_path).name == f"{best:07}.ckpt"


def test_an_epoch_before_the_first_that_counts_is_not_the_best_after_going_on(
    tmp_path: Path,
) -> None:
    trainer = trained(tmp_path, ModelCheckpoint("eval_score", start_epoch=3))
    again = start(
        type("Hooked", (Scored,), {"hooked": (ModelCheckpoint("eval_score", start_epoch=3),)}),
        tmp_path / "again",
        6,
    )
    again.load_checkpoint(trainer.saver.find_checkpoints()[0])

    again.train()

    assert again.load_checkpoint("best")["eidx"] in (5, 6)


@lightnings_own_warnings
def test_it_works_in_a_plain_lightning_trainer(tmp_path: Path) -> None:
    from pytorch_lightning import LightningModule  # noqa: F401 - what the test is about
    from trainer_helpers import PlainModule

    from thexp_pl.callbacks import MeterCallback, RndCallback

    logger = RunLogger(tmp_path, "plain", code=False, console=False)
    best = ModelCheckpoint("loss", max_to_keep=1, mode="max")
    callbacks = [MeterCallback(), RndCallback(), best]
    trainer = plain_trainer(
        logger=logger, callbacks=callbacks, max_epochs=4, enable_checkpointing=True
    )

    trainer.fit(PlainModule(), make_loader())

    assert Path(best.best_model_path).name == "0000001.ckpt"  # the loss only falls
    assert [path.name for path in best.saver.find_checkpoints()] == ["0000001.ckpt", "0000004.ckpt"]


# -- together with the others --------------------------------------------------------------------


def test_with_a_timing_checkpoint_and_a_saver_callback_one_does_it_all(tmp_path: Path) -> None:
    hooked = (
        TimingCheckpoint(4),
        SaverCallback(max_to_keep=1),
        ModelCheckpoint("eval_score", lower=False),
    )

    trainer = trained(tmp_path, *hooked)

    callbacks = trainer.lightning_trainer.callbacks
    assert [one for one in callbacks if isinstance(one, SaverCallback)] == [hooked[2]]
    assert kept(trainer) == [4, 6]
    assert [path.name for path in trainer.saver.find_keypoints()] == ["keep.0000004.ckpt"]


def test_options_of_the_constructor_join_with_what_is_hooked(tmp_path: Path) -> None:
    given = [TimingCheckpoint(3)]

    trainer = trained(tmp_path, ModelCheckpoint("eval_score"), callbacks=given)

    assert len(trainer.saver.find_keypoints()) == 2
    assert trainer.load_checkpoint("best")["eidx"] == 2


def test_one_hooked_between_two_trainings_joins_the_one_that_saves(tmp_path: Path) -> None:
    trainer = trained(tmp_path)
    trainer.add_callback(TimingCheckpoint(1))
    trainer.params.epoch = 7
    type(trainer).scores = (*Scored.scores, 9.0)

    trainer.train()

    names = [path.name for path in trainer.saver.find_keypoints()]
    assert names == ["keep.0000007.ckpt"]


def test_two_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^monitor='a' of the SaverCallback contradicts monitor="):
        trained(tmp_path, SaverCallback(monitor="a"), ModelCheckpoint("b"))
    with pytest.raises(UsageError, match=r"^mode='max' of the SaverCallback contradicts mode='mi"):
        trained(tmp_path, SaverCallback(monitor="a", mode="max"), ModelCheckpoint("a"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"monitor": None}, "monitor must be the name of a metric, not None"),
        ({"monitor": ""}, "monitor must be the name of a metric"),
        ({"monitor": "a", "mode": "mix"}, r"mode must be 'min' or 'max', not 'mix'; did you mean"),
        ({"monitor": "a", "lower": "yes"}, "lower must be True or False, not 'yes'"),
        ({"monitor": "a", "mode": "max", "lower": True}, "lower=True contradicts mode='max'"),
        ({"monitor": "a", "mode": "min", "lower": False}, "lower=False contradicts mode='min'"),
        ({"monitor": "a", "start_epoch": -1}, "start_epoch must be the number of an epoch, not -1"),
        ({"monitor": "a", "start_epoch": 1.0}, "start_epoch must be the number"),
    ],
)
def test_arguments_that_cannot_be_meant_are_refused(
    arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=f"^{message}"):
        ModelCheckpoint(**arguments)


def test_lightnings_own_is_still_found_by_its_name_on_a_command_line() -> None:
    code = (
        "import thexp_pl.trainer, thexp_pl.cli.lightning_cli\n"
        "assert 'thexp_pl.callbacks.model_checkpoint' not in sys.modules\n"
        "from thexp_pl.callbacks import ModelCheckpoint\n"
        "assert ModelCheckpoint.__module__ in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", f"import sys\n{code}"], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
