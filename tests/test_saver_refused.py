"""Disks and folders that refuse a Saver."""

from __future__ import annotations

import os
import resource
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from saver_helpers import (
    PAIR,
    files,
    in_own_process,
    main,
)

from thexp_pl import Saver
from thexp_pl.errors import CheckpointError


def fill_the_disk(folder: str) -> None:
    saver = Saver(folder)
    saver.save_checkpoint(1, {"a": 1})
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
    for size in (20_000, 40_000, 100_000):  # the limit is met at one place or another
        refused(saver, {"weights": torch.ones(size), "more": torch.ones(size)}, "File too large")


def forbid_the_folder(folder: str) -> None:
    saver = Saver(folder)
    saver.save_checkpoint(1, {"a": 1})
    Path(folder).chmod(0o555)
    if os.getuid() == 0:
        os.setuid(65534)  # permissions do not bind root
    refused(saver, {"a": 2}, "Permission denied")


def refused(saver: Saver, state: Any, cause: str) -> None:
    try:
        saver.save_checkpoint(2, state)
    except CheckpointError as error:
        message = str(error)
        assert "\n" not in message
        assert "epoch 2" in message
        assert str(saver.dir) in message
        assert cause in message, message
    else:
        raise AssertionError("saved where nothing can be saved")
    assert files(saver.dir) == PAIR
    assert saver.load_latest_checkpoint() == {"a": 1}


@pytest.mark.parametrize("scenario", [fill_the_disk, forbid_the_folder])
def test_a_disk_that_refuses_is_named_and_earlier_checkpoints_stay(
    scenario: Callable[..., None],
) -> None:
    with tempfile.TemporaryDirectory() as parent:  # pytest's own folders shut other users out
        Path(parent).chmod(0o755)
        in_own_process(scenario, Path(parent) / "sav")


def test_a_folder_removed_in_mid_run_is_named_and_not_made_again(tmp_path: Path) -> None:
    saver = Saver(tmp_path / "sav")
    path = saver.save_checkpoint(1, {})
    path.unlink()
    for left in saver.dir.iterdir():
        left.unlink()
    saver.dir.rmdir()
    with pytest.raises(CheckpointError, match="does not exist any more") as error:
        saver.save_checkpoint(2, {})
    assert str(tmp_path / "sav") in str(error.value)
    assert not saver.dir.exists()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match=r"cannot make .*file/sav: Not a directory"):
        Saver(tmp_path / "file" / "sav")


if __name__ == "__main__":
    main(globals())
