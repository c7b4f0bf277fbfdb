"""Which job runs which point: kept in the sweep's folder, so that a later process finds them."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from thexp_pl.atomic import read_json, write_json
from thexp_pl.sweeps.engines.base import Ended

__all__ = ["Handed", "read_jobs", "read_outcome", "write_jobs"]

_SCHEMA = 1
_MAX_BYTES = 64 << 20
_JOB = re.compile(r"[0-9]+(_[0-9]+)?")
_TOKEN = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True)
class Handed:
    """A point that was handed over.

    Args:
        point: The point's number.
        job: The number of its job, such as ``123_4`` in an array.
        token: What tells its outcome from those of earlier attempts.
    """

    point: int
    job: str = ""
    token: str = field(default_factory=lambda: secrets.token_hex(8))

    @property
    def outcome(self) -> str:
        """The name of the file that says how it ended."""
        return f"{self.point:07d}-{self.token}.json"


def write_jobs(path: Path, jobs: Mapping[int, Handed]) -> None:
    """Write which jobs there are.

    Args:
        path: The file.
        jobs: By point the job that was submitted last.

    Raises:
        OSError: It cannot be written.
    """
    write_json(path, {"schema": _SCHEMA, "jobs": [asdict(handed) for handed in jobs.values()]})


def read_jobs(path: Path) -> dict[int, Handed]:
    """Read which jobs there were.

    Args:
        path: The file.

    Returns:
        By point its job; nothing where the file is missing, damaged or of another release: a job
        that is submitted twice finds that the point is done, or waits for the other.
    """
    try:
        told = read_json(path, limit=_MAX_BYTES)
    except (OSError, ValueError):
        return {}
    if not isinstance(told, dict) or told.get("schema") != _SCHEMA:
        return {}
    jobs = told.get("jobs")
    found = [_handed(each) for each in jobs] if isinstance(jobs, list) else []
    return {handed.point: handed for handed in found if handed is not None}


def _handed(told: Any) -> Handed | None:
    if not isinstance(told, dict):
        return None
    point, job, token = told.get("point"), told.get("job"), told.get("token")
    if not isinstance(point, int) or not isinstance(job, str) or not isinstance(token, str):
        return None
    is_whole = _JOB.fullmatch(job) and _TOKEN.fullmatch(token)
    return Handed(point, job, token) if is_whole else None


def read_outcome(path: Path, point: int) -> Ended:
    """Read how an attempt ended.

    Args:
        path: What `thexp_pl.sweeps.engines.slurm.job` wrote.
        point: The point's number.

    Returns:
        It; without a code where the file tells none.
    """
    try:
        told = read_json(path, limit=_MAX_BYTES)
    except (OSError, ValueError):
        told = None
    code = told.get("code") if isinstance(told, dict) else None
    reason = told.get("reason") if isinstance(told, dict) else "its outcome cannot be read"
    is_code = isinstance(code, int) and not isinstance(code, bool)
    return Ended(point, code if is_code else None, reason if isinstance(reason, str) else "")
