"""A Saver that is killed, or cut short by Ctrl-C and signals."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
import torch
from saver_helpers import (
    PAIR,
    files,
    forked,
    in_own_process,
    loaded_value,
    main,
    state_of,
)

from thexp_pl import Saver
from thexp_pl.errors import CheckpointError


def kill_before_each_file_operation(folder: str, replacement: str) -> None:
    """Save while the n-th file operation in the folder kills; for n = 1, 2, ... until none does."""
    n, outcomes = 0, []
    while True:
        n += 1
        sub = Path(folder) / str(n)

        def body(sub: Path = sub, n: int = n) -> None:
            saver = Saver(sub, max_to_keep=2)
            for value in range(3):
                saver.save_checkpoint(value, state_of(value))
            count = 0

            def watch(event: str, arguments: tuple[Any, ...]) -> None:
                nonlocal count
                # by prefix: open, os.rename, os.remove and fcntl.flock are those that matter
                if event.startswith(("open", "os.", "fcntl.")):
                    inside = event.startswith("fcntl.") or str(sub) in str(arguments[0])
                    count += inside
                    if inside and count == n:
                        os.kill(os.getpid(), signal.SIGKILL)

            sys.addaudithook(watch)
            again = replacement == "True"
            saver.save_checkpoint(2 if again else 3, state_of(3), replacement=again)

        killed = os.WIFSIGNALED(os.waitpid(forked(body), 0)[1])
        pairs = [path for path in sub.iterdir() if path.name.endswith(".ckpt.json")]
        assert len(pairs) <= 3, f"{n}: more than max_to_keep plus one"
        saver = Saver(sub, max_to_keep=2)
        outcomes.append(loaded_value(saver))
        assert not [name for name in files(sub) if name.startswith(".")], f"{n}: leftovers"
        saver.save_checkpoint(4, state_of(4))
        assert loaded_value(saver) == 4
        assert len(files(sub)) == 4, f"{n}: {sorted(files(sub))}"
        if not killed:
            break
    # the old one up to some operation, the new one ever after
    assert outcomes == sorted(outcomes), outcomes
    assert set(outcomes) == {2, 3}
    print(n)


@pytest.mark.parametrize("replacement", [False, True])
def test_killed_before_any_file_operation_the_old_or_the_new_one_is_whole(
    tmp_path: Path, replacement: bool
) -> None:
    operations = in_own_process(kill_before_each_file_operation, tmp_path, replacement)
    assert int(operations) > 10


def kill_at_random_times(folder: str) -> None:
    """Save back to back until killed, ten times over in one folder."""
    drawn = random.Random(0)
    value = 0
    for _ in range(10):
        reader, writer = os.pipe()

        def body(value: int = value, writer: int = writer) -> None:
            saver = Saver(folder, max_to_keep=2)
            while True:
                value += 1
                saver.save_checkpoint(value % 7, state_of(value, size=100_000))
                os.write(writer, value.to_bytes(4, "big"))

        child = forked(body)
        os.close(writer)
        reported = [os.read(reader, 4)]
        time.sleep(drawn.uniform(0, 0.03))  # any moment will do: it is the moment of the kill
        os.kill(child, signal.SIGKILL)
        assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
        while report := os.read(reader, 4):
            reported.append(report)
        os.close(reader)
        last = int.from_bytes(reported[-1], "big")
        on_disk = [name for name in files(Path(folder)) if name.endswith(".ckpt")]
        assert len([name for name in on_disk if not name.startswith(".")]) <= 3
        value = loaded_value(Saver(folder, max_to_keep=2))
        assert value in (last, last + 1), f"loaded {value} where {last} was saved"


def test_killed_at_random_times_the_last_save_is_there(tmp_path: Path) -> None:
    in_own_process(kill_at_random_times, tmp_path / "sav")


def test_what_a_killed_process_left_is_tidied_at_the_next_save_and_nothing_else(
    tmp_path: Path,
) -> None:
    saver = Saver(tmp_path)
    saver.save_checkpoint(1, {"a": 1})
    for name in (".0000002.ckpt.tmp", ".0000002.ckpt.json.tmp", ".keep.0000002.ckpt.tmp"):
        (tmp_path / name).write_text("half")
    (tmp_path / ".0000000.ckpt.json.gone").write_text("removal cut off")
    (tmp_path / "0000000.ckpt").write_text("its file")
    others = {".mine.tmp", ".notes.json.tmp", "0000009.ckpt"}
    for name in others:
        (tmp_path / name).write_text("mine")
    assert [path.name for path in saver.find_checkpoints()] == ["0000001.ckpt"]
    saver.save_checkpoint(2, {})
    assert files(tmp_path) == PAIR | others | {"0000002.ckpt", "0000002.ckpt.json"}


class Interrupted:
    """A value at which the user presses Ctrl-C."""

    def __reduce__(self) -> tuple[Any, ...]:
        raise KeyboardInterrupt


def test_ctrl_c_in_the_middle_of_a_save_stays_one_and_leaves_nothing(tmp_path: Path) -> None:
    saver = Saver(tmp_path)
    saver.save_checkpoint(1, {"a": 1})
    with pytest.raises(KeyboardInterrupt):
        saver.save_checkpoint(1, {"a": torch.ones(10), "b": Interrupted()}, replacement=True)
    assert files(tmp_path) == PAIR
    assert saver.load_checkpoint(1) == {"a": 1}


# between the opening of a file and its `with`, only the garbage collector can close it
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("replacement", [False, True])
def test_ctrl_c_anywhere_in_a_save_stays_one_and_leaves_nothing_half_made(
    tmp_path: Path, replacement: bool
) -> None:
    n, outcomes = 0, []
    while True:
        n += 1
        saver = Saver(tmp_path / str(n), max_to_keep=1)
        saver.save_checkpoint(1, state_of(1))
        count, interrupted = 0, False

        def press(frame: FrameType, event: str, argument: object, n: int = n) -> Any:
            nonlocal count
            if not frame.f_code.co_filename.endswith("pair.py"):
                return None
            count += 1
            if count == n:
                raise KeyboardInterrupt
            return press

        handles = len([*Path("/dev/fd").iterdir()])
        tracer = sys.gettrace()
        sys.settrace(press)
        try:
            saver.save_checkpoint(1 if replacement else 2, state_of(2), replacement=replacement)
        except KeyboardInterrupt:
            interrupted = True
        finally:
            sys.settrace(tracer)
        assert len([*Path("/dev/fd").iterdir()]) == handles, n
        assert not [name for name in files(saver.dir) if name.startswith(".")], n
        outcomes.append(loaded_value(saver))
        if not interrupted:
            break
    assert n > 100
    assert outcomes == sorted(outcomes)
    assert set(outcomes) == {1, 2}


# saving within a save


def test_a_signal_handler_that_saves_in_the_midst_of_a_save_is_told_so_at_once(
    tmp_path: Path,
) -> None:
    saver, told = Saver(tmp_path), []

    def handle(number: int, frame: FrameType | None) -> None:
        with pytest.raises(CheckpointError, match="in the midst of another save") as error:
            Saver(tmp_path / ".." / tmp_path.name).save_keypoint(5, {})
        told.append(str(error.value))

    before = signal.signal(signal.SIGUSR1, handle)
    try:
        saver.save_checkpoint(1, {"raise": Signalling()})
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert len(told) == 1
    assert "\n" not in told[0]
    assert files(tmp_path) == PAIR
    saver.save_keypoint(5, {})  # it is free again
    assert len(saver.find_keypoints()) == 1


class Signalling:
    """A value at which a signal comes in."""

    def __reduce__(self) -> tuple[Any, ...]:
        signal.raise_signal(signal.SIGUSR1)
        return (int, ())


if __name__ == "__main__":
    main(globals())
