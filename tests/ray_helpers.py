"""Sweeps of a light script on a Ray that is there for one module of tests."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from port_helpers import kept_port

from thexp_pl.sweeps.point import Point
from thexp_pl.sweeps.standing import State, standing
from thexp_pl.sweeps.submission import submit
from thexp_pl.sweeps.sweep import Sweep, read_points

DRIVER = Path(__file__).with_name("ray_driver.py")
DEADLINE = 240.0
AWAY_CPUS = 3  # more than the node has that sees the roots
# for a machine that tests share: its processes start slowly, and its memory is not Ray's to watch
UNHURRIED = {
    "RAY_CLIENT_SERVER_CHECK_CHANNEL_TIMEOUT_S": "120",
    "RAY_memory_monitor_refresh_ms": "0",
    "RAY_worker_register_timeout_seconds": "180",
}

# Counts to five, each step a row and a checkpoint, and waits after the second while the file `hold`
# says so; what it goes on from, its own folder tells.
SCRIPT = """
import json, os, sys, time
from pathlib import Path
from thexp_pl import Experiment

told = dict(word.removeprefix("--").split("=") for word in sys.argv[1:])
shared = Path(told["shared"])
print("attempt at", told["lr"])

with Experiment("experiment", "light", console=False) as exp:
    exp.params = {"lr": float(told["lr"])}
    begin = 0
    if told["saves"] == "yes":
        from thexp_pl import Saver
        saver = Saver(exp.paths.folder / "modules", run_key=exp.key)
        if saver.find_checkpoints():
            begin = saver.load_checkpoint(-1, byindex=True)["done"]
    (shared / f"pid-{told['lr']}").write_text(str(os.getpid()))
    (shared / f"where-{told['lr']}").write_text(os.getcwd())
    (shared / f"environment-{told['lr']}").write_text(json.dumps(dict(os.environ)))
    (shared / f"begun-{told['lr']}").open("a").write(f"{begin}\\n")
    for step in range(begin, 5):
        exp.log_metrics(step, step, {"value": step * float(told["lr"])})
        if told["saves"] == "yes":
            saver.save_checkpoint(step + 1, {"done": step + 1}, step=step + 1)
        if step == 1:
            (shared / f"held-{told['lr']}").touch()
        while step == 1 and (shared / "hold").exists():
            time.sleep(0.02)
    if told["lr"] == "13":
        raise ValueError("an unlucky number")
"""


@dataclass
class Cluster:
    """A Ray: one node that sees all files, and where `away` is a folder, one that does not see it.

    Args:
        address: Where it is.
        client: Where its server for ``ray://`` is.
        away: The folder that the second node does not see.
    """

    address: str
    client: str
    away: Path | None = None


def light_sweep(
    folder: Path, values: Sequence[str], *, saves: bool = False, shared: Path | None = None
) -> tuple[Sweep, Path]:
    """Submit a sweep of the script; what its runs tell the test lies in `shared`."""
    project, shared = folder / "project", shared or folder / "shared"
    project.mkdir(parents=True)
    shared.mkdir(exist_ok=True)
    (project / "light.py").write_text(SCRIPT)
    points = [Point(number, {"lr": value}, digest=value) for number, value in enumerate(values)]
    words = ["light.py", f"--shared={shared}", f"--saves={'yes' if saves else 'no'}"]
    root = folder / "experiment"
    command = "thexp-pl sweep light.py"
    return submit(
        root, words, ["lr"], points, command=command, project=project, folder=project
    ), shared


@dataclass
class Driven:
    """A process that drives a sweep on Ray; what it prints is one JSON object a line."""

    process: subprocess.Popen[str]

    def until(self, condition: Callable[[], object], what: str) -> None:
        """Wait until something holds, which it does while this process lives."""
        until(lambda: condition() or self.process.poll() is not None, what)
        assert condition(), f"{what}: {self.process.communicate(timeout=DEADLINE)}"

    def lines(self) -> list[dict[str, Any]]:
        """Wait for its end, and give what it has told."""
        output, errors = self.process.communicate(timeout=DEADLINE)
        assert not errors, errors
        return [json.loads(line) for line in output.splitlines()]

    @property
    def code(self) -> int:
        return self.process.returncode


def driven(sweep: Sweep, *, version: str = "", **options: Any) -> Driven:
    """Start a process that drives a sweep, as that version of thexp_pl; what it starts ends."""
    words = [str(sweep.paths.root), sweep.key, json.dumps(options)]
    process = subprocess.Popen(
        [sys.executable, "-W", "error", str(DRIVER), *words, version],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **UNHURRIED},
    )
    return Driven(process)


def states(sweep: Sweep) -> dict[int, State]:
    return standing(sweep, read_points(sweep))


def rows_of(state: State) -> list[str]:
    assert state.paths is not None
    return state.paths.metrics.read_text().splitlines()[1:]


def until(condition: Callable[[], object], what: str) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(0.02)


def process_at(path: Path) -> psutil.Process:
    """Give the process of a run, which has written its number there."""
    return psutil.Process(int(path.read_text()))


def worker_above(run: psutil.Process) -> psutil.Process:
    """Give the Ray worker that a process runs below."""
    above = run.parents()
    return next(process for process in above if "".join(process.cmdline()).startswith("ray::"))


def has_ended(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


@contextlib.contextmanager
def ray_cluster(folder: Path, *, away: bool = False) -> Iterator[Cluster]:
    """Start a Ray of a node with 2 CPUs and, it thinks, 2 GPUs; `away` adds one as in Cluster."""
    with contextlib.ExitStack() as stack:
        port, client = (stack.enter_context(kept_port()) for _ in range(2))
        here = ["--head", f"--port={port}", f"--ray-client-server-port={client}"]
        quiet = ["--include-dashboard=false", "--disable-usage-stats"]
        words = [*here, *quiet, f"--temp-dir={folder / 'ray'}", "--num-cpus=2", "--num-gpus=2"]
        stack.callback(_end_all, folder)
        address = f"127.0.0.1:{port}"
        stack.enter_context(_node([], words, folder / "head.log"))
        until(lambda: _listens(port) and _listens(client), "both of its servers listen")
        hidden = folder / "away" if away else None
        if hidden is not None:
            hidden.mkdir()
            mount = f"mount -t tmpfs none '{hidden}' && exec \"$@\""
            unseen = ["unshare", "-m", "sh", "-c", mount, "sh"]
            words = [f"--address={address}", f"--num-cpus={AWAY_CPUS}"]
            stack.enter_context(_node(unseen, words, folder / "node.log"))
        yield Cluster(address, f"ray://127.0.0.1:{client}", hidden)


@contextlib.contextmanager
def _node(before: list[str], words: list[str], log: Path) -> Iterator[None]:
    program = str(Path(sys.executable).with_name("ray"))
    store = "--object-store-memory=100000000"
    # any that are free: those of another Ray on this machine would be the same
    ports = ["--min-worker-port=0", "--max-worker-port=0"]
    disabled = {"RAY_AUTH_MODE": "disabled"}  # else a token is left in the home
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*before, program, "start", "--block", store, *ports, *words],
            stdout=output,
            stderr=output,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **UNHURRIED, **disabled},
            start_new_session=True,
        )
    try:
        until(lambda: b"--block" in log.read_bytes() or process.poll() is not None, str(log))
        assert process.poll() is None, log.read_text()
        yield
    finally:
        node = psutil.Process(process.pid)
        below = node.children(recursive=True)
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(20)
        _kill([*below, node])
        process.wait(DEADLINE)


def _kill(processes: Sequence[psutil.Process]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(processes, DEADLINE)


def _end_all(folder: Path) -> None:
    """End what else works in the folder of a Ray, which is to be removed."""
    words = f"{folder}/"
    _kill([each for each in psutil.process_iter() if words in " ".join(words_of(each))])


def words_of(process: psutil.Process) -> list[str]:
    """Give the command of a process; nothing where it is gone."""
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 5):
        return True
    return False
