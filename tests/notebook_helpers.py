"""A real kernel of a notebook, and what its cells show."""

from __future__ import annotations

import os
import queue
import shutil
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

DEADLINE = 300.0  # seconds of whatever is waited for; what hangs fails

# the packages of Jupyter warn of their own parts; each is matched by its message
jupyters_own_warnings = pytest.mark.filterwarnings(
    r"ignore:Jupyter is migrating its paths to use standard platformdirs"
)


@dataclass
class Shown:
    """What a cell came to.

    Args:
        status: ``ok`` or ``error``.
        error: Of one that failed, the exception's name and what is shown of it.
        displays: What was displayed, in order: whether it is an update, its display_id, its data.
        text: What was printed.
        result: The cell's value, by kind of data.
    """

    status: str = ""
    error: tuple[str, list[str]] = ("", [])
    displays: list[tuple[bool, str, dict[str, str]]] = field(default_factory=list)
    text: str = ""
    result: dict[str, str] = field(default_factory=dict)

    @property
    def html(self) -> str:
        """The last that was displayed."""
        return self.displays[-1][2]["text/html"]


class Kernel:
    """A kernel, in which cells are run one after the other."""

    def __init__(self, manager: Any, client: Any, folder: Path) -> None:
        self.manager, self._client, self.folder = manager, client, folder

    def run(self, code: str, on_display: Callable[[Shown], object] = lambda shown: None) -> Shown:
        """Run a cell to its end.

        Args:
            code: The cell.
            on_display: Called after each display, also while the cell runs.
        """
        asked = self._client.execute(textwrap.dedent(code))
        shown, until = Shown(), time.monotonic() + DEADLINE
        while True:
            message = self._next(self._client.get_iopub_msg, until, code)
            if message["parent_header"].get("msg_id") != asked:
                continue
            kind, content = message["msg_type"], message["content"]
            if kind == "status" and content["execution_state"] == "idle":
                break
            _take(shown, kind, content)
            if kind in ("display_data", "update_display_data"):
                on_display(shown)
        while (reply := self._next(self._client.get_shell_msg, until, code)) is not None:
            if reply["parent_header"].get("msg_id") == asked:
                shown.status = reply["content"]["status"]
                return shown
        raise AssertionError

    def interrupt(self) -> None:
        """Do what the button does."""
        self.manager.interrupt_kernel()

    def _next(self, get: Any, until: float, code: str) -> Any:
        try:
            return get(timeout=max(until - time.monotonic(), 0.01))
        except queue.Empty:
            pytest.fail(f"the cell does not end: {code[:200]}")


def _take(shown: Shown, kind: str, content: dict[str, Any]) -> None:
    if kind in ("display_data", "update_display_data"):
        name = content.get("transient", {}).get("display_id", "")
        shown.displays.append((kind == "update_display_data", name, content["data"]))
    elif kind == "stream":
        shown.text += content["text"]
    elif kind == "execute_result":
        shown.result = content["data"]
    elif kind == "error":
        shown.error = (content["ename"], content["traceback"])


@contextmanager
def kernel_in(folder: Path) -> Iterator[Kernel]:
    """Start a kernel whose home and working directory are in a folder, and end it."""
    from jupyter_client.manager import KernelManager

    # sockets in a folder: a port is free when it is chosen, and may be another's when it is bound
    sockets = tempfile.mkdtemp(prefix="kernel-")  # the name of a socket has about 100 letters
    manager = KernelManager(transport="ipc", connection_file=f"{sockets}/kernel.json")
    manager.kernel_cmd = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (folder / "work").mkdir()
    own = {name: str(folder / name.lower()) for name in ("THEXP_HOME", "IPYTHONDIR")}
    environment = {
        **os.environ,
        **own,
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(Path(__file__).parent),
    }
    manager.start_kernel(cwd=str(folder / "work"), env=environment, stderr=subprocess.DEVNULL)
    client = manager.client()
    try:
        client.start_channels()
        client.wait_for_ready(timeout=DEADLINE)
        yield Kernel(manager, client, folder / "work")
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        manager.cleanup_resources()
        shutil.rmtree(sockets)
