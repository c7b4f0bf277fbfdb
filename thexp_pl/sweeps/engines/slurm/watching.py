"""`Watch`: the jobs that have not ended, and how one learns that they have."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from thexp_pl.sweeps.engines.base import Ended
from thexp_pl.sweeps.engines.slurm.handed import Handed, read_outcome
from thexp_pl.sweeps.engines.slurm.queue import QueueError, how_it_ended, living_jobs

__all__ = ["Watch"]

_LOOK_SECONDS = 0.5  # between two looks at the outcomes
_ASK_SECONDS = (0.5, 60.0)  # between two questions to SLURM: the shortest and the longest pause
_KILLED_SECONDS = 10.0  # a process in an uninterruptible state is not waited for any longer
_HAS_BEGUN = frozenset(("RUNNING", "COMPLETING", "SUSPENDED", "STOPPED", "SIGNALING"))


class Watch:
    """The jobs that have not ended.

    Args:
        cluster: Where the jobs run, one of `options.CLUSTERS`.
    """

    def __init__(self, cluster: str) -> None:
        self._cluster = cluster
        self._waiting: dict[int, Handed] = {}
        self._jobs: dict[int, Any] = {}  # of submitit: only those that run here
        self._states: dict[str, str] = {}
        self._missed: set[Handed] = set()
        self._looked_at = self._asked_at = float("-inf")
        self._pause = _ASK_SECONDS[0]

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, point: int) -> bool:
        return point in self._waiting

    def __iter__(self) -> Iterator[Handed]:
        return iter(tuple(self._waiting.values()))

    def add(self, handed: Handed, job: Any = None) -> None:
        """Watch a job.

        Args:
            handed: The job.
            job: submitit's, where it runs on this machine.
        """
        self._waiting[handed.point] = handed
        self.ask_soon()
        if job is not None and self._cluster != "slurm":
            self._jobs[handed.point] = job

    def ask_soon(self) -> None:
        """Ask SLURM at once what has become of them, and often at first."""
        self._pause = _ASK_SECONDS[0]

    def forget(self) -> None:
        """Watch none of them any more."""
        self._waiting.clear()
        self._jobs.clear()

    def begun(self) -> set[int]:
        """Give the points whose jobs have begun."""
        if self._cluster != "slurm":
            return set(self._waiting)
        return {each.point for each in self if self._states.get(each.job) in _HAS_BEGUN}

    def send(self, number: int) -> None:
        """Send a signal to the jobs that run on this machine.

        Args:
            number: The signal.
        """
        for point, job in self._jobs.items():
            if self._cluster == "local" and point in self._waiting and not job.done():
                os.kill(int(job.job_id), number)  # the process that holds the job's tasks

    def kill(self) -> None:
        """Kill the jobs that run on this machine, with all that they have started."""
        for point, job in self._jobs.items():
            if self._cluster == "local" and point in self._waiting and not job.done():
                _kill(int(job.job_id))
                job.done()  # so that submitit knows

    def ended(self, outcomes: Path) -> list[Ended]:
        """Give those that have ended since the last call: by their outcomes, or lost by SLURM.

        Args:
            outcomes: The folder where each attempt writes how it ended.
        """
        now = time.monotonic()
        if not self._waiting or now - self._looked_at < _LOOK_SECONDS:
            return []
        gone = self._gone_from_slurm(now) if self._cluster == "slurm" else self._over_here()
        ended = [_ended(each, outcomes, self._cluster) for each in gone]
        if self._cluster == "slurm":
            left = [each for each in self._with_outcome(outcomes) if each not in gone]
            ended += [_ended(each, outcomes, self._cluster) for each in left]
        for each in ended:
            del self._waiting[each.point]
            self._jobs.pop(each.point, None)
        self._looked_at = time.monotonic()
        return ended

    def _with_outcome(self, outcomes: Path) -> list[Handed]:
        with contextlib.suppress(OSError):
            os.utime(outcomes)  # else NFS shows the folder as it was up to a minute ago
        there = set(os.listdir(outcomes))  # noqa: PTH208 - only names
        return [each for each in self if each.outcome in there]

    def _over_here(self) -> list[Handed]:
        """Give the jobs of this machine that are over; a debug one runs in this process, now."""
        if self._cluster == "local":
            return [each for each in self if self._jobs[each.point].done()]
        first = next(iter(self))
        with contextlib.suppress(SystemExit):  # of a run that failed
            self._jobs[first.point].exception()  # its `results` opens a debugger, and leaves files
        return [first]

    def _gone_from_slurm(self, now: float) -> list[Handed]:
        """Give the jobs that SLURM has no more, once two questions have found them so.

        An outcome may become visible here later than the end of its job.
        """
        if now - self._asked_at < self._pause:
            return []
        self._asked_at, self._pause = now, min(self._pause * 1.5, _ASK_SECONDS[1])
        try:
            self._states = living_jobs()
        except QueueError:
            return []  # SLURM restarts now and then: nothing is known
        missed = {each for each in self if each.job not in self._states}
        gone, self._missed = missed & self._missed, missed
        if missed - gone:
            self._pause = _ASK_SECONDS[0]  # to be sure soon
        return sorted(gone, key=lambda each: each.point)


def _kill(pid: int) -> None:
    """Kill a process that holds the tasks of a job, and all below it; it begins none meanwhile."""
    import psutil  # 15 ms

    with contextlib.suppress(psutil.Error):
        job = psutil.Process(pid)
        job.suspend()
        below = job.children(recursive=True)
        for each in (job, *below):
            with contextlib.suppress(psutil.Error):
                each.kill()
        job.wait(_KILLED_SECONDS)


def _ended(handed: Handed, outcomes: Path, cluster: str) -> Ended:
    path = outcomes / handed.outcome
    if path.exists():
        return read_outcome(path, handed.point)
    state = how_it_ended(handed.job) if cluster == "slurm" else ""
    return Ended(handed.point, None, f"job {handed.job} is gone ({state or 'nobody says why'})")
