"""`LocalEngine`: attempts as processes of this machine, so many at a time."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

from thexp_pl.errors import UsageError
from thexp_pl.record.locks import is_held
from thexp_pl.sweeps.attempt import AlreadyDone, AlreadyRunning, begin_attempt
from thexp_pl.sweeps.devices import VISIBLE, threads_for
from thexp_pl.sweeps.engines.base import Ended, ending_text
from thexp_pl.sweeps.engines.places import Places
from thexp_pl.sweeps.point import Point
from thexp_pl.sweeps.standing import state_of
from thexp_pl.sweeps.sweep import Sweep, read_points

__all__ = ["LocalEngine"]

_PAUSE_SECONDS = 0.05  # between two looks at a lock
_ORPHAN_SECONDS = 10.0  # the workers of a loader look every 5 s whether its process is there
_LOOK_SECONDS = 1.0  # between two looks at the memory, or for a process that is no child
_KILLED_SECONDS = 10.0  # a process in an uninterruptible state is not waited for any longer


class LocalEngine:
    """Runs attempts as own processes.

    Args:
        jobs: How many run at a time.
        gpus_per_run: How many GPUs each has for itself; 0 hides them; None lets all see all.
        memory: How much memory must be free where an attempt starts, bytes: of a GPU, or of the
            machine where there is none. See `thexp_pl.sweeps.engines.places`.

    Raises:
        UsageError: There are to be no runs at a time, or fewer than no GPUs.
    """

    def __init__(
        self,
        jobs: int = 1,
        *,
        gpus_per_run: int | None = None,
        memory: int | None = None,
    ) -> None:
        if jobs < 1:
            raise UsageError(f"--jobs={jobs}: at least 1 run at a time")
        if gpus_per_run is not None and gpus_per_run < 0:
            raise UsageError(f"--gpus_per_run={gpus_per_run}: 0 or more GPUs")
        self._jobs = jobs
        self._places = Places(gpus_per_run, memory)
        self._points: list[Point] = []
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        self._adopted: dict[int, _Adopted] = {}
        self._ended: queue.SimpleQueue[Ended] = queue.SimpleQueue()
        self._found: list[str] | None = None  # where the next attempt may start
        self._looked_at = 0.0
        self._is_stopping = False
        self._is_closed = threading.Event()

    @property
    def hindrance(self) -> str:
        """Why no attempt may start though there is a job left; empty where one may."""
        if len(self.running()) >= self._jobs or self._found is not None or not self._looked_at:
            return ""
        return self._places.hindrance()

    def check(self, root: Path) -> None:
        """See that an attempt fits on this machine.

        Args:
            root: The experiment root.

        Raises:
            UsageError: It never will.
        """
        self._places.check()

    def open(self, sweep: Sweep) -> None:
        """Learn which sweep it runs.

        Args:
            sweep: The sweep.
        """
        self._sweep = sweep
        self._threads = threads_for(self._jobs, sweep.facts.get("environment") or {})

    def room(self) -> int:
        """Say how many more attempts may be handed over now."""
        jobs = max(self._jobs - len(self.running()), 0)
        if not self._places.is_limited or not jobs:
            return jobs
        now = time.monotonic()
        if self._found is None and now - self._looked_at >= _LOOK_SECONDS:
            self._looked_at = now
            if self._are_placed():
                self._found = self._places.find()
        return 0 if self._found is None else 1

    def start(self, point: int) -> None:
        """Start a process for an attempt, or wait for the one that another has started.

        Args:
            point: The point's number.

        Raises:
            RecordError: It cannot be started.
        """
        found, self._found, self._looked_at = self._found or [], None, 0.0
        environment = {**self._threads, **self._places.take(point, found)}
        try:
            process = begin_attempt(self._sweep, self._point(point), environment=environment)
        except AlreadyDone:
            self._places.give_back(point)
            self._ended.put(Ended(point, 0))
        except AlreadyRunning:
            self._places.give_back(point)
            self._adopted[point] = _Adopted(self._sweep, self._point(point))
            self._in_thread(self._wait_for_another, point)
        except BaseException:
            self._places.give_back(point)
            raise
        else:
            self._processes[point] = process
            self._in_thread(self._wait_for, point, process)

    def wait(self, seconds: float) -> list[Ended]:
        """Wait until attempts have ended, or for a while.

        Args:
            seconds: The longest that it waits.

        Returns:
            Those that have ended since the last call.
        """
        if self._is_stopping:
            self._ask_adopted(signal.SIGTERM)
        ended: list[Ended] = []
        with contextlib.suppress(queue.Empty):
            ended.append(self._ended.get(timeout=seconds))
            while True:
                ended.append(self._ended.get_nowait())
        for each in ended:
            self._processes.pop(each.point, None)
            self._adopted.pop(each.point, None)
            self._places.give_back(each.point)
            self._looked_at = 0.0
        return ended

    def running(self) -> set[int]:
        """Give the points whose attempts run."""
        return {*self._processes, *self._adopted}

    def stop(self, *, for_good: bool) -> str:
        """Ask all attempts to end with a checkpoint, by SIGTERM.

        Args:
            for_good: Means nothing here: none waits to be begun.

        Returns:
            What becomes of them.
        """
        self._is_stopping = True
        for process in self._processes.values():
            process.terminate()
        self._ask_adopted(signal.SIGTERM)
        return ending_text(len(self.running()))

    def close(self) -> None:
        """Kill what is left of the attempts, with all that they have started."""
        for point, process in self._processes.items():
            if process.poll() is None or is_held(self._sweep.paths.point_lock(point)):
                _kill_group(process.pid)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_KILLED_SECONDS)
            self._places.give_back(point)
        for adopted in self._adopted.values():
            if (pid := adopted.pid()) is not None:
                with contextlib.suppress(OSError):
                    _kill_group(os.getpgid(pid))
        self._is_closed.set()
        self._processes.clear()
        self._adopted.clear()

    def _point(self, number: int) -> Point:
        if number >= len(self._points):
            self._points = read_points(self._sweep)  # a search adds to them
        return self._points[number]

    def _in_thread(self, work: Callable[..., None], *words: object) -> None:
        threading.Thread(target=work, args=words, name="thexp-sweep", daemon=True).start()

    # -- in threads of their own -----------------------------------------------------------------

    def _wait_for(self, point: int, process: subprocess.Popen[bytes]) -> None:
        code = process.wait()
        lock, deadline = self._sweep.paths.point_lock(point), time.monotonic() + _ORPHAN_SECONDS
        # What it has forked, such as the workers of a loader, holds the lock until it has seen
        # that the process is gone: before, no other can begin.
        while is_held(lock) and not self._is_closed.wait(_PAUSE_SECONDS):
            if time.monotonic() > deadline:
                _kill_group(process.pid)
                deadline = float("inf")  # once: later the number may be another's
        self._ended.put(Ended(point, code))

    def _wait_for_another(self, point: int) -> None:
        lock = self._sweep.paths.point_lock(point)
        while is_held(lock) and not self._is_closed.wait(_PAUSE_SECONDS):
            pass
        # on a file system without locks, or on another machine
        while state_of(self._sweep, self._point(point)).is_alive:
            if self._is_closed.wait(_LOOK_SECONDS):
                break
        self._ended.put(Ended(point, None))

    # -- processes that an earlier driver has started --------------------------------------------

    def _ask_adopted(self, number: signal.Signals) -> None:
        for adopted in self._adopted.values():
            adopted.ask(number)

    def _are_placed(self) -> bool:
        """Say whether it is known where all processes run that an earlier driver has started."""
        for point, adopted in self._adopted.items():
            if not adopted.is_placed and (told := adopted.environment()) is not None:
                self._places.take(point, self._places.known(told.get(VISIBLE)))
                adopted.is_placed = True
        return all(adopted.is_placed for adopted in self._adopted.values())


class _Adopted:
    """A process that this one has not started: known once its run is recorded.

    Args:
        sweep: The sweep.
        point: The point.
    """

    def __init__(self, sweep: Sweep, point: Point) -> None:
        self._sweep, self._point = sweep, point
        self._is_asked = False
        self._looked_at = 0.0
        self.is_placed = False

    def ask(self, number: signal.Signals) -> None:
        """Send a signal, once; where its number is not known yet, a later call does."""
        if self._is_asked or time.monotonic() - self._looked_at < _LOOK_SECONDS:
            return
        self._looked_at = time.monotonic()
        if (pid := self.pid()) is not None:
            with contextlib.suppress(OSError):
                os.kill(pid, number)
            self._is_asked = True

    def pid(self) -> int | None:
        """Give the process's number, as far as it lives and is known on this machine."""
        state = state_of(self._sweep, self._point)
        if state.run is None or state.run.status != "running":  # by its start and its host
            return None
        process = state.run.manifest.get("process") or {}
        pid, host = process.get("pid"), process.get("host")
        is_here = isinstance(pid, int) and pid > 1 and host in (None, os.uname().nodename)
        return pid if is_here else None

    def environment(self) -> dict[str, str] | None:
        """Give the variables that its run has recorded; None where none is recorded yet."""
        run = state_of(self._sweep, self._point).run
        if run is None or run.status != "running":
            return None
        return run.manifest.get("environment") or {}


def _kill_group(number: int) -> None:
    # not by the process that leads it, whose number it has: that one may be gone already
    with contextlib.suppress(OSError):
        os.killpg(number, signal.SIGKILL)
