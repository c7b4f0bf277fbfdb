"""What runs an attempt on the other side: the body of a Ray actor."""

from __future__ import annotations

import os
import shutil
import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from thexp_pl import __version__
from thexp_pl.record.locks import take
from thexp_pl.record.sweep_folder import SweepFolder
from thexp_pl.sweeps.engines.ray.homing import gathered
from thexp_pl.sweeps.engines.ray.lifeline import Attempt, start_attempt
from thexp_pl.sweeps.engines.ray.sending import Cargo, root_in, scratch_of, settled

__all__ = ["Order", "Outcome", "Place", "Worker"]

_PIECE_BYTES = 32 << 20
_LOG_BYTES = 1 << 20
_LOOK_SECONDS = 0.5


@dataclass(frozen=True)
class Order:
    """What a worker is to do.

    Args:
        root: The experiment root at home.
        key: The sweep's key.
        point: The point's number.
        token: A file in the sweep's folder, by which a worker knows whether it sees it.
        home: Where thexp keeps what belongs to the user, at home.
        environment: Further variables of the run.
    """

    root: Path
    key: str
    point: int
    token: str
    home: str
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Place:
    """Where an attempt has come to.

    Args:
        host: The worker's name.
        version: The thexp_pl that is installed there.
        is_shared: Whether the experiment root is to be seen there.
    """

    host: str
    version: str
    is_shared: bool


@dataclass(frozen=True)
class Outcome:
    """How an attempt has ended.

    Args:
        code: The exit code of its process; None where there is none.
        reason: Why the attempt could not be made, or its runs not be packed; else empty.
        pieces: In how many pieces its runs can be fetched.
        printed: The end of what it has printed, where the root is not shared.
    """

    code: int | None
    reason: str = ""
    pieces: int = 0
    printed: bytes = b""


class Worker:
    """One attempt at a point, where Ray has found room for it.

    Args:
        order: What is to be done.
    """

    def __init__(self, order: Order) -> None:
        self._order = order
        self._lock = threading.Lock()
        self._attempt: Attempt | None = None
        self._is_stopped = False
        self._file: Path | None = None

    def place(self) -> Place:
        """Say where this is."""
        order = self._order
        is_shared = (SweepFolder(order.root, order.key).folder / order.token).exists()
        return Place(socket.gethostname(), __version__, is_shared)

    def run(self, sweep: bytes | None, points: bytes, run: bytes | None) -> Outcome:
        """Run the attempt to its end.

        Args:
            sweep: As in `Cargo`; None where the root is to be seen here.
            points: As in `Cargo`.
            run: As in `Cargo`.
        """
        order = self._order
        os.environ.pop("PYTHONBREAKPOINT", None)  # of Ray's, which no training is to follow
        try:
            if sweep is not None:
                return self._away(Cargo(sweep, points, run))
            os.environ["THEXP_HOME"] = order.home
            return Outcome(*self._attempted(SweepFolder(order.root, order.key)))
        except OSError as error:
            return Outcome(None, " ".join(f"{socket.gethostname()}: {error}".split()))

    def stop(self) -> None:
        """Ask the attempt to end with a checkpoint."""
        with self._lock:
            self._is_stopped = True
            if self._attempt is not None:
                self._attempt.stop()

    def piece(self, number: int) -> bytes:
        """Give a piece of the file with the runs.

        Args:
            number: Which, from 0.
        """
        if self._file is None:
            return b""
        with self._file.open("rb") as file:
            file.seek(number * _PIECE_BYTES)
            return file.read(_PIECE_BYTES)

    def clear(self) -> None:
        """Remove what the attempt has left here; its runs are at home."""
        scratch = scratch_of(self._order.key, self._order.point)
        shutil.rmtree(scratch, ignore_errors=True)
        with suppress(OSError):  # of other points there is something
            scratch.parent.rmdir()

    def _attempted(self, paths: SweepFolder) -> tuple[int | None, str]:
        order = self._order
        self._await_forerunner(paths)
        with self._lock:
            if self._is_stopped:
                return None, "it was stopped before it began"
            self._attempt = start_attempt(paths.root, order.key, order.point, order.environment)
        return self._attempt.wait()

    def _await_forerunner(self, paths: SweepFolder) -> None:
        """Wait for an attempt whose worker was killed: it saves, and is then gone on with."""
        lock = paths.point_lock(self._order.point)
        while (held := take(lock, _LOOK_SECONDS)) is None and not self._is_stopped:
            pass
        if held is not None:
            os.close(held)

    def _away(self, cargo: Cargo) -> Outcome:
        """Run it in a scratch root, and pack what it has recorded."""
        order = self._order
        scratch = scratch_of(order.key, order.point)
        os.environ["THEXP_HOME"] = str(scratch / "home")  # no user's list names a scratch root
        self._await_forerunner(SweepFolder(root_in(scratch), order.key))
        paths = settled(scratch, order.key, cargo)
        code, reason = self._attempted(paths)
        log = paths.log(order.point)
        printed = log.read_bytes()[-_LOG_BYTES:] if log.exists() else b""
        self._file = gathered(scratch, paths)
        size = 0 if self._file is None else self._file.stat().st_size
        return Outcome(code, reason, -(-size // _PIECE_BYTES), printed)
