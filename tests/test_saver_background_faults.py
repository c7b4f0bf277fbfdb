"""What goes wrong in the thread of a Saver in the background, and how that thread ends."""

from __future__ import annotations

import copy
import faulthandler
import gc
import pickle
import signal
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
import torch
from saver_helpers import SECONDS, Gate, Waiting, files, in_own_process, main, names, state_of

from thexp_pl import Saver
from thexp_pl.errors import CheckpointError


@pytest.fixture
def gate() -> Iterator[Gate]:
    Gate.entered.clear()
    Gate.opened.clear()
    yield Gate()
    Gate.opened.set()


@pytest.fixture
def saver(tmp_path: Path) -> Iterator[Saver]:
    saver = Saver(tmp_path / "sav", background=True)
    yield saver
    Gate.opened.set()
    saver.close()


def block(saver: Saver) -> Path:
    """Put a folder where a temporary file has to be, which stops root too."""
    obstacle = saver.dir / ".0000002.ckpt.tmp"
    obstacle.mkdir()
    return obstacle


def test_an_error_is_raised_once_by_the_next_save_which_is_made_all_the_same(
    saver: Saver, gate: Gate
) -> None:
    saver.save_checkpoint(1, {"a": 1})
    saver.flush()
    obstacle = block(saver)
    saver.save_checkpoint(2, {"a": Waiting()})  # else it could have failed by the end of this call
    gate.opened.set()
    assert names(saver.find_checkpoints()) == ["0000001.ckpt"]  # to read is not to be told
    obstacle.rmdir()
    with pytest.raises(
        CheckpointError, match=r"checkpoint of epoch 2 in .*Is a directory"
    ) as error:
        saver.save_checkpoint(3, {"a": 3})
    assert "\n" not in str(error.value)
    saver.flush()
    assert names(saver.find_checkpoints()) == ["0000001.ckpt", "0000003.ckpt"]
    assert not [name for name in files(saver.dir) if name.startswith(".")]


@pytest.mark.parametrize("ask", ["flush", "close"])
def test_an_error_is_raised_once_by_flush_and_by_close(saver: Saver, gate: Gate, ask: str) -> None:
    obstacle = block(saver)
    saver.save_checkpoint(2, {"a": Waiting()})
    gate.opened.set()
    with pytest.raises(CheckpointError, match="epoch 2"):
        getattr(saver, ask)()
    getattr(saver, ask)()
    obstacle.rmdir()


def test_several_errors_are_told_as_one_with_their_number(saver: Saver, gate: Gate) -> None:
    obstacle = block(saver)
    for again in range(2):
        saver.save_checkpoint(2, {"a": Waiting(), "again": again}, replacement=True)
    gate.opened.set()
    with pytest.raises(CheckpointError, match=r"epoch 2 .*; 1 more saves failed after it"):
        saver.flush()
    obstacle.rmdir()


def test_a_folder_that_is_gone_is_told_at_the_call(saver: Saver) -> None:
    path = saver.save_checkpoint(1, {})
    saver.flush()
    for left in saver.dir.iterdir():
        left.unlink()
    saver.dir.rmdir()
    with pytest.raises(CheckpointError, match=f"{saver.dir}: No such file"):
        saver.save_checkpoint(2, {})
    assert not path.parent.exists()


@pytest.mark.parametrize("background", [False, True])
def test_a_failing_listener_is_told_and_its_file_stays(tmp_path: Path, background: bool) -> None:
    def listen(path: Path) -> None:
        raise ValueError("deaf")

    def save() -> None:
        saver.save_checkpoint(1, {"a": 1})
        saver.flush()

    saver = Saver(tmp_path, background=background, on_commit=listen)
    with pytest.raises(CheckpointError, match=r"0000001\.ckpt is saved, but on_commit .*deaf"):
        save()
    assert saver.load_checkpoint(1) == {"a": 1}


def test_a_listener_hears_of_each_file_once_it_can_be_loaded(tmp_path: Path) -> None:
    heard: list[tuple[Any, str]] = []

    def listen(path: Path) -> None:
        heard.append((saver.load_checkpoint(path), threading.current_thread().name))

    saver = Saver(tmp_path, background=True, on_commit=listen)
    saver.save_checkpoint(1, {"a": 1})
    saver.close()
    saver = Saver(tmp_path, on_commit=listen)
    saver.save_checkpoint(2, {"a": 2})
    assert [state for state, _ in heard] == [{"a": 1}, {"a": 2}]
    assert heard[0][1].startswith("thexp_pl saver")
    assert heard[1][1] == threading.current_thread().name


def test_an_error_in_a_with_block_is_the_one_raised_and_all_is_written(tmp_path: Path) -> None:
    def work() -> None:
        with Saver(tmp_path, background=True) as saver:
            saver.save_checkpoint(1, {"a": 1})
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        work()
    assert (tmp_path / "0000001.ckpt.json").exists()


def test_close_ends_the_thread_and_a_later_save_has_another(saver: Saver) -> None:
    before = set(threading.enumerate())  # those of other tests may end meanwhile
    saver.save_checkpoint(1, {})
    (thread,) = set(threading.enumerate()) - before
    saver.close()
    assert not thread.is_alive()
    saver.save_checkpoint(2, {})
    saver.close()
    assert len(saver.find_checkpoints()) == 2


def test_a_saver_that_is_let_go_writes_what_it_was_given(tmp_path: Path, gate: Gate) -> None:
    before = set(threading.enumerate())  # another test's saver may still be ending
    saver = Saver(tmp_path, background=True)
    saver.save_checkpoint(1, {"a": Waiting()})
    saver.save_checkpoint(2, {"a": 2})
    (thread,) = set(threading.enumerate()) - before
    del saver
    gc.collect()
    gate.opened.set()
    thread.join(SECONDS)
    assert not thread.is_alive()
    assert len(Saver(tmp_path).find_checkpoints()) == 2


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda s: pickle.loads(pickle.dumps(s))])
def test_a_copy_of_a_saver_has_a_queue_of_its_own(saver: Saver, copied) -> None:
    saver.keep_best("loss")
    saver.save_checkpoint(1, state_of(1), {"loss": 0.1})
    other = copied(saver)
    assert other.dir == saver.dir
    assert len(other.find_checkpoints()) == 1
    for epoch in range(2, 6):
        other.save_checkpoint(epoch, state_of(epoch), {"loss": 0.5})
    other.close()
    assert [path.name[6] for path in saver.find_checkpoints()] == ["1", "3", "4", "5"]


class Signalling:
    """A value at which a signal comes in."""

    def __reduce__(self) -> tuple[Any, ...]:
        if threading.current_thread() is threading.main_thread():
            signal.raise_signal(signal.SIGUSR1)
        return (int, ())


def test_a_signal_handler_that_saves_in_the_midst_of_a_save_is_told_so(saver: Saver) -> None:
    told = []

    def handle(number: int, frame: FrameType | None) -> None:
        with pytest.raises(CheckpointError, match="in the midst of another save") as error:
            saver.save_keypoint(5, {})
        told.append(str(error.value))

    before = signal.signal(signal.SIGUSR1, handle)
    try:
        saver.save_checkpoint(1, {"a": Signalling()})
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert len(told) == 1
    saver.save_keypoint(5, {})
    assert len(saver.find_keypoints()) == len(saver.find_checkpoints()) == 1


def ask_in_the_midst_of_a_save(folder: str) -> None:
    faulthandler.dump_traceback_later(SECONDS, exit=True)
    saver = Saver(folder, background=True)
    asked = [saver.flush, saver.close, saver.find_models, saver.best_checkpoint]
    asked += [saver.clear_keypoints, saver.summary, partial(saver.load_checkpoint, 0)]
    told = []

    def handle(number: int, frame: FrameType | None) -> None:
        for ask in asked:
            with pytest.raises(CheckpointError, match="in the midst of another save") as error:
                ask()
            told.append(str(error.value))

    signal.signal(signal.SIGUSR1, handle)
    saver.save_checkpoint(1, {"a": Signalling()})
    assert [line for line in told if "\n" not in line] == told != []
    saver.flush()
    assert names(saver.find_checkpoints()) == ["0000001.ckpt"]


def test_a_signal_handler_that_would_wait_for_the_save_it_cuts_into_is_told_so(
    tmp_path: Path,
) -> None:
    in_own_process(ask_in_the_midst_of_a_save, tmp_path)


class Interrupting:
    """A value at which the user presses Ctrl-C."""

    def __reduce__(self) -> tuple[Any, ...]:
        raise KeyboardInterrupt


def test_ctrl_c_while_a_state_is_copied_queues_nothing(saver: Saver) -> None:
    for _ in range(5):  # more than may wait
        with pytest.raises(KeyboardInterrupt):
            saver.save_checkpoint(1, {"a": torch.ones(9), "b": Interrupting()})
    saver.save_checkpoint(2, {"a": 2})
    assert names(saver.find_checkpoints()) == ["0000002.ckpt"]


if __name__ == "__main__":
    main(globals())
