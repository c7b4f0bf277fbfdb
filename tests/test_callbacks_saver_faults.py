"""SaverCallback: what cannot be written, what it refuses, and what an exception leaves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.strategies import SingleDeviceStrategy
from saving_helpers import (
    At,
    Blocked,
    Module,
    SmallFiles,
    fit,
    keep_all,
    loader,
    make_trainer,
    saved_at,
    steps,
)
from torch.utils.data import DataLoader

from thexp_pl.callbacks import RndCallback, SaverCallback
from thexp_pl.data import ExactDataLoader
from thexp_pl.errors import CheckpointError, UsageError
from thexp_pl.record.faults import RecorderWarning
from thexp_pl.saver import Saver


@pytest.mark.parametrize("background", [True, False])
def test_what_cannot_be_written_is_one_warning_and_the_rest_is_there(
    background: bool, tmp_path: Path
) -> None:
    saver = keep_all(every_n_batches=1, background=background)
    blocked = Blocked(tmp_path, saver)

    with pytest.warns(RecorderWarning) as caught:
        module = fit(tmp_path, At(3, blocked.begin), At(6, blocked.end), saver)

    assert module.seen == 10
    (message,) = [str(one.message) for one in caught if one.category is RecorderWarning]
    assert "CheckpointError" in message
    found = steps(tmp_path)
    assert {1, 7, 8, 9, 10} <= set(found)
    for step in found:
        Saver(tmp_path / "modules").load_state_dict(saved_at(tmp_path, step))


@pytest.mark.parametrize("background", [True, False])
def test_with_stop_a_checkpoint_that_cannot_be_written_ends_the_training(
    background: bool, tmp_path: Path
) -> None:
    saver = keep_all(every_n_batches=2, background=background, on_error="stop", emergency=False)
    blocked = Blocked(tmp_path, saver)
    module = Module()
    trainer = make_trainer(tmp_path, At(3, blocked.begin), saver, max_epochs=100)

    with pytest.raises(CheckpointError, match="on_error='stop' ends the training"):
        trainer.fit(module, loader())

    assert module.seen < 500
    blocked.end()
    assert steps(tmp_path) == [2]


@pytest.mark.parametrize("on_error", ["continue", "stop"])
def test_a_fault_in_the_background_is_told_after_the_batch_and_not_with_the_next_save(
    on_error: str, tmp_path: Path
) -> None:
    saver = keep_all(every_n_batches=2, on_error=on_error, emergency=False)

    def wait_for_fault() -> None:
        saver.saver.find_checkpoints()  # waits until it is written, and tells nothing

    small_files = SmallFiles()
    deeds = [At(2, small_files.begin), At(3, wait_for_fault), At(3, small_files.end)]
    module = Module()
    trainer = make_trainer(tmp_path, *deeds, saver)

    told = CheckpointError if on_error == "stop" else RecorderWarning  # here a warning is an error
    with small_files, pytest.raises(told, match="cannot save"):
        trainer.fit(module, loader())

    assert module.seen == 3


def test_the_last_file_is_waited_for_and_its_fault_is_told(tmp_path: Path) -> None:
    saver = keep_all(every_n_epochs=None, on_error="stop", emergency=False)
    trainer = make_trainer(tmp_path, At(10, Blocked(tmp_path, saver).begin), saver)

    with pytest.raises(CheckpointError, match="on_error='stop'"):
        trainer.fit(Module(), loader())


@pytest.mark.filterwarnings("ignore:.*there is no last checkpoint available")
@pytest.mark.parametrize("strategy", ["auto", "ddp_fork"])
def test_last_which_lightning_does_not_find_is_refused(strategy: str, tmp_path: Path) -> None:
    fit(tmp_path, keep_all())
    trainer = make_trainer(tmp_path, SaverCallback(), strategy=strategy, devices=1)

    with pytest.raises(Exception, match="checkpoint_path\\('last'\\)") as raised:
        trainer.fit(Module(), loader(), ckpt_path="last")

    assert strategy != "auto" or raised.type is CheckpointError


@pytest.mark.filterwarnings("ignore:.*exists and is not empty")
def test_last_of_a_model_checkpoint_goes_its_way(tmp_path: Path) -> None:
    def callbacks() -> list[pl.Callback]:
        own = pl.callbacks.ModelCheckpoint(dirpath=tmp_path / "own", save_last=True)
        return [SaverCallback(), own]

    fit(tmp_path, *callbacks())

    assert fit(tmp_path, *callbacks(), max_epochs=3, ckpt_path="last").seen == 15


@pytest.mark.parametrize(
    ("attribute", "way_out"),
    [
        ({"_state_dict_type": "sharded"}, "state_dict_type='full'"),
        ({"_save_distributed_checkpoint": True}, "save_distributed_checkpoint=False"),
    ],
)
def test_a_strategy_that_saves_shards_is_refused(
    attribute: dict[str, Any], way_out: str, tmp_path: Path
) -> None:
    strategy = SingleDeviceStrategy()
    vars(strategy).update(attribute)  # as FSDPStrategy and ModelParallelStrategy, which need CUDA
    trainer = make_trainer(tmp_path, SaverCallback(), strategy=strategy)

    with pytest.raises(UsageError, match=way_out):
        trainer.fit(Module(), loader())


@pytest.mark.parametrize(
    "wrong",
    [
        {"every_n_batches": 0},
        {"every_n_batches": 2.0},
        {"keypoint_every": -1},
        {"keep_best": 0},
        {"monitor": 3},
        {"mode": "mni"},
        {"on_error": "contineu"},
        {"background": "yes"},
        {"on_signal": ["SIGTERM"]},
    ],
)
def test_a_wrong_argument_is_one_line(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=f"^{next(iter(wrong))} must be .*not ") as raised:
        SaverCallback(**wrong)
    assert "\n" not in str(raised.value)


def test_a_resume_that_will_not_be_exact_is_told_once_and_why(tmp_path: Path) -> None:
    plain = DataLoader(loader().dataset, 2)
    trainer = make_trainer(tmp_path, SaverCallback())
    trainer.callbacks = [one for one in trainer.callbacks if not isinstance(one, RndCallback)]

    with pytest.warns(UserWarning, match="^resuming will not be exact") as caught:
        trainer.fit(Module(), plain)

    (message,) = [str(one.message) for one in caught if "exact" in str(one.message)]
    assert "add RndCallback()" in message
    assert "thexp_pl.data.exact(loader)" in message


class Inexact(ExactDataLoader):
    inexact = "its samples come from a radio"


class Unsized:
    """Batches without a number, and a place in them that knows no batch read ahead."""

    def __iter__(self) -> Any:
        return iter(loader())

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        pass


@pytest.mark.parametrize(
    ("train", "reason"),
    [
        (Inexact(loader().dataset, 2, seed=1), "its samples come from a radio"),
        (Unsized(), "a Unsized, has no length"),
    ],
)
def test_a_loader_that_is_in_the_way_of_an_exact_resume_is_told(
    train: Any, reason: str, tmp_path: Path
) -> None:
    trainer = make_trainer(tmp_path, SaverCallback())

    with pytest.warns(UserWarning, match=f"^resuming will not be exact: .*{reason}"):
        trainer.fit(Module(), train)


def test_beside_other_checkpoints_than_ours_it_is_told_too(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path, ModelCheckpoint(tmp_path))
    plain = DataLoader(loader().dataset, 2)

    with pytest.warns(UserWarning, match="^resuming will not be exact") as caught:
        trainer.fit(Module(), plain)

    assert len([one for one in caught if "exact" in str(one.message)]) == 1
