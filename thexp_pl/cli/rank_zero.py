"""What a training command says once, however many ranks train."""

from __future__ import annotations

import sys

from lightning_utilities.core.rank_zero import rank_zero_only

from thexp_pl.cli.report import report_run
from thexp_pl.record import Experiment
from thexp_pl.record.following import FollowedRun

__all__ = ["is_recorded_here", "report", "say", "warn"]


def is_recorded_here(experiment: Experiment) -> bool:
    """Say whether this process writes a run."""
    return not isinstance(experiment, FollowedRun)


def report(experiment: Experiment) -> None:
    """Print where a run is, in the process that writes it."""
    if is_recorded_here(experiment):
        report_run(experiment)


@rank_zero_only
def say(line: str) -> None:
    """Print a line that belongs to what the command gives."""
    print(line)  # noqa: T201 - what the command prints


@rank_zero_only
def warn(line: str) -> None:
    """Write a warning to stderr."""
    sys.stderr.write(f"warning: {line}\n")
