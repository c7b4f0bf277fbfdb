"""What a container or a batch system lets this process have: Linux control groups, v1 and v2."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

__all__ = ["cpu_limit", "memory_left", "memory_limit"]

_PROC = Path("/proc/self/cgroup")
_SYSTEM = Path("/sys/fs/cgroup")
_UNLIMITED = 1 << 60  # v1 writes the largest number of whole pages for no limit


def cpu_limit() -> float | None:
    """Say how much time on processors this process may have.

    Returns:
        The worth of how many processors, such as 2.5; None where nothing limits it.
    """
    limits = []
    for folder in _folders("cpu"):
        words = _words(folder / "cpu.max") or (
            _words(folder / "cpu.cfs_quota_us") + _words(folder / "cpu.cfs_period_us")
        )
        if len(words) == 2 and all(map(str.isdecimal, words)) and int(words[1]):
            limits.append(int(words[0]) / int(words[1]))
    return min(limits, default=None)


def memory_limit() -> int | None:
    """Say how much memory this process and the others of its group may have.

    Returns:
        Bytes; None where nothing limits it.
    """
    limits = []
    for folder in _folders("memory"):
        words = _words(folder / "memory.max") or _words(folder / "memory.limit_in_bytes")
        limits += [int(word) for word in words[:1] if word.isdecimal()]
    return min((limit for limit in limits if limit < _UNLIMITED), default=None)


def memory_left() -> int | None:
    """Say how much more memory this process and the others of its group may have now.

    Returns:
        Bytes, what the kernel would give back of its cache of files among them; None where nothing
        limits it.
    """
    left = []
    for folder in _folders("memory"):
        limits = _words(folder / "memory.max") or _words(folder / "memory.limit_in_bytes")
        used = _words(folder / "memory.current") or _words(folder / "memory.usage_in_bytes")
        words = [*limits[:1], *used[:1]]
        if len(words) == 2 and all(map(str.isdecimal, words)) and int(words[0]) < _UNLIMITED:
            facts = _words(folder / "memory.stat")
            cells = dict(zip(facts[::2], facts[1::2], strict=False))
            cache = cells.get("total_inactive_file", cells.get("inactive_file", "0"))
            left.append(int(words[0]) - int(words[1]) + int(cache))
    return min((max(each, 0) for each in left), default=None)


def _folders(controller: str) -> Iterator[Path]:
    """The group of this process and those around it; inside a container only some can be seen."""
    with contextlib.suppress(OSError):
        for line in _PROC.read_text("utf-8", "replace").splitlines():
            number, controllers, path = (*line.split(":", 2), "", "")[:3]
            if number == "0" and not controllers:
                mount = _SYSTEM
            elif controller in controllers.split(","):
                mount = _SYSTEM / controllers
            else:
                continue
            group = PurePosixPath(path.lstrip("/"))
            yield from (mount / each for each in (group, *group.parents))


def _words(path: Path) -> list[str]:
    try:
        return path.read_text("ascii", "replace").split()
    except OSError:
        return []
