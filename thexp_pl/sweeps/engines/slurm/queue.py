"""What SLURM says of jobs, in its own words."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Sequence

__all__ = ["QueueError", "how_it_ended", "largest_array", "living_jobs"]

# https://slurm.schedmd.com/job_state_codes.html: any other state may still become a run
_OVER = frozenset(
    (
        *("BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL"),
        *("OUT_OF_MEMORY", "PREEMPTED", "REVOKED", "TIMEOUT"),
    )
)
_DEFAULT_ARRAY = 1001  # SLURM's own
_PATIENCE_SECONDS = 60


class QueueError(Exception):
    """SLURM does not answer."""


def living_jobs(name: str = "") -> dict[str, str]:
    """Ask which jobs of this user wait or run.

    Args:
        name: Only the jobs that are called so; empty for all.

    Returns:
        By number their states; the tasks of an array are jobs such as ``123_4``.

    Raises:
        QueueError: It does not answer.
    """
    format_ = "--format=%i|%T"
    user = f"--user={os.getuid()}"
    named = [f"--name={name}"] if name else []
    told = _asked(["squeue", "--noheader", "--array", "--states=all", user, format_, *named])
    states = dict(line.strip().split("|", 1) for line in told.splitlines() if "|" in line)
    return {job: state for job, state in states.items() if state not in _OVER}


def how_it_ended(job: str) -> str:
    """Ask what became of a job that is over.

    Args:
        job: Its number.

    Returns:
        Its state, or an empty text where SLURM does not know, as without accounting.
    """
    command = ["sacct", "--allocations", "--noheader", "--parsable2", "--format=State", "-j", job]
    try:
        lines = _asked(command).split("\n")
    except QueueError:
        return ""
    return lines[0].strip()


def largest_array() -> int:
    """Ask how many jobs an array may have.

    Returns:
        Their number; SLURM's default where it does not say.
    """
    try:
        found = re.search(r"MaxArraySize\s*=\s*(\d+)", _asked(["scontrol", "show", "config"]))
    except QueueError:
        found = None
    return max(1, int(found.group(1))) if found else _DEFAULT_ARRAY


def _asked(command: Sequence[str]) -> str:
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            timeout=_PATIENCE_SECONDS,
            check=True,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip().splitlines()
        raise QueueError(said[-1] if said else f"exit code {error.returncode}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise QueueError(str(error)) from error
    return done.stdout.decode(errors="replace")
