"""What this machine has to share among the runs of a sweep: GPUs, memory, processors."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import NamedTuple

from thexp_pl.errors import UsageError
from thexp_pl.record.facts.cgroup import memory_left
from thexp_pl.record.facts.gpus import gpu_list, smi_rows
from thexp_pl.record.facts.machine import cpu_facts
from thexp_pl.record.names import shown

__all__ = [
    "VISIBLE",
    "Memory",
    "gpu_memory",
    "machine_memory",
    "memory_size",
    "threads_for",
    "usable_cores",
    "visible_gpus",
]

VISIBLE = "CUDA_VISIBLE_DEVICES"
_THREADS = "OMP_NUM_THREADS"
_MIB = 1 << 20
_SMI_SECONDS = 20.0  # a driver that has to wake eight GPUs takes some
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(?:([KMGT])(i?)B?|B)?", re.IGNORECASE)
_POWERS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}


class Memory(NamedTuple):
    """The memory of a GPU, or of the machine.

    Args:
        free: What is free now, bytes.
        total: What there is, bytes.
    """

    free: int
    total: int


def memory_size(text: str) -> int:
    """Read an amount of memory.

    Args:
        text: Such as ``8GB`` (thousands) or ``8GiB`` (1024s); ``8G`` is ``8GB``.

    Returns:
        Bytes.

    Raises:
        UsageError: It is none.

    >>> memory_size("8GB"), memory_size("1.5GiB")
    (8000000000, 1610612736)
    """
    found = _SIZE.fullmatch(text.strip())
    if found is None or not float(found[1]):
        raise UsageError(f"{shown(text)} is no amount of memory: write it as 8GB, 500MB or 8GiB")
    return int(float(found[1]) * (1024 if found[3] else 1000) ** _POWERS[(found[2] or "").upper()])


def visible_gpus(environment: Mapping[str, str] = os.environ) -> list[str]:
    """Name the GPUs that a process started from here would see, as ``CUDA_VISIBLE_DEVICES`` does.

    Args:
        environment: The variables; where ``CUDA_VISIBLE_DEVICES`` is among them its words are
            taken as they are, parts of GPUs (MIG) too, up to the first that names none as CUDA
            does.

    Returns:
        Their names: the UUIDs that the driver tells, or the words of the variable.
    """
    told = environment.get(VISIBLE)
    if told is None:
        gpus = [gpu["uuid"] for gpu in gpu_list() if "uuid" in gpu]
        return gpus or [row[0] for row in smi_rows("uuid", seconds=_SMI_SECONDS)]
    names: list[str] = []
    for word in told.split(","):
        name = word.strip()
        if not (name.isdecimal() or name.startswith(("GPU-", "MIG-"))) or name in names:
            break
        names.append(name)
    return names


def gpu_memory(names: list[str]) -> dict[str, Memory]:
    """Ask the driver for the memory of GPUs.

    Args:
        names: As `visible_gpus` gives them; a number counts as the driver counts.

    Returns:
        By name; without those that the driver does not tell about, such as a part of a GPU (MIG).
    """
    columns = ("index", "uuid", "memory.free", "memory.total")
    found: dict[str, Memory] = {}
    for index, uuid, free, total in smi_rows(*columns, seconds=_SMI_SECONDS):
        if free.isdecimal() and total.isdecimal():
            memory = Memory(int(free) * _MIB, int(total) * _MIB)
            found |= {
                name: memory
                for name in names
                if name == index or (not name.isdecimal() and uuid.startswith(name))
            }
    return found


def machine_memory() -> Memory:
    """Look at the memory of the machine, or of the container that this process is in.

    Returns:
        What is free and what there is.
    """
    import psutil  # 15 ms

    cpu = cpu_facts()
    left, limit = memory_left(), cpu["memory_limit"]
    machine = psutil.virtual_memory()
    free = machine.available if left is None else min(machine.available, left)
    return Memory(free, machine.total if limit is None else min(machine.total, limit))


def usable_cores() -> int:
    """Count the cores that this process may use, as the record of a run does.

    Returns:
        The cores that it may run on, or fewer where a container lets it use fewer; at least 1.
    """
    cpu = cpu_facts()
    cores = cpu["physical"] or cpu["logical"] or 1
    return max(min(cores, int(cpu["limit"] or cores)), 1)


def threads_for(jobs: int, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Divide the processors, so that runs at the same time do not fight for them.

    Args:
        jobs: How many run at the same time.
        environment: The variables; a number of threads that is among them stays.

    Returns:
        What to put into the environment of each run.
    """
    if environment.get(_THREADS):
        return {}
    return {_THREADS: str(max(usable_cores() // jobs, 1))}
