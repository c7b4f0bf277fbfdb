"""Pipes and folders where a Saver's files should be, and sidecars beyond all measure."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from saver_helpers import files, in_one_line, in_own_process, main, names

from thexp_pl import Saver, checkpoint_path
from thexp_pl.errors import CheckpointError, UsageError

BIG = 65 << 20


@pytest.fixture
def saver(tmp_path: Path) -> Saver:
    saver = Saver(tmp_path / "sav")
    for epoch in range(2):
        saver.save_checkpoint(epoch, {"epoch": epoch})
    return saver


# -- pipes -----------------------------------------------------------------------------------------


def read_past_pipes(folder: str, name: str) -> None:
    """Do all that reads, with a pipe in the place of a file of epoch 1."""
    saver = Saver(folder)
    for epoch in range(2):
        path = saver.save_checkpoint(epoch, {"epoch": epoch})
    (saver.dir / name).unlink()
    os.mkfifo(saver.dir / name)
    for ask in (saver.load_checkpoint, saver.load_state_dict, checkpoint_path):
        with pytest.raises((CheckpointError, UsageError), match="not a regular file") as error:
            ask(path)
        assert str(path) in in_one_line(error)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says that the newest was passed over
        assert saver.load_latest_checkpoint() == {"epoch": 0}
    assert names(saver.find_checkpoints()) == ["0000000.ckpt"]
    saver.save_checkpoint(2, {"epoch": 2})
    assert saver.load_latest_checkpoint() == {"epoch": 2}
    saver.save_checkpoint(1, {"epoch": 1}, replacement=True)
    assert saver.load_checkpoint(path) == {"epoch": 1}


@pytest.mark.parametrize("name", ["0000001.ckpt", "0000001.ckpt.json"])
def test_a_pipe_in_the_place_of_a_file_keeps_nobody_waiting(tmp_path: Path, name: str) -> None:
    in_own_process(read_past_pipes, tmp_path, name)


def ask_for_a_foreign_pipe(folder: str) -> None:
    path = Path(folder) / "epoch=1.ckpt"
    os.mkfifo(path)
    with pytest.raises(UsageError, match="is not a regular file") as error:
        checkpoint_path(path)
    assert str(path) in in_one_line(error)


def test_a_path_that_names_a_pipe_is_refused(tmp_path: Path) -> None:
    in_own_process(ask_for_a_foreign_pipe, tmp_path)


# -- sidecars beyond all measure -------------------------------------------------------------------


def test_a_sidecar_that_is_too_large_is_passed_over(saver: Saver) -> None:
    os.truncate(saver.dir / "0000001.ckpt.json", BIG)
    with pytest.raises(CheckpointError, match=r"0000001\.ckpt\.json is damaged: it is larger"):
        saver.checkpoint_info(1)
    with pytest.warns(UserWarning, match="it is larger than"):
        assert saver.load_latest_checkpoint() == {"epoch": 0}


def test_an_info_that_could_not_be_read_back_is_not_saved(saver: Saver) -> None:
    before = files(saver.dir)
    with pytest.raises(UsageError, match="put what is large into the state") as error:
        saver.save_checkpoint(2, {}, {"text": "x" * BIG})
    in_one_line(error)
    assert files(saver.dir) == before


# -- folders ---------------------------------------------------------------------------------------

NAMES = [".0000005.ckpt.tmp", ".0000005.ckpt.json.tmp", ".0000005.ckpt.json.gone"]


@pytest.mark.parametrize("name", NAMES)
def test_a_stray_folder_stops_the_saves_of_its_epoch_alone_and_is_named(
    saver: Saver, name: str
) -> None:
    folder = saver.dir / name
    folder.mkdir()
    with pytest.raises(CheckpointError, match=r"Is a directory.*; move that folder away") as error:
        saver.save_checkpoint(5, {"epoch": 5})
    assert str(folder) in in_one_line(error)
    saver.save_checkpoint(6, {"epoch": 6})
    assert Saver(saver.dir).load_latest_checkpoint() == {"epoch": 6}
    folder.rmdir()
    saver.save_checkpoint(5, {"epoch": 5})
    assert names(saver.find_checkpoints()) == ["0000001.ckpt", "0000006.ckpt", "0000005.ckpt"]


def a_sidecar(saver: Saver) -> Path:
    return saver.dir / "0000005.ckpt.json"


def a_checkpoint(saver: Saver) -> Path:
    return saver.dir / "0000005.ckpt"


@pytest.mark.parametrize("place", [a_sidecar, a_checkpoint])
def test_a_folder_is_never_replaced_nor_removed(
    saver: Saver, place: Callable[[Saver], Path]
) -> None:
    folder = place(saver)
    folder.mkdir()
    before = files(saver.dir)
    with pytest.raises(CheckpointError, match="move that folder away") as error:
        saver.save_checkpoint(5, {}, replacement=True)
    assert str(folder) in in_one_line(error)
    assert files(saver.dir) == before
    saver.save_checkpoint(6, {"epoch": 6})
    assert saver.save_checkpoint(5, {"epoch": 5}).name == "1000005.ckpt"
    assert saver.load_latest_checkpoint() == {"epoch": 5}
    with pytest.raises(CheckpointError, match="move that folder away") as error:
        saver.clear_checkpoints()
    assert str(folder) in in_one_line(error)
    assert folder.is_dir()


def test_what_a_killed_save_left_beside_a_folder_waits_for_its_removal(saver: Saver) -> None:
    saved = saver.save_checkpoint(5, {"epoch": 5})
    beside = Path(f"{saved}.json")
    beside.rename(saver.dir / ".0000005.ckpt.json.tmp")  # as a kill between the two moves leaves it
    beside.mkdir()
    saver.save_checkpoint(6, {"epoch": 6})
    beside.rmdir()
    saver.save_checkpoint(7, {"epoch": 7})
    assert saver.load_checkpoint(saved) == {"epoch": 5}


def test_a_folder_in_the_place_of_the_lock_is_named(saver: Saver) -> None:
    lock = saver.dir / ".saver.lock"
    lock.unlink()
    lock.mkdir()
    with pytest.raises(CheckpointError, match="move that folder away") as error:
        saver.save_checkpoint(2, {"a": torch.ones(1)})
    assert str(lock) in in_one_line(error)


if __name__ == "__main__":
    main(globals())
