"""Trainings in processes of their own that cost no start: a process that has imported it all forks.

Run as a script it reads one JSON list a line, ``["module:function", {arguments}]``, calls the
function in a forked child, and answers ``[exit code or -signal, "traceback"]``.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import subprocess
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SECONDS = 240  # a child that hangs is killed then


class Nursery:
    """Calls functions in forked children of a process that has imported Lightning.

    Args:
        module: The test module's helpers, imported once.
    """

    def __init__(self, module: str) -> None:
        folder = str(Path(__file__).parent)
        environment = {**os.environ, "PYTHONPATH": folder, "PYTHONWARNINGS": "ignore"}
        self._module = module
        self._server = subprocess.Popen(
            [sys.executable, __file__, module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def call(self, function: str, **arguments: Any) -> int:
        """Call a function, and give the child's exit code, or the signal it died of, negative.

        Raises:
            AssertionError: It raised; the message is its traceback.
        """
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.write(json.dumps([f"{self._module}:{function}", arguments]) + "\n")
        self._server.stdin.flush()
        code, trace = json.loads(self._server.stdout.readline())
        assert not trace, trace
        return int(code)

    def close(self) -> None:
        """End the process."""
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.close()
        self._server.wait(60)
        self._server.stdout.close()


@contextlib.contextmanager
def nursery(module: str) -> Iterator[Nursery]:
    """Open a nursery for the time of a block."""
    opened = Nursery(module)
    try:
        yield opened
    finally:
        opened.close()


def _serve(module: str, answers: int) -> None:
    importlib.import_module(module)
    gc.freeze()  # or each child looks through all that was imported
    for line in sys.stdin:
        function, arguments = json.loads(line)
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            _run(function, arguments, writing)
        os.close(writing)
        trace = _read(reading, child)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        os.write(answers, (json.dumps([status, trace]) + "\n").encode())


def _read(reading: int, child: int) -> str:
    pieces = []
    with open(reading, "rb") as file:
        while select.select([file], [], [], SECONDS)[0]:
            piece = os.read(file.fileno(), 65536)
            if not piece:
                return b"".join(pieces).decode()
            pieces.append(piece)
    os.kill(child, signal.SIGKILL)
    return f"no answer within {SECONDS} s"


def _run(function: str, arguments: dict[str, Any], writing: int) -> None:
    code = 0
    try:
        os.setsid()
        module, _, name = function.partition(":")
        getattr(importlib.import_module(module), name)(**arguments)
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except BaseException:  # noqa: BLE001 - told by the parent
        os.write(writing, traceback.format_exc().encode())
        code = 1
    finally:
        sys.stdout.flush()
        os._exit(code)  # what the server would do at its exit is not the child's to do


if __name__ == "__main__":
    answers = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is printed by the way is no answer
    _serve(sys.argv[1], answers)
