"""StateFolder under SIGKILL, full disks, unpicklable values and several writers at once."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from thexp_pl.errors import CheckpointError, UsageError
from thexp_pl.saver import StateFolder

CHILD_SECONDS = 180


def in_own_process(scenario: str, *arguments: object) -> str:
    """Run one of the functions below in a process without threads, so that it may fork."""
    command = [sys.executable, "-W", "error", __file__, scenario, *map(str, arguments)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def forked(body: Callable[[], None]) -> int:
    child = os.fork()
    if child == 0:
        signal.alarm(CHILD_SECONDS)  # nobody else would end it if it hung
        code = 1
        try:
            body()
            code = 0
        finally:
            os._exit(code)
    return child


def state_of(value: int) -> dict[str, Any]:
    """A state whose values all say which one it is; one of them stays the same."""
    return {"n": value, "weights": torch.full((500,), float(value)), "still": torch.ones(3)}


def value_of(folder: Path) -> int:
    """The value of the state in a folder, which must be whole."""
    state = StateFolder(folder).state_dict()
    value = int(state["n"])
    assert list(state) == ["n", "weights", "still"]
    assert state["weights"].eq(float(value)).all()
    assert state["still"].eq(1).all()
    return value


# -- SIGKILL ---------------------------------------------------------------------------------------


def kill_before_each_file_operation(place: str) -> None:
    """Write while the n-th file operation in the folder kills, for n = 1, 2, ..."""
    n, outcomes = 0, []
    while True:
        n += 1
        sub = Path(place) / str(n)

        def body(sub: Path = sub, n: int = n) -> None:
            folder = StateFolder(sub)
            folder.load_state_dict(state_of(1))
            count = 0

            def watch(event: str, arguments: tuple[Any, ...]) -> None:
                nonlocal count
                if event.startswith(("open", "os.", "fcntl.")):
                    inside = event.startswith("fcntl.") or str(sub) in str(arguments[0])
                    count += inside
                    if inside and count == n:
                        os.kill(os.getpid(), signal.SIGKILL)

            sys.addaudithook(watch)
            folder.load_state_dict(state_of(2))

        status = os.waitpid(forked(body), 0)[1]
        assert os.WIFSIGNALED(status) or status == 0
        outcomes.append(value_of(sub))
        StateFolder(sub).load_state_dict(state_of(3))
        assert value_of(sub) == 3
        left = {path.name for path in sub.iterdir()} - {"index.json", ".saver.lock"}
        assert len(left) == 3, f"{n}: {left}"
        assert all(name.endswith(".pt") for name in left), f"{n}: {left}"
        if not os.WIFSIGNALED(status):
            break
    # the old one up to some operation, the new one ever after
    assert outcomes == sorted(outcomes), outcomes
    assert set(outcomes) == {1, 2}
    print(n)


def test_killed_before_any_file_operation_one_state_is_whole(tmp_path: Path) -> None:
    assert int(in_own_process("kill_before_each_file_operation", tmp_path)) > 10


# -- several at once -------------------------------------------------------------------------------


def write_and_read_at_once(place: str) -> None:
    """Three processes write states; this one reads, and never sees parts of two."""
    StateFolder(place).load_state_dict(state_of(0))

    def write(first: int) -> None:
        for value in range(first, first + 30):
            StateFolder(place).load_state_dict(state_of(value))

    writers = {forked(lambda first=first: write(first)) for first in (100, 200, 300)}
    seen, deadline = set(), time.monotonic() + CHILD_SECONDS
    while writers and time.monotonic() < deadline:
        refusal = "another state was written"
        try:
            seen.add(value_of(Path(place)))
        except CheckpointError as error:
            refusal = str(error)
        assert "another state was written" in refusal
        for child in list(writers):
            done, status = os.waitpid(child, os.WNOHANG)
            assert status == 0
            writers -= {done}
    assert not writers, "a writer hangs"
    assert value_of(Path(place)) in (129, 229, 329)
    print(len(seen))


def test_readers_beside_writers_see_one_whole_state_or_are_told(tmp_path: Path) -> None:
    assert int(in_own_process("write_and_read_at_once", tmp_path)) >= 1


# -- what cannot be written ------------------------------------------------------------------------


@contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_what_cannot_be_written_leaves_the_state_before(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path)
    folder.load_state_dict(state_of(1))
    before = sorted(path.name for path in tmp_path.iterdir())
    with pytest.raises(CheckpointError, match="cannot save the key 'odd'"):
        folder.load_state_dict({**state_of(2), "odd": threading.Lock()})
    with files_no_larger_than(10_000), pytest.raises(CheckpointError, match="File too large"):
        folder.load_state_dict({**state_of(3), "large": torch.ones(10_000)})
    assert value_of(tmp_path) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    folder.load_state_dict(state_of(4))
    assert value_of(tmp_path) == 4


def test_a_file_in_the_place_of_the_folder_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(CheckpointError, match="cannot write a state in"):
            StateFolder(path).load_state_dict({"a": 1})
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("state", [[("a", 1)], None, {1: 2}, {"a": 1, "\ud800\udc00": 2}])
def test_what_is_no_state_is_refused_and_nothing_is_made(tmp_path: Path, state: Any) -> None:
    with pytest.raises(UsageError):
        StateFolder(tmp_path / "new").load_state_dict(state)
    assert not (tmp_path / "new").exists()


def test_what_is_no_path_is_refused() -> None:
    for path in (3, "a\0b"):
        with pytest.raises(UsageError, match="is no path"):
            StateFolder(path)  # type: ignore[arg-type]


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
