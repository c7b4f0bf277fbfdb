"""The process that does a run again."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import NamedTuple

from thexp_pl.errors import RecordError
from thexp_pl.record.folders import run_folders
from thexp_pl.record.names import shown
from thexp_pl.rerun.command import Command
from thexp_pl.runs.run import Run, read_run

__all__ = ["Ended", "run_again", "run_of"]

_FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)


class Ended(NamedTuple):
    """A process that has ended.

    Args:
        pid: Its number.
        code: Its exit code; the negative number of the signal that ended it.
        runs: The folders of runs that were there before it.
    """

    pid: int
    code: int
    runs: frozenset[Path]

    @property
    def fault(self) -> str:
        """How it failed; an empty text where it did not."""
        if self.code >= 0:
            return f"exit code {self.code}" if self.code else ""
        with contextlib.suppress(ValueError):
            return signal.Signals(-self.code).name
        return f"signal {-self.code}"


def run_again(command: Command, root: Path) -> Ended:
    """Run a command to its end; what it prints goes through, and so do signals.

    A signal that ends this process otherwise is kept back until the command has ended.

    Args:
        command: The command.
        root: The experiment root that it records in.

    Returns:
        How it ended.

    Raises:
        RecordError: It cannot be started.
        KeyboardInterrupt: Ctrl-C was pressed meanwhile, and the command has ended.
    """
    before = frozenset(paths.folder for paths in run_folders(root))
    for stream in (sys.stdout, sys.stderr):
        stream.flush()  # what was said before comes first
    with _forwarding() as (processes, received):
        try:
            process = subprocess.Popen(command.words, cwd=command.folder, env=command.environment())
        except (OSError, ValueError) as error:  # such as text that no system takes
            reason = error.strerror if isinstance(error, OSError) else error
            raise RecordError(
                f"cannot start {shown(command.words[0])} in {shown(str(command.folder))}: {reason}"
            ) from error
        processes.append(process)
        code = process.wait()
    for number in received:
        signal.raise_signal(number)
    return Ended(process.pid, code, before)


def run_of(root: Path, place: int, ended: Ended) -> Run | None:
    """Find a run that a process has recorded.

    Args:
        root: The experiment root.
        place: Its place in the order of their start, from 0.
        ended: The process.

    Returns:
        The run; None where it recorded fewer.
    """
    new = (read_run(paths) for paths in run_folders(root) if paths.folder not in ended.runs)
    own = [run for run in new if run.manifest.get("process", {}).get("pid") == ended.pid]
    own.sort(key=lambda run: (run.started, run.key))
    return own[place] if place < len(own) else None


@contextlib.contextmanager
def _forwarding() -> Iterator[tuple[list[subprocess.Popen[bytes]], list[int]]]:
    """Pass signals on to a process; a terminal has given its own to both."""
    processes: list[subprocess.Popen[bytes]] = []
    received: list[int] = []

    def forward(number: int, frame: FrameType | None) -> None:
        received.append(number)
        if number != signal.SIGINT or not _at_terminal():
            for process in processes:
                process.send_signal(number)

    if threading.current_thread() is not threading.main_thread():
        yield processes, received  # Python lets no other thread see to signals
        return
    previous = {
        number: signal.signal(number, forward)
        for number in _FORWARDED
        if signal.getsignal(number) not in (signal.SIG_IGN, None)
    }
    try:
        yield processes, received
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _at_terminal() -> bool:
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)
