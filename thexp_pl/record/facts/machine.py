"""The machine that a run is on, as far as it can be told in a few milliseconds."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path
from typing import Any

from thexp_pl.record.facts.cgroup import cpu_limit, memory_limit
from thexp_pl.record.facts.gpus import gpu_list

__all__ = ["cpu_facts", "machine_facts"]

_CPU_INFO = Path("/proc/cpuinfo")
_CPUS = Path("/sys/devices/system/cpu")
_FIRST_BLOCK = 4096  # of /proc/cpuinfo: the kernel asks each processor for its part of the rest


def machine_facts() -> dict[str, Any]:
    """Describe this machine and what this process may use of it.

    Returns:
        ``platform``: ``system``, ``release``, ``machine``, ``libc``, ``distribution``.
        ``cpu``: ``model``, ``logical`` and ``physical`` (processors and cores that this process may
        run on), ``limit`` (the worth of how many a container lets it use), ``memory`` (bytes of the
        machine) and ``memory_limit`` (bytes that a container lets it use).
        ``gpus``: see `thexp_pl.record.facts.gpus.gpu_list`. What is not known, or not limited, is
        None.
    """
    return {"platform": _platform(), "cpu": cpu_facts(), "gpus": gpu_list()}


def _platform() -> dict[str, Any]:
    system = os.uname()
    return {
        "system": system.sysname,
        "release": system.release,
        "machine": system.machine,
        "libc": _libc(),
        "distribution": _distribution(),
    }


def _libc() -> str | None:
    try:
        return os.confstr("CS_GNU_LIBC_VERSION")  # platform.libc_ver() reads the interpreter's file
    except (ValueError, OSError):
        return None


def _distribution() -> str | None:
    if sys.platform == "darwin":
        return f"macOS {platform.mac_ver()[0]}"
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME")
    except OSError:
        return None


def cpu_facts() -> dict[str, Any]:
    """Describe the processors and the memory, as `machine_facts` does.

    Returns:
        What is its ``cpu``.
    """
    usable = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    return {
        "model": _cpu_model(),
        "logical": os.cpu_count() if usable is None else len(usable),
        "physical": _cores(usable),
        "limit": cpu_limit(),
        "memory": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "memory_limit": memory_limit(),
    }


def _cpu_model() -> str | None:
    try:
        with _CPU_INFO.open("rb", buffering=0) as file:
            lines = file.read(_FIRST_BLOCK).decode("utf-8", "replace").splitlines()
    except OSError:
        return platform.machine()
    facts = {name.strip(): value.strip() for name, _, value in (x.partition(":") for x in lines)}
    return facts.get("model name") or facts.get("Model") or platform.machine()


def _cores(usable: list[int] | None) -> int | None:
    if usable is None:  # macOS
        import psutil

        return psutil.cpu_count(logical=False)
    try:
        # Processors of one core name the same siblings.
        return len({(_CPUS / f"cpu{n}/topology/core_cpus_list").read_text() for n in usable})
    except OSError:
        return None
