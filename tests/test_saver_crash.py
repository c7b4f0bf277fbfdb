"""Saver under SIGKILL, full disks, forbidden folders, Ctrl-C and other living processes."""

from __future__ import annotations

import os
import random
import resource
import select
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
import torch

from thexp_pl import Saver
from thexp_pl.errors import CheckpointError

PAIR = {"0000001.ckpt", "0000001.ckpt.json"}


def files(folder: Path) -> set[str]:
    """Everything in a folder but the lock, which stays."""
    return {path.name for path in folder.iterdir()} - {".saver.lock"}


def in_own_process(scenario: str, *arguments: object) -> str:
    """Run one of the functions below in a process without threads, so that it may fork."""
    command = [sys.executable, "-W", "error", __file__, scenario, *map(str, arguments)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def forked(body: Callable[[], None]) -> int:
    child = os.fork()
    if child == 0:
        signal.alarm(60)  # nobody else would end it if it hung
        try:
            body()
        finally:
            os._exit(0)
    return child


def state_of(value: int, size: int = 1000) -> dict[str, Any]:
    return {"value": value, "weights": torch.full((size,), float(value))}


def loaded_value(saver: Saver) -> int:
    """The value of the newest checkpoint, which must be whole, and found without a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        state = saver.load_latest_checkpoint()
    assert state["weights"].eq(float(state["value"])).all()
    return int(state["value"])


# SIGKILL


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
    operations = in_own_process("kill_before_each_file_operation", tmp_path, replacement)
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
    in_own_process("kill_at_random_times", tmp_path / "sav")


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


# another living process


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


# disks that refuse


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


@pytest.mark.parametrize("scenario", ["fill_the_disk", "forbid_the_folder"])
def test_a_disk_that_refuses_is_named_and_earlier_checkpoints_stay(scenario: str) -> None:
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


# reading beside a writer


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


@pytest.mark.parametrize("scenario", ["read_only", "shut_the_folder", "remove_the_working_folder"])
def test_a_folder_that_may_be_read_is_read_and_one_that_may_not_is_named(scenario: str) -> None:
    with tempfile.TemporaryDirectory() as parent:
        Path(parent).chmod(0o755)
        in_own_process(scenario, Path(parent) / "sav")


if __name__ == "__main__":
    torch.set_num_threads(1)  # a forked process has none of its parent's threads
    globals()[sys.argv[1]](*sys.argv[2:])
