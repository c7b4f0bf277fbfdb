"""How points become jobs: arrays, submitted by submitit."""

from __future__ import annotations

import contextlib
import io
import os
import signal
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from thexp_pl.errors import UsageError
from thexp_pl.record.names import escaped
from thexp_pl.record.sweep_folder import SweepFolder
from thexp_pl.report.extras import needed
from thexp_pl.sweeps.engines.slurm.handed import Handed
from thexp_pl.sweeps.engines.slurm.options import JobOptions
from thexp_pl.sweeps.engines.slurm.queue import largest_array

__all__ = ["submit_arrays", "undisturbed"]

_KEPT = frozenset(("SLURM_CONF", "SLURM_CLUSTERS"))  # where SLURM is


def submit_arrays(
    paths: SweepFolder,
    points: Sequence[int],
    options: JobOptions,
    folder: Path,
    outcomes: Path,
    at_a_time: int | None,
) -> Iterator[list[tuple[Handed, Any]]]:
    """Submit points, as many in an array as SLURM takes.

    Args:
        paths: The sweep's files.
        points: The numbers of the points.
        options: What submitit is told.
        folder: Where submitit keeps its files.
        outcomes: Where the attempts write how they ended.
        at_a_time: How many jobs of an array run at a time; None: as many as SLURM lets.

    Yields:
        The jobs of an array with submitit's, once it is submitted.

    Raises:
        UsageError: SLURM refuses the jobs.
        OSError: The folder cannot be written.
    """
    from thexp_pl.sweeps.engines.slurm.job import Attempt

    if not points:
        return
    outcomes.mkdir(parents=True, exist_ok=True)
    executor = _executor(options, folder, at_a_time)
    size = largest_array() if options.cluster == "slurm" else len(points)
    for first in range(0, len(points), size):
        array = [Handed(point) for point in points[first : first + size]]
        attempts = [
            Attempt(paths.root, paths.key, each.point, outcomes / each.outcome) for each in array
        ]
        jobs = _submitted(executor, attempts)
        yield [(replace(each, job=job.job_id), job) for each, job in zip(array, jobs, strict=True)]


def _executor(options: JobOptions, folder: Path, at_a_time: int | None) -> Any:
    parameters = dict(options.parameters)
    if at_a_time is not None and options.cluster == "slurm":
        parameters["slurm_array_parallelism"] = at_a_time
    submitit = needed("submitit", "--engine slurm", "slurm")
    executor = submitit.AutoExecutor(folder, cluster=options.cluster, **options.executor)
    executor.update_parameters(**parameters)
    return executor


def _submitted(executor: Any, attempts: list[Any]) -> list[Any]:
    from submitit.core.utils import FailedJobError, FailedSubmissionError

    try:
        # submitit prints what sbatch said as well
        with _outside_of_a_job(), contextlib.redirect_stderr(io.StringIO()):
            return list(executor.submit_array(attempts))
    except (FailedJobError, FailedSubmissionError) as error:
        said = str(error).strip().splitlines() or ["it gives no reason"]
        raise UsageError(f"SLURM refuses the jobs: {escaped(said[-1])}") from error


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Hold Ctrl-C back while jobs are submitted and noted.

    It would end sbatch between the job and its number. What is started meanwhile does not get it
    from the terminal either.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def _outside_of_a_job() -> Iterator[None]:
    """Submit as from a login shell: what describes the job around this process is not theirs."""
    if "SLURM_JOB_ID" not in os.environ:
        yield
        return
    names = [name for name in os.environ if name.startswith("SLURM_") and name not in _KEPT]
    hidden = {name: os.environ.pop(name) for name in names}
    try:
        yield
    finally:
        os.environ.update(hidden)
