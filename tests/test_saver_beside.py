"""A Saver beside other processes, and in folders that may only be read."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from saver_helpers import (
    PAIR,
    files,
    in_own_process,
    loaded_value,
    main,
    state_of,
)

from thexp_pl import Saver
from thexp_pl.errors import CheckpointError


class Gate:
    """A value that says when it is being pickled, and waits for a line on stdin."""

    def __reduce__(self) -> tuple[Any, ...]:
        print("writing", flush=True)
        sys.stdin.readline()
        return (int, ())


def save_slowly(folder: str) -> None:
    Saver(folder).save_checkpoint(2, {"gate": Gate(), "weights": torch.ones(10)})


def test_a_save_of_another_living_process_is_left_alone(tmp_path: Path) -> None:
    Saver(tmp_path).save_checkpoint(1, {"a": 1})
    command = [sys.executable, __file__, "save_slowly", str(tmp_path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        assert other.stdout.readline() == "writing\n"
        saver = Saver(tmp_path)
        assert saver.load_latest_checkpoint() == {"a": 1}
        assert files(tmp_path) == PAIR | {".0000002.ckpt.tmp"}
        other.stdin.write("go on\n")
        other.stdin.close()
        assert other.wait(60) == 0
    saver.save_checkpoint(3, {})
    assert [path.name for path in saver.find_checkpoints()] == [
        "0000001.ckpt",
        "0000002.ckpt",
        "0000003.ckpt",
    ]
    assert saver.load_checkpoint(2, weights_only=False)["weights"].sum() == 10


def save_over_and_over(folder: str, max_to_keep: str, replacement: str) -> None:
    """Save back to back until the parent closes stdin."""
    saver, epoch = Saver(folder, max_to_keep=int(max_to_keep)), 0
    print("saving", flush=True)
    while not select.select([sys.stdin], [], [], 0)[0]:
        epoch += 1
        saver.save_checkpoint(
            7 if replacement else epoch, state_of(epoch), replacement=bool(replacement)
        )


@pytest.mark.parametrize(("max_to_keep", "replacement"), [(1, "yes"), (1, ""), (3, "")])
def test_a_reader_beside_a_writer_finds_the_newest_whole_one_and_warns_of_nothing(
    tmp_path: Path, max_to_keep: int, replacement: str
) -> None:
    saver = Saver(tmp_path)
    saver.save_checkpoint(7 if replacement else 0, state_of(0))
    scenario = ["save_over_and_over", str(tmp_path), str(max_to_keep), replacement]
    with subprocess.Popen(
        [sys.executable, __file__, *scenario],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as writer:
        assert writer.stdin is not None
        assert writer.stdout is not None
        assert writer.stdout.readline() == "saving\n"
        values = [loaded_value(saver) for _ in range(200)]
        values += [saver.load_checkpoint(-1, byindex=True)["value"] for _ in range(200)]
        infos = [saver.checkpoint_info(-1, byindex=True) for _ in range(200)]
        writer.stdin.close()
        assert writer.wait(60) == 0
    assert values == sorted(values)
    assert values[-1] > values[0]
    assert infos == [{}] * 200


def read_only(folder: str) -> None:
    saver = Saver(folder)
    path = saver.save_checkpoint(1, {"a": 1})
    saver.save_checkpoint(2, {"a": 2})
    os.truncate(saver.dir / "0000002.ckpt", 10)
    Path(folder).chmod(0o555)
    if os.getuid() == 0:
        os.setuid(65534)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        assert Saver(folder).load_latest_checkpoint() == {"a": 1}
    assert "0000002.ckpt is damaged" in str(warned[0].message)
    assert Saver(folder).load_checkpoint(path) == {"a": 1}


def shut_the_folder(folder: str) -> None:
    Saver(folder).save_checkpoint(1, {"a": 1})
    Path(folder).chmod(0o333)
    if os.getuid() == 0:
        os.setuid(65534)
    with pytest.raises(CheckpointError, match=f"{folder}: Permission denied"):
        Saver(folder)


def remove_the_working_folder(folder: str) -> None:
    Path(folder).mkdir()
    os.chdir(folder)
    Path(folder).rmdir()
    with pytest.raises(CheckpointError, match=r"^cannot make or read sav: No such file"):
        Saver("sav")


@pytest.mark.parametrize("scenario", [read_only, shut_the_folder, remove_the_working_folder])
def test_a_folder_that_may_be_read_is_read_and_one_that_may_not_is_named(
    scenario: Callable[..., None],
) -> None:
    with tempfile.TemporaryDirectory() as parent:
        Path(parent).chmod(0o755)
        in_own_process(scenario, Path(parent) / "sav")


if __name__ == "__main__":
    main(globals())
