"""What a job of SLURM runs: an attempt at a point, queued again when the job's time is up."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

from thexp_pl.atomic import write_json
from thexp_pl.errors import ThexpError
from thexp_pl.sweeps.attempt import run_attempt

__all__ = ["Attempt"]

# What tells a process that it is a rank of the job. The run is none: Lightning would take the ranks
# from SLURM and queue the job again by itself, in the midst of ours.
_RANK = (
    *("SLURM_NTASKS", "SLURM_NPROCS", "SLURM_NTASKS_PER_NODE", "SLURM_TASKS_PER_NODE"),
    *("SLURM_STEP_NUM_TASKS", "SLURM_STEP_TASKS_PER_NODE"),
    *("SLURM_PROCID", "SLURM_LOCALID", "SLURM_NODEID", "SLURM_GTIDS"),
)
# After SIGTERM SLURM kills a job, queues it again itself, or sends the signal of the time limit.
_GRACE_SECONDS = 600.0
_TICK_SECONDS = 0.2


class Attempt:
    """An attempt at a point, as submitit pickles it; `checkpoint` is what submitit looks for.

    Args:
        root: The experiment root.
        key: The sweep's key.
        point: The point's number.
        outcome: The file that says how the attempt ended, once it has.
    """

    def __init__(self, root: Path, key: str, point: int, outcome: Path) -> None:
        self.root = root
        self.key = key
        self.point = point
        self.outcome = outcome

    def __call__(self) -> None:
        """Run the attempt, write its outcome, and end the process as the run has ended.

        Raises:
            SystemExit: The run failed, or the job is queued again and has no outcome yet.
        """
        code: int | None = None
        reason = ""
        try:
            code, reason = self._run()
        except (ThexpError, OSError) as error:
            reason = f"{type(error).__name__}: {error}"
        write_json(self.outcome, {"code": code, "reason": reason})
        if code != 0:
            sys.exit(1 if code is None else code if code > 0 else 128 - code)

    def checkpoint(self) -> Any:
        """Give what is run when the job has been queued again: the same, which goes on.

        Returns:
            submitit's `DelayedSubmission`.
        """
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)

    def _run(self) -> tuple[int, str]:
        with _Heard() as heard:
            if os.environ.get("SUBMITIT_EXECUTOR") not in ("slurm", "local"):
                return self._attempt_here(heard), ""
            with _Notice() as notice:
                code = self._attempt()
                if code == 0:
                    return code, ""
                if os.environ["SUBMITIT_EXECUTOR"] == "slurm":
                    _await_end(heard, notice)
                return code, notice.queue_again()

    def _attempt_here(self, heard: _Heard) -> int:
        """Make the attempt in the process of the sweep, which is asked to end as well."""
        code = self._attempt()
        for number in heard.numbers() & {signal.SIGINT, signal.SIGTERM}:
            os.kill(os.getpid(), number)
        return code

    def _attempt(self) -> int:
        return run_attempt(self.root, self.key, self.point, environment=dict.fromkeys(_RANK))


def _await_end(heard: _Heard, notice: _Notice) -> None:
    """Leave the job to SLURM where SIGTERM came to it: SLURM knows what it is to become."""
    deadline = time.monotonic() + _GRACE_SECONDS
    while signal.SIGTERM in heard.numbers() and not notice.has_come:
        if time.monotonic() > deadline:
            return
        time.sleep(_TICK_SECONDS)


class _Heard:
    """Knows which signals have come, whoever handles them; outside the main thread, of none."""

    def __enter__(self) -> _Heard:
        self._numbers: set[int] = set()
        self._is_main = threading.current_thread() is threading.main_thread()
        self._reader, self._writer = os.pipe()
        for end in (self._reader, self._writer):
            os.set_blocking(end, False)
        if self._is_main:
            self._before = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._is_main:
            signal.set_wakeup_fd(self._before)
        os.close(self._reader)
        os.close(self._writer)

    def numbers(self) -> set[int]:
        """Give the signals that have come so far."""
        with contextlib.suppress(BlockingIOError):
            self._numbers.update(os.read(self._reader, 4096))
        return self._numbers


class _Notice:
    """Notes the signal by which the job learns that its time is up.

    submitit's handler would queue the job again at once, while the run is still training: the run
    is asked to end first, as by SIGTERM, and submitit's handler called when it has ended.
    """

    def __enter__(self) -> _Notice:
        from submitit import JobEnvironment

        self.has_come = False
        self._number = signal.Signals[f"SIG{JobEnvironment.USR_SIG}"]
        self._theirs: Any = signal.signal(self._number, self._on_notice)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        signal.signal(self._number, self._theirs)

    def queue_again(self) -> str:
        """Queue the job again where its time is up, which ends the process.

        Returns:
            Why it is not queued again, or an empty text where nobody has asked for it.
        """
        from subprocess import SubprocessError

        from submitit.core.utils import UncompletedJobError

        if not self.has_come:
            return ""
        try:
            self._theirs(self._number, None)
        except (UncompletedJobError, SubprocessError, OSError) as error:
            return f"the job's time is up, and it is not queued again: {error}"
        return ""

    def _on_notice(self, number: int, frame: FrameType | None) -> None:
        self.has_come = True
        os.kill(os.getpid(), signal.SIGTERM)  # `run_attempt` hands it on
