"""What a run takes of a Ray cluster, and for how many runs there is room."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf

from thexp_pl.errors import UsageError
from thexp_pl.sweeps.engines.ray.connecting import Connection

__all__ = ["check_slots", "resources", "slots"]

_LEAST = 1e-4  # the unit in which Ray counts


def resources(cpus: float, gpus: float) -> dict[str, float]:
    """Say what a run takes, as Ray names it.

    Args:
        cpus: How many CPUs, or which part of one.
        gpus: The same of GPUs.

    Returns:
        By name the number.

    Raises:
        UsageError: A number cannot be meant.

    >>> resources(2, 0.5)
    {'CPU': 2, 'GPU': 0.5}
    """
    for name, number in (("cpus_per_run", cpus), ("gpus_per_run", gpus)):
        if not 0 <= number < inf:
            raise UsageError(f"--{name}={number:g}: it is a number of at least 0")
        if 0 < number < _LEAST:
            raise UsageError(f"--{name}={number:g}: Ray gives {_LEAST:g} at the least")
    if gpus > 1 and gpus != int(gpus):
        raise UsageError(f"--gpus_per_run={gpus:g}: Ray gives whole GPUs, or a part of one")
    if not cpus + gpus:
        raise UsageError("--cpus_per_run=0: a run without GPUs (--gpus_per_run) takes CPUs")
    return {"CPU": cpus, "GPU": gpus}


def slots(connection: Connection, asked: Mapping[str, float]) -> int:
    """Count the runs that a cluster has room for.

    Args:
        connection: The cluster.
        asked: What a run takes.
    """
    nodes = [node["Resources"] for node in connection.ray.nodes() if node["Alive"]]
    taken = {name: number for name, number in asked.items() if number}
    return sum(
        int(min(has.get(name, 0) // number for name, number in taken.items())) for has in nodes
    )


def check_slots(connection: Connection, asked: Mapping[str, float]) -> None:
    """See that a cluster has room for one run.

    Args:
        connection: The cluster.
        asked: What a run takes.

    Raises:
        UsageError: It has not.
    """
    if slots(connection, asked) < 1:
        text = " and ".join(f"{number:g} {name}" for name, number in asked.items())
        raise UsageError(
            f"a run takes {text}, and no node of {connection.name} has that: ask for less with"
            " --cpus_per_run and --gpus_per_run"
        )
