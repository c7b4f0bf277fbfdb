"""What the tests of Savers share."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from thexp_pl import Saver

PAIR = {"0000001.ckpt", "0000001.ckpt.json"}


def names(paths: list[Path]) -> list[str]:
    return [path.name for path in paths]


def files(folder: Path) -> set[str]:
    """Everything in a folder but the lock, which stays."""
    return {path.name for path in folder.iterdir()} - {".saver.lock"}


def in_one_line(error: pytest.ExceptionInfo[BaseException]) -> str:
    assert "\n" not in str(error.value)
    return str(error.value)


def in_own_process(scenario: Callable[..., None], *arguments: object, timeout_s: int = 120) -> str:
    """Run a test module's function in a process without threads, so that it may fork."""
    command = [sys.executable, "-W", "error", scenario.__code__.co_filename, scenario.__name__]
    ended = subprocess.run(
        [*command, *map(str, arguments)], capture_output=True, text=True, timeout=timeout_s
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def main(functions: dict[str, Any]) -> None:
    """Run the function of a test module that the command line names."""
    torch.set_num_threads(1)  # a forked process has none of its parent's threads
    functions[sys.argv[1]](*sys.argv[2:])


def forked(body: Callable[[], None]) -> int:
    child = os.fork()
    if child == 0:
        signal.alarm(180)  # nobody else would end it if it hung
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


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def lose_the_sidecar(path: Path) -> None:
    Path(f"{path}.json").unlink()


SECONDS = 180.0  # that something may take before it counts as hung


class Gate:
    """A value that the writer's thread can write only once the gate is open."""

    entered, opened = threading.Event(), threading.Event()

    def __reduce__(self) -> tuple[Any, ...]:
        if threading.current_thread() is not threading.main_thread():
            self.entered.set()
            assert self.opened.wait(SECONDS)
        return (Gate, ())


def open_the_gate() -> int:
    Gate.entered.set()
    assert Gate.opened.wait(SECONDS)
    return 1


class Waiting:
    """A value that is made anew only once the gate is open, before the folder is locked."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (open_the_gate, ())
