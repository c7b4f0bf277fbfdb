"""Where two runs ran, and with what: packages, variables, Python, machine, Lightning's devices."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from thexp_pl.compare.diff.change import Change, changes
from thexp_pl.compare.diff.command import project_of
from thexp_pl.record.journal import read_journal
from thexp_pl.runs.flat import flat
from thexp_pl.runs.places import place
from thexp_pl.runs.run import Run

__all__ = ["environment_changes", "package_changes"]

# Other in every run of a batch system, of a launcher or of thexp_pl itself, and of no effect.
_OWN_TO_A_RUN = re.compile(
    r"THEXP_.*|MASTER_(ADDR|PORT)|TORCHELASTIC_RUN_ID|PBS_(JOBID|COOKIE|NODEFILE|MOMPORT|TASKNUM)"
    r"|LSB_(JOBID|BATCH_JID|JOBFILENAME|TRAPSIGS|ACCT_FILE|HOSTS|DJOB_HOSTFILE)"
    r"|SLURM_(JOBID|JOB_ID|STEPID|STEP_ID|TASK_PID|JOB_START_TIME|JOB_END_TIME|ARRAY_JOB_ID"
    r"|LAUNCH_NODE_IPADDR|SRUN_COMM_(HOST|PORT)|STEP_LAUNCHER_PORT)"
)
_SEEDS = ("PYTHONHASHSEED", "PL_GLOBAL_SEED")  # told with the random states
_OF_TRAINER = ("strategy", "accelerator", "devices", "nodes", "precision")
_OF_GPU = ("name", "memory", "driver")  # not which of several equal ones it was


def package_changes(a: Run, b: Run) -> Iterator[Change]:
    """Go through the packages whose version differs.

    Args:
        a: A run.
        b: Another.

    Yields:
        The versions by name; of what was installed in place or from a repository the commit too,
        unless it is part of the project, whose code is compared.
    """
    yield from changes(a.manifest["packages"], b.manifest["packages"])
    one, other = _checkouts(a), _checkouts(b)
    both = one.keys() & other.keys()
    yield from changes(*({k: v for k, v in own.items() if k in both} for own in (one, other)))


def environment_changes(a: Run, b: Run) -> Iterator[Change]:
    """Go through what differs in where two runs ran.

    Args:
        a: A run.
        b: Another.

    Yields:
        The variables by name, ``python``, ``host``, ``world_size``, ``platform.*``, ``cpu.*``,
        ``gpus.0.*`` and ``trainer.*``, the last where both have trained by Lightning.
    """
    yield from changes(_variables(a), _variables(b))
    yield from changes(_machine(a), _machine(b))
    one, other = _trainer(a), _trainer(b)
    if one and other:
        yield from changes(one, other)


def _checkouts(run: Run) -> dict[str, Any]:
    project = project_of(run)
    facts = {}
    for name, entry in run.manifest["editable"].items():
        if not isinstance(entry, dict):
            continue
        folder = place(run, entry.get("path"))
        if folder is None or project is None or not f"{folder}/".startswith(f"{project}/"):
            told = {part: entry.get(part) for part in ("url", "commit", "dirty")}
            facts[f"{name} (checkout)"] = told
    return facts


def _variables(run: Run) -> dict[str, Any]:
    return {
        name: value
        for name, value in run.manifest["environment"].items()
        if name not in _SEEDS and not _OWN_TO_A_RUN.fullmatch(name)
    }


def _machine(run: Run) -> dict[str, Any]:
    manifest = run.manifest
    gpus = {
        str(number): {part: gpu.get(part) for part in _OF_GPU}
        for number, gpu in enumerate(manifest["gpus"])
    }
    return {
        "python": manifest.get("python"),
        "host": manifest["process"].get("host"),
        "world_size": manifest["world_size"],
        **flat(manifest["platform"], "platform."),
        **flat(manifest["cpu"], "cpu."),
        **flat(gpus, "gpus."),
    }


def _trainer(run: Run) -> Mapping[str, Any]:
    try:
        events = read_journal(run.paths.journal)
    except OSError:  # it says nothing of what was trained, then
        return {}
    fits = [event for event in events if event["event"] == "fit"]
    return {f"trainer.{n}": fits[0][n] for n in _OF_TRAINER if n in fits[0]} if fits else {}
