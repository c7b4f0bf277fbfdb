"""What runs the points of a sweep: one module an engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from thexp_pl.errors import UsageError, near_miss
from thexp_pl.record.names import shown
from thexp_pl.sweeps.engines.base import Ended, Engine

__all__ = ["ENGINES", "Ended", "Engine", "engine_of"]

ENGINES = ("local", "ray", "slurm")
# the options that only some engines know
_KNOWN_BY = {
    "min_free_memory": ("local",),
    "address": ("ray",),
    "cpus_per_run": ("ray", "slurm"),
    "slurm": ("slurm",),
}
_Number = TypeVar("_Number", int, float)


def engine_of(name: str, options: Mapping[str, Any]) -> Engine:
    """Make an engine.

    Args:
        name: ``local``, ``ray`` or ``slurm``.
        options: What the command line gives, by name: ``jobs`` a number; the texts of
            ``gpus_per_run``, ``cpus_per_run``, ``min_free_memory`` and ``address``; ``slurm``, a
            list of ``NAME=VALUE``. What was not given is None, empty or missing.

    Returns:
        The engine, which is neither checked nor opened yet.

    Raises:
        UsageError: There is no such engine, an option is not for it or has no such value, or what
            it needs is not installed.
    """
    if name not in ENGINES:
        raise UsageError(
            f"--engine={shown(name)}: it is one of {', '.join(ENGINES)}{near_miss(name, ENGINES)}"
        )
    for option, engines in _KNOWN_BY.items():
        if options.get(option) and name not in engines:
            raise UsageError(
                f"--{option} is an option of --engine {' and '.join(engines)}, not of {name}"
            )
    return {"local": _local, "ray": _ray, "slurm": _slurm}[name](options)


def _local(options: Mapping[str, Any]) -> Engine:
    from thexp_pl.sweeps.devices import memory_size
    from thexp_pl.sweeps.engines.local import LocalEngine

    memory, jobs = options.get("min_free_memory"), options.get("jobs")
    return LocalEngine(
        1 if jobs is None else jobs,
        gpus_per_run=_number("gpus_per_run", options, int),
        memory=None if memory is None else memory_size(memory),
    )


def _ray(options: Mapping[str, Any]) -> Engine:
    from thexp_pl.sweeps.engines.ray import RayEngine

    cpus = _number("cpus_per_run", options, float)
    return RayEngine(
        address=options.get("address"),
        cpus_per_run=1.0 if cpus is None else cpus,
        gpus_per_run=_number("gpus_per_run", options, float) or 0.0,
        jobs=options.get("jobs"),
    )


def _slurm(options: Mapping[str, Any]) -> Engine:
    from thexp_pl.sweeps.engines.slurm import SlurmEngine

    cpus = _number("cpus_per_run", options, int)
    words = [word.partition("=") for word in options.get("slurm") or ()]
    return SlurmEngine(
        options={name: value for name, _, value in words},
        cpus_per_run=1 if cpus is None else cpus,
        gpus_per_run=_number("gpus_per_run", options, int) or 0,
        jobs=options.get("jobs"),
    )


def _number(
    name: str, options: Mapping[str, Any], kind: Callable[[str], _Number]
) -> _Number | None:
    told = options.get(name)
    if told is None:
        return None
    try:
        return kind(told)
    except ValueError:
        what = "a whole number" if kind is int else "a number"
        raise UsageError(f"--{name}={shown(str(told))}: it is {what}") from None
