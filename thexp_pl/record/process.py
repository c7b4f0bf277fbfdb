"""Which process a run belongs to, and whether that very process still lives.

A pid alone says little: it is used again, it means another process in another container or on
another host, and a zombie still has one. With the start time, the boot and the pid namespace it
names one process for ever.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["is_alive", "process_identity", "same_view", "was_rebooted"]

_PROC = Path("/proc")
_VIEW = ("host", "boot", "pid_namespace")
_DEAD_STATES = "ZXx"
_START_FIELD = 19  # of /proc/<pid>/stat, counted from the state


def process_identity() -> dict[str, Any]:
    """Name this process.

    Returns:
        ``pid``, ``start`` (clock ticks since the boot where there is a /proc, else seconds since
        1970), ``host``, ``boot`` and ``pid_namespace`` (None where the system has no such thing).
    """
    pid = os.getpid()
    state = _state_and_start(pid)
    return {
        "pid": pid,
        "start": state[1] if state else None,
        "host": os.uname().nodename,
        "boot": _first_line(_PROC / "sys/kernel/random/boot_id"),
        "pid_namespace": _link(_PROC / "self/ns/pid"),
    }


def same_view(process: Mapping[str, Any]) -> bool:
    """Say whether a pid means the same here as it did to the process that wrote it down.

    Args:
        process: What `process_identity` gave there.

    Returns:
        Whether host, boot and pid namespace are those of this process.
    """
    here = process_identity()
    return all(process.get(name) == here[name] for name in _VIEW)


def was_rebooted(process: Mapping[str, Any]) -> bool:
    """Say whether this machine was restarted since a process wrote its identity down.

    Args:
        process: What `process_identity` gave.

    Returns:
        Whether it was this host and pid namespace, under another boot.
    """
    here = process_identity()
    same_place = all(process.get(name) == here[name] for name in ("host", "pid_namespace"))
    return same_place and process.get("boot") != here["boot"]


def is_alive(process: Mapping[str, Any]) -> bool | None:
    """Say whether a process of this host, boot and pid namespace still runs.

    Args:
        process: What `process_identity` gave.

    Returns:
        True for one that runs, sleeps or is stopped; False for one that is gone, is a zombie or
        whose pid another process has by now; None where the system does not show it.
    """
    pid = process.get("pid")
    if not isinstance(pid, int) or pid <= 0:
        return None
    found = _state_and_start(pid)
    if found is None:
        return None if _is_hidden(pid) else False
    state, start = found
    return state not in _DEAD_STATES and start == process.get("start")


def _state_and_start(pid: int) -> tuple[str, int | None] | None:
    if not (_PROC / "self/stat").exists():
        return _state_by_psutil(pid)
    try:
        text = (_PROC / str(pid) / "stat").read_text("utf-8", "replace")
    except OSError:
        return None
    # The program's name stands in parentheses and may hold any of them.
    fields = text.rpartition(")")[2].split()
    # Ticks since the boot: psutil's seconds since 1970 move when the clock is set.
    return fields[0], int(fields[_START_FIELD])


def _state_by_psutil(pid: int) -> tuple[str, int | None] | None:
    import psutil

    try:
        process = psutil.Process(pid)
        state = "Z" if process.status() == psutil.STATUS_ZOMBIE else "R"
        return state, int(process.create_time())
    except psutil.Error:
        return None


def _is_hidden(pid: int) -> bool:
    # /proc may be mounted so that it hides the processes of other users.
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return False


def _first_line(path: Path) -> str | None:
    try:
        return path.read_text("ascii").strip()
    except OSError:
        return None


def _link(path: Path) -> str | None:
    try:
        return str(path.readlink())
    except OSError:
        return None
