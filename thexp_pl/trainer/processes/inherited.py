"""What a process that trains takes over from the one that started it, through its environment.

Lightning runs the script again for each rank above 0: these processes are told of the runs that
rank 0 has begun. What the user starts from a rank inherits its variables as well, and is no rank.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import parent_process

from thexp_pl.errors import TrainerError

__all__ = ["Place", "mark_as_rank", "next_place", "runs_told", "tell_later", "telling"]

_RUNS = "THEXP_PL_RUNS"  # the runs of the process that runs the script again, and its number
_RANK = "THEXP_PL_RANK"  # the number of the process that is a rank
_OF_A_RANK = (
    *("RANK", "LOCAL_RANK", "GROUP_RANK", "NODE_RANK", "ROLE_RANK"),
    *("WORLD_SIZE", "LOCAL_WORLD_SIZE", "GROUP_WORLD_SIZE", "ROLE_WORLD_SIZE"),
    *("MASTER_ADDR", "MASTER_PORT"),
    *("TORCHELASTIC_RUN_ID", "TORCHELASTIC_RESTART_COUNT", "TORCHELASTIC_MAX_RESTARTS"),
    *("SLURM_NTASKS", "SLURM_NTASKS_PER_NODE", "SLURM_PROCID", "SLURM_LOCALID", "SLURM_NODEID"),
)

Place = tuple[str, str, str]  # root, name and key of a run

_begun: list[Place] = []  # by this process, on several devices, in this order
_followed = 0  # how many runs of the process that started this one were taken up


def _read_runs() -> list[Place] | None:
    try:
        told = json.loads(os.environ.pop(_RUNS, ""))
        places: list[Place] = [(root, name, key) for root, name, key in told["runs"]]
        return places if told["process"] == os.getppid() else None
    except (ValueError, TypeError, KeyError):  # none, or somebody else's
        return None


def _drop_variables() -> None:
    """Forget what is a rank's, in a process that a rank has started for something else."""
    is_scripts = parent_process() is None  # else it works for the rank, as loaders' workers do
    if is_scripts and runs_told is None and os.environ.get(_RANK) == str(os.getppid()):
        for name in _OF_A_RANK:
            os.environ.pop(name, None)


runs_told = _read_runs()  # None where Lightning has not run the script again in this process
_drop_variables()


def mark_as_rank() -> None:
    """Have the processes that this one starts know that its variables are not theirs."""
    os.environ[_RANK] = str(os.getpid())


def next_place() -> Place:
    """Give the next run of those that this process was told of.

    Raises:
        TrainerError: There is none.
    """
    global _followed
    told = runs_told or []
    if _followed >= len(told):
        raise TrainerError(
            f"rank 0 has begun {len(told)} runs, and this rank is at its next: the script must do "
            "the same on every rank up to the training"
        )
    _followed += 1
    return told[_followed - 1]


def tell_later(place: Place) -> None:
    """Keep the place of a run that has begun for processes that run the script again."""
    _begun.append(place)


@contextmanager
def telling() -> Iterator[None]:
    """Tell the processes that are started meanwhile; those that the user starts hear nothing."""
    os.environ[_RUNS] = json.dumps({"process": os.getpid(), "runs": _begun})
    try:
        yield
    finally:
        del os.environ[_RUNS]
