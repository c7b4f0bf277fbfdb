"""Servers that show runs in a browser, started as a user would, until they answer."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

__all__ = ["Visit", "free_port", "until", "visited"]

_SECONDS = 120.0
_PAUSE = 0.005
_ADDRESS = re.compile(r"http://127\.0\.0\.1:(\d+)(/\S*)?")


class Visit:
    """A browser that draws nothing: it keeps its cookie, and the ETag of what it was given.

    Args:
        port: The server's.
    """

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_SECONDS)
        self._cookie = ""
        self._versions: dict[str, str] = {}

    def get(self, path: str) -> tuple[int, bytes]:
        """Ask for an address; a cookie that comes with the answer is kept, and so is its ETag."""
        headers = {"Cookie": self._cookie} if self._cookie else {}
        if path in self._versions:
            headers["If-None-Match"] = self._versions[path]
        self._connection.request("GET", path, headers=headers)
        answer = self._connection.getresponse()
        body = answer.read()
        self._cookie = (answer.getheader("Set-Cookie") or self._cookie).partition(";")[0]
        if version := answer.getheader("ETag"):
            self._versions[path] = version
        return answer.status, body


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


@contextlib.contextmanager
def visited(home: Path, program: list[str]) -> Iterator[tuple[Visit, str, float]]:
    """Start ``thexp-pl ui``; give a visit, the path with the token, and the seconds that it took.

    Args:
        home: The user's ``THEXP_HOME``.
        program: The command.
    """
    environment = {**os.environ, "THEXP_HOME": str(home)}
    start = time.perf_counter()
    process = subprocess.Popen(
        program, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
    )
    try:
        assert process.stdout is not None
        found = _ADDRESS.search(process.stdout.readline())
        if found is None:
            raise RuntimeError(f"{program} printed no address")
        yield Visit(int(found[1])), found[2], time.perf_counter() - start
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(_SECONDS)


def until(program: list[str], port: int, is_there: Callable[[Visit], bool], cwd: Path) -> float:
    """Start another server and ask it until it has answered; give the seconds that it took.

    Args:
        program: The command.
        port: The port that it was told.
        is_there: Asks, and says whether that was the answer.
        cwd: Where it runs.
    """
    start = time.perf_counter()
    process = subprocess.Popen(
        program,
        cwd=cwd,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # it may have processes of its own
    )
    try:
        while process.poll() is None and time.perf_counter() - start < _SECONDS:
            with contextlib.suppress(OSError, http.client.HTTPException):
                if is_there(Visit(port)):
                    return time.perf_counter() - start
            time.sleep(_PAUSE)
        raise RuntimeError(f"{program} did not answer in {_SECONDS:.0f} s, or has ended")
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(_SECONDS)
