"""`SlurmEngine`: hands the points of a sweep to SLURM as arrays of jobs."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from shutil import which
from typing import Any

from thexp_pl.errors import UsageError
from thexp_pl.record.names import escaped, shown
from thexp_pl.report.extras import needed
from thexp_pl.sweeps.engines.base import Ended, ending_text
from thexp_pl.sweeps.engines.places import Places
from thexp_pl.sweeps.engines.slurm.bounds import has_break
from thexp_pl.sweeps.engines.slurm.handed import Handed, read_jobs, write_jobs
from thexp_pl.sweeps.engines.slurm.options import job_options
from thexp_pl.sweeps.engines.slurm.queue import QueueError, living_jobs
from thexp_pl.sweeps.engines.slurm.submitting import submit_arrays, undisturbed
from thexp_pl.sweeps.engines.slurm.watching import Watch
from thexp_pl.sweeps.sweep import Sweep

__all__ = ["SlurmEngine"]

_PROGRAMS = ("sbatch", "srun", "squeue", "scontrol", "scancel")
_UNLIMITED = 1 << 30
_TICK_SECONDS = 0.1


class SlurmEngine:
    """Hands the points of a sweep to SLURM as arrays of jobs.

    A job whose time is up or that is pre-empted ends its run with a checkpoint, is queued again,
    and goes on with it. A later engine of the same sweep finds the jobs that `stop` leaves in the
    queue, in place of submitting them twice.

    The root lies where all nodes see it.

    Args:
        options: The texts of ``--slurm.NAME=VALUE``, by name.
        cpus_per_run: How many CPUs a job has.
        gpus_per_run: How many GPUs a job has.
        jobs: How many jobs of an array run at a time; None: as many as SLURM lets.

    Raises:
        UsageError: An option is unknown or its value is of another kind, or submitit is missing.
    """

    def __init__(
        self,
        *,
        options: Mapping[str, str],
        cpus_per_run: int = 1,
        gpus_per_run: int = 0,
        jobs: int | None = None,
    ) -> None:
        self._options = job_options(options, cpus=cpus_per_run, gpus=gpus_per_run)
        self._is_slurm = self._options.cluster == "slurm"
        self._at_a_time = jobs
        self._gpus = gpus_per_run
        self._watch = Watch(self._options.cluster)
        self._collected: list[int] = []
        self._let_go: list[Ended] = []
        self._queued: dict[int, Handed] | None = None

    @property
    def hindrance(self) -> str:
        """Empty: SLURM's queue takes all."""
        return ""

    def check(self, root: Path) -> None:
        """See that SLURM is there and answers, before anything is submitted.

        Args:
            root: The experiment root.

        Raises:
            UsageError: It is not: in one line why, and the way out.
        """
        submitit = needed("submitit", "--engine slurm", "slurm")
        if "%" in str(root):
            raise UsageError(
                f"{shown(str(root))}: SLURM reads a % in the path of its files as"
                " a pattern; record under another root, by --exps_dir"
            )
        if has_break(str(root)):
            raise UsageError(
                f"{shown(str(root))}: a line break in the path, which ends a line of the batch"
                " file; record under another root, by --exps_dir"
            )
        if not self._is_slurm:
            Places(self._gpus).check()
            return
        missing = next((name for name in _PROGRAMS if which(name) is None), "")
        if missing:
            raise UsageError(
                f"no {missing} on PATH: --engine slurm submits from a machine of the cluster;"
                " --slurm.cluster=local tries it without SLURM"
            )
        if submitit.JobEnvironment.USR_SIG != "USR2":
            raise UsageError(
                f"SUBMITIT_PREEMPT_SIGNAL={escaped(submitit.JobEnvironment.USR_SIG)}: the jobs wait"
                " for SIGUSR2; unset the variable"
            )
        self._living()

    def open(self, sweep: Sweep) -> None:
        """Learn which sweep it runs.

        Args:
            sweep: The sweep.
        """
        self._sweep = sweep
        self._options = self._options.named(sweep.key)
        self._folder = sweep.paths.folder / "slurm"
        self._outcomes = self._folder / "ended"

    def room(self) -> int:
        """Say how many more points may be handed over now: SLURM's queue holds any number."""
        if self._is_slurm and self._sweep.study is None:
            return _UNLIMITED
        return (self._at_a_time or 1) - len(self._watch) - len(self._collected)

    def start(self, point: int) -> None:
        """Hand a point over: `wait` finds the job that is in the queue for it, or submits one.

        Args:
            point: The point's number.
        """
        self._collected.append(point)

    def wait(self, seconds: float) -> list[Ended]:
        """Submit what was handed over, and wait until jobs have ended, or for a while.

        Args:
            seconds: The longest that it waits.

        Returns:
            Those that have ended since the last call.

        Raises:
            UsageError: SLURM refuses the jobs, or does not say what is in its queue.
            OSError: The sweep's folder cannot be written.
        """
        if self._collected:
            self._submit()
        deadline = time.monotonic() + seconds
        while True:
            ended, self._let_go = [*self._let_go, *self._watch.ended(self._outcomes)], []
            pause = min(_TICK_SECONDS, deadline - time.monotonic())
            if ended or pause <= 0:
                return ended
            time.sleep(pause)

    def running(self) -> set[int]:
        """Give the points whose jobs have begun."""
        begun = self._watch.begun()
        # what was handed over here runs in the midst of the next `wait`
        return begun | {*self._collected} if self._options.cluster == "debug" else begun

    def stop(self, *, for_good: bool) -> str:
        """Leave the jobs to SLURM, or cancel them; those on this machine end.

        Args:
            for_good: Take them out of SLURM's queue: those that run end with a checkpoint.

        Returns:
            What becomes of them, and how to cancel those that stay.
        """
        self._let_go += [Ended(point, None, "not submitted") for point in self._collected]
        self._collected.clear()
        left = [*self._watch]
        if self._options.cluster == "local":
            self._watch.send(signal.SIGTERM)
            return ending_text(len(left))
        if not left:
            return ""
        if not self._is_slurm:
            self._leave(left, "not begun")
            return "no more runs are begun"
        command = ["scancel", *_numbers(left)]
        if for_good and _is_done(command):
            self._watch.ask_soon()
            return f"SLURM cancels {_jobs(len(left))}; what runs is asked to end with a checkpoint"
        self._leave(left, "its job stays in the queue")
        stay = "stays" if len(left) == 1 else "stay"
        return (
            f"{_jobs(len(left))} {stay} in SLURM's queue, and the same command finds them there; to"
            f" cancel them: {' '.join(command)}"
        )

    def close(self) -> None:
        """Let go: jobs of SLURM go on, those on this machine are ended."""
        self._watch.kill()
        self._watch.forget()

    def _leave(self, left: list[Handed], reason: str) -> None:
        """Have `wait` say of jobs that they are not waited for any more."""
        self._let_go += [Ended(each.point, None, reason) for each in left]
        self._watch.forget()

    def _submit(self) -> None:
        """Make jobs of what was handed over; what SLURM refuses stays with it, for `stop`."""
        if self._queued is None:
            self._queued = self._still_queued()
        for handed in [self._queued.pop(each) for each in self._collected if each in self._queued]:
            self._watch.add(handed)
        self._collected = [point for point in self._collected if point not in self._watch]
        with undisturbed():
            for array in self._arrays():
                for handed, job in array:
                    self._watch.add(handed, job)
                del self._collected[: len(array)]
                if self._is_slurm:
                    jobs = {**self._queued, **{each.point: each for each in self._watch}}
                    write_jobs(self._folder / "jobs.json", jobs)

    def _arrays(self) -> Iterator[list[tuple[Handed, Any]]]:
        return submit_arrays(
            *(self._sweep.paths, tuple(self._collected), self._options),
            *(self._folder, self._outcomes, self._at_a_time),
        )

    def _still_queued(self) -> dict[int, Handed]:
        """Give the jobs of earlier processes that are still in the queue."""
        if not self._is_slurm or not self._folder.is_dir():
            return {}
        known = read_jobs(self._folder / "jobs.json")
        self._cancel_unknown({handed.job for handed in known.values()})
        living = self._living() if known else {}
        return {
            point: handed
            for point, handed in known.items()
            if handed.job in living and not (self._outcomes / handed.outcome).exists()
        }

    def _cancel_unknown(self, known: set[str]) -> None:
        """Cancel what waits of a process that was killed before it could note what it submitted.

        submitit had no time either to give these jobs what they are to run.
        """
        states = self._living(self._sweep.key)
        lost = {job for job, state in states.items() if state == "PENDING"} - known
        if lost:
            _is_done(["scancel", "--state=PENDING", *sorted(lost)])

    def _living(self, name: str = "") -> dict[str, str]:
        try:
            return living_jobs(name)
        except QueueError as error:
            raise UsageError(f"SLURM does not answer: {escaped(str(error))}") from error


def _numbers(jobs: list[Handed]) -> list[str]:
    """Give the numbers that name jobs to scancel: an array, all of which is ours, by its own."""
    return sorted({each.job.partition("_")[0] for each in jobs}, key=int)


def _jobs(count: int) -> str:
    return "1 job" if count == 1 else f"{count} jobs"


def _is_done(command: list[str]) -> bool:
    """Run a program, and say whether it did its work; the caller says what to do where not."""
    try:
        return (
            subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL).returncode == 0
        )
    except OSError:
        return False
