"""What SLURM would take, and what makes no sense for the jobs of a sweep."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from thexp_pl.errors import UsageError
from thexp_pl.record.names import escaped, shown

__all__ = ["check_texts", "check_times", "check_value", "has_break"]

_BREAKS = frozenset("\0\n\r")
_COMMANDS = ("python", "setup", "teardown")  # what the shell is to run
_SIGNAL_SECONDS = 90  # before the limit, where submitit is told nothing
_LEAST = {
    **dict.fromkeys(("timeout_min", "time", "cpus_per_task", "cpus_per_gpu"), 1),
    **dict.fromkeys(("gpus_per_node", "gpus_per_task", "num_gpus", "mem_gb"), 0),
    **dict.fromkeys(("max_num_timeout", "max_pickle_size_gb", "signal_delay_s"), 0),
}
_TASKS = "each run is one task on one node; --gpus_per_run=N gives it several GPUs"
_FILES = "what SLURM prints is kept in the sweep's folder"
_NOT_THERE = {
    "array": "-j N says how many runs go on at a time",
    "error": _FILES,
    "output": _FILES,
    "open-mode": _FILES,
    "signal": "--slurm.signal_delay_s=SECONDS says how long before the limit a run is saved",
    "time": "--slurm.timeout_min=MINUTES says how long a job may last",
    "cpus-per-task": "--cpus_per_run=N says how many CPUs a run has",
    "nodes": _TASKS,
}
_OPTION = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


def has_break(text: str) -> bool:
    """Say whether a text would end a line of the batch file, and begin another.

    Args:
        text: Any text.

    >>> has_break("/data/my runs"), has_break("a\\ntouch b")
    (False, True)
    """
    return not _BREAKS.isdisjoint(text)


def check_value(flag: str, name: str, value: Any) -> None:
    """See that a number is not below what it can mean.

    Args:
        flag: How the user has given it.
        name: The parameter of submitit's.
        value: Its value.

    Raises:
        UsageError: It is.
    """
    least = _LEAST.get(name)
    if least is None or isinstance(value, bool) or not isinstance(value, (int, float)):
        return
    if not (math.isfinite(value) and value >= least):
        unlimited = " (0 is no limit)" if name in ("timeout_min", "time") and value == 0 else ""
        raise UsageError(f"{flag}={value}: it is a number of at least {least}{unlimited}")


def check_texts(values: Mapping[str, Any]) -> None:
    """See that nothing becomes a line of the batch file that is not meant to be one.

    Args:
        values: By name the parameters that the user has given.

    Raises:
        UsageError: A text has a line break, or an additional parameter takes what the sweep needs.
    """
    for name, value in values.items():
        if isinstance(value, str) and name not in _COMMANDS and has_break(value):
            raise UsageError(f"--slurm.{name}={shown(value)}: a line break; give it in one line")
    for fault in _faults_of_more(values.get("additional_parameters") or {}):
        raise UsageError(f"--slurm.additional_parameters: {fault}")


def _faults_of_more(more: Mapping[str, Any]) -> Iterator[str]:
    for name, value in more.items():
        option = name.replace("_", "-").lower()
        if not _OPTION.fullmatch(name):
            yield f"{shown(name)} is no option of sbatch; give one without its dashes"
        elif option in _NOT_THERE or option.startswith("ntasks"):
            yield f"{escaped(name)} is the sweep's own: {_NOT_THERE.get(option, _TASKS)}"
        elif option == "requeue" and value is not True:
            yield f"{escaped(name)}={value!r}: to forbid requeues, say '{{\"no-requeue\": true}}'"
        elif value is False or not isinstance(value, (str, int, float)):
            yield f"{escaped(name)}={shown(str(value))}: it is a text, a number or true"
        elif has_break(str(value)):
            yield f"{escaped(name)}={shown(str(value))}: a line break; give it in one line"


def check_times(values: Mapping[str, Any]) -> None:
    """See that a job of SLURM runs for a while before it is told that its time is up.

    Args:
        values: As for `check_texts`.

    Raises:
        UsageError: It does not.
    """
    minutes = values["time"] if "time" in values else values["timeout_min"]
    seconds = values.get("signal_delay_s", _SIGNAL_SECONDS)
    if seconds >= 60 * minutes:
        raise UsageError(
            f"--slurm.timeout_min={minutes}: a job is told {seconds} s before its limit that its"
            " time is up, and this is all of it: give it more minutes, or a smaller"
            " --slurm.signal_delay_s"
        )
