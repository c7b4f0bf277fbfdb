"""What submitit is told of the jobs, as it stands in ``--slurm.NAME=VALUE``."""

from __future__ import annotations

import inspect
import json
import typing
from collections.abc import Mapping
from typing import Any

from thexp_pl.errors import UsageError, near_miss
from thexp_pl.record.names import escaped, shown
from thexp_pl.report.extras import needed
from thexp_pl.sweeps.engines.slurm.bounds import check_texts, check_times, check_value

__all__ = ["CLUSTERS", "JobOptions", "job_options"]

CLUSTERS = ("slurm", "local", "debug")

_NAMES = {"name", "slurm_job_name"}
_REFUSED = {
    "nodes": "each run has one node; -j says how many run at a time",
    "tasks_per_node": "each run is one task; --gpus_per_run=N gives it several GPUs",
    "ntasks_per_node": "each run is one task; --gpus_per_run=N gives it several GPUs",
    "array_parallelism": "-j N says how many runs go on at a time",
}
_WHOLE_WEEK = 7 * 24 * 60  # submitit's local jobs end after two minutes where nothing is said


class JobOptions(typing.NamedTuple):
    """What submitit is told.

    Args:
        cluster: One of `CLUSTERS`.
        executor: What its AutoExecutor is made with.
        parameters: What its `update_parameters` is given.
    """

    cluster: str
    executor: dict[str, Any]
    parameters: dict[str, Any]

    def named(self, name: str) -> JobOptions:
        """Call the jobs so where they have no name.

        Args:
            name: The name.
        """
        is_without = self.cluster == "debug" or _NAMES & self.parameters.keys()
        return self if is_without else self._replace(parameters={"name": name, **self.parameters})


def job_options(given: Mapping[str, str], *, cpus: int, gpus: int) -> JobOptions:
    """Read the options of the jobs.

    Args:
        given: By name, without ``slurm.``, the texts of the command line.
        cpus: How many CPUs a job has.
        gpus: How many GPUs a job has.

    Returns:
        What submitit is told.

    Raises:
        UsageError: submitit is not installed, an option is unknown, its value is of another kind
            or makes no sense, or SLURM is not told how long a job may last.
    """
    cluster = given.get("cluster", "slurm")
    if cluster not in CLUSTERS:
        raise UsageError(
            f"--slurm.cluster={shown(cluster)} is none of {', '.join(CLUSTERS)}"
            f"{near_miss(cluster, CLUSTERS)}"
        )
    check_value("--cpus_per_run", "cpus_per_task", cpus)
    check_value("--gpus_per_run", "gpus_per_node", gpus)
    values = {key: _value(key, text) for key, text in given.items() if key != "cluster"}
    check_texts(values)
    if cluster == "slurm" and not {"timeout_min", "time"} & values.keys():
        raise UsageError(
            "SLURM has to know how long a job may last: say --slurm.timeout_min=MINUTES; a run"
            " that needs longer is saved, queued again and gone on with"
        )
    if cluster == "slurm":
        check_times(values)
    told = {"cpus_per_task": cpus, "gpus_per_node": gpus or None, **values}
    return JobOptions(cluster, *_split(cluster, told))


def _split(cluster: str, told: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Part what makes the executor from what it is told, with the prefixes that submitit wants."""
    if cluster == "debug":
        return {}, {}
    if cluster == "local":
        told = {"timeout_min": _WHOLE_WEEK, **told}
    else:
        more = told.get("additional_parameters") or {}
        if not {"requeue", "no-requeue", "no_requeue"} & more.keys():  # sites may forbid it else
            told["additional_parameters"] = {"requeue": True, **more}
        # SLURM 22.05 and later: what sbatch is told of CPUs does not hold for srun
        own = [f"--cpus-per-task={told['cpus_per_task']}"]
        told["srun_args"] = [*own, *told.get("srun_args", ())]
    made_with = _constructor()
    executor = {f"{cluster}_{key}": told.pop(key) for key in [*told] if key in made_with}
    common = _common()
    return executor, {key if key in common else f"slurm_{key}": told[key] for key in told}


def _value(name: str, text: str) -> Any:
    if name in _REFUSED:
        raise UsageError(f"--slurm.{name}={shown(text)}: {_REFUSED[name]}")
    kinds = {**_specific(), **_constructor(), **_common()}
    if name not in kinds:
        offered = [*(kinds.keys() - _REFUSED.keys()), "cluster"]
        raise UsageError(
            f"--slurm.{escaped(name)[:80]}: submitit has no such parameter; it has partition,"
            f" timeout_min, mem_gb and others{near_miss(name, offered)}"
        )
    kind = kinds[name]
    try:
        value = _parsed(text, kind)
    except ValueError as error:
        raise UsageError(f"--slurm.{name}={shown(text)} is not {_described(kind)}") from error
    check_value(f"--slurm.{name}", name, value)
    return value


def _parsed(text: str, kind: Any) -> Any:
    kinds = [one for one in typing.get_args(kind) or (kind,) if one is not type(None)]
    if typing.get_origin(kind) is not typing.Union:
        kinds = [kind]
    if bool in kinds and text.lower() in ("true", "false"):
        return text.lower() == "true"
    if str in kinds:
        return text
    for number in (int, float):
        if number in kinds:
            return number(text)
    if bool in kinds:
        raise ValueError(text)
    value = json.loads(text)
    if not isinstance(value, dict if _is_mapping(kinds[0]) else list):
        raise ValueError(text)
    if isinstance(value, list) and not all(isinstance(each, str) for each in value):
        raise ValueError(text)
    return value


def _described(kind: Any) -> str:
    named = {int: "a whole number", float: "a number", bool: "true or false"}
    for one in (kind, *typing.get_args(kind)):
        if one in named:
            return named[one]
    inner = next((one for one in typing.get_args(kind) if _is_mapping(one)), kind)
    if _is_mapping(inner):
        return 'an object in JSON, such as \'{"reservation": "name"}\''
    return "a list in JSON, such as '[\"module load cuda\"]'"


def _is_mapping(kind: Any) -> bool:
    return typing.get_origin(kind) is dict


def _common() -> dict[str, Any]:
    """Give what all of submitit's clusters know, by name its kind."""
    found = needed("submitit", "--engine slurm", "slurm").AutoExecutor._typed_parameters()
    return dict(found)


def _specific() -> dict[str, Any]:
    """Give what only its SLURM executor knows: it is what the text of the batch file is made of."""
    slurm = needed("submitit.slurm.slurm", "--engine slurm", "slurm")
    kinds = typing.get_type_hints(slurm._make_sbatch_string)
    return {name: kinds[name] for name in slurm.SlurmExecutor._valid_parameters()}


def _constructor() -> dict[str, Any]:
    slurm = needed("submitit.slurm.slurm", "--engine slurm", "slurm")
    init = slurm.SlurmExecutor.__init__
    kinds = typing.get_type_hints(init)
    return {name: kinds[name] for name in [*inspect.signature(init).parameters][2:]}
