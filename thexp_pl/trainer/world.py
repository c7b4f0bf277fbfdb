"""The one run of several processes: which of them begins it, and how the others find it.

Lightning starts the other processes of a "ddp" training by running the script again, when the
training begins; by then `initial_exp` has begun the run. The new processes are told of it by a
variable of the environment. Where something else starts all processes, as torchrun and SLURM do,
they are connected before the run begins, and rank 0 tells the others.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from copy import copy
from pathlib import Path
from typing import Any, TypeVar

import pytorch_lightning as pl
from pytorch_lightning.strategies.launchers import _SubprocessScriptLauncher
from torch import distributed

from thexp_pl.errors import TrainerError
from thexp_pl.params import BaseParams
from thexp_pl.record import Experiment
from thexp_pl.record.following import FollowedRun
from thexp_pl.saver.sidecar import world_size
from thexp_pl.strategies import ManualDDPStrategy
from thexp_pl.trainer.quiet import quiet_lightning

__all__ = ["check_restart", "connect", "on_rank_zero", "run_of_all"]

_VARIABLE = "THEXP_PL_RUNS"  # the runs of the process that starts others, and its number
_Result = TypeVar("_Result")
_Place = tuple[str, str, str]  # root, name and key of a run

_begun: list[_Place] = []  # by this process, in this order
_has_trained_alone = False  # this process, on one device
_followed = 0  # how many runs of the process that started this one were taken up


def connect(devices: Mapping[str, Any], params: BaseParams) -> None:
    """Connect the processes, where all of them are there already, and say which device is whose.

    Args:
        devices: The Lightning options of `device_options`.
        params: Their device becomes this process's own.
    """
    if not isinstance(devices.get("strategy"), ManualDDPStrategy):
        return
    with quiet_lightning():
        asked = {**devices, "strategy": copy(devices["strategy"])}  # one is set up once
        trainer = pl.Trainer(**asked, logger=False, enable_checkpointing=False)
    strategy: Any = trainer.strategy
    environment = strategy.cluster_environment
    is_started_by_another = environment.creates_processes_externally and not _is_restarted()
    if is_started_by_another and not distributed.is_initialized():
        strategy.setup_environment()
    if strategy.root_device.type == "cuda":
        params.device = str(strategy.root_device)


def run_of_all(begin: Callable[[], Experiment], devices: Mapping[str, Any]) -> Experiment:
    """Begin a run in the one process that records it, and find it in the others.

    Args:
        begin: Makes and starts it.
        devices: The Lightning options of `device_options`.

    Returns:
        The run; in the others one in which nothing is recorded.

    Raises:
        RecordError: It cannot be made.
    """
    if not isinstance(devices.get("strategy"), ManualDDPStrategy):
        return begin()
    if distributed.is_initialized():
        return _broadcast(begin)
    if _is_restarted():
        return FollowedRun(*_next_place())
    return _begin_and_tell(begin)


def check_restart(trainer: pl.Trainer) -> None:
    """Raise where the script is about to be run again although it has trained before.

    Args:
        trainer: The Lightning Trainer that is to train.

    Raises:
        TrainerError: Its other processes would train first what this one has trained alone.
    """
    global _has_trained_alone
    launcher: Any = trainer.strategy.launcher
    if not isinstance(launcher, _SubprocessScriptLauncher):
        _has_trained_alone = _has_trained_alone or launcher is None
    elif _has_trained_alone and not launcher.cluster_environment.creates_processes_externally:
        raise TrainerError(
            "strategy 'ddp' starts the script again for each rank, and this script has trained on "
            "one device already, which every rank would do over: train on several devices from "
            "the beginning, or start it with torchrun or strategy='ddp_spawn'"
        )


def _begin_and_tell(begin: Callable[[], Experiment]) -> Experiment:
    experiment = begin()
    _begun.append((str(experiment.root), experiment.name, experiment.key))
    os.environ[_VARIABLE] = json.dumps({"process": os.getpid(), "runs": _begun})
    return experiment


def _is_restarted() -> bool:
    """Say whether Lightning runs the script again in this process, for a rank above 0."""
    return _told()["process"] == os.getppid() and os.environ.get("LOCAL_RANK", "0") != "0"


def _told() -> dict[str, Any]:
    try:
        told = json.loads(os.environ.get(_VARIABLE, ""))
        return {"process": int(told["process"]), "runs": [tuple(one) for one in told["runs"]]}
    except (ValueError, TypeError, KeyError):  # none, or somebody else's
        return {"process": None, "runs": []}


def _next_place() -> tuple[Path, str, str]:
    global _followed
    runs = _told()["runs"]
    if _followed >= len(runs):
        raise TrainerError(
            f"rank 0 has begun {len(runs)} runs, and this rank is at its next: the script must do "
            "the same on every rank up to the training"
        )
    root, name, key = runs[_followed]
    _followed += 1
    return Path(root), name, key


def _broadcast(begin: Callable[[], Experiment]) -> Experiment:
    begun: list[Experiment] = []

    def place() -> _Place:
        begun.append(begin())
        return str(begun[0].root), begun[0].name, begun[0].key

    root, name, key = on_rank_zero(place)
    return begun[0] if begun else FollowedRun(Path(root), name, key)


def on_rank_zero(deed: Callable[[], _Result]) -> _Result:
    """Do something on rank 0 alone, and give its result on all; called on all ranks.

    Args:
        deed: What it is; its result can be pickled.

    Raises:
        Exception: What it raised, on rank 0; a TrainerError with the same message on the others,
            which would wait for ever.
    """
    if world_size() == 1:
        return deed()
    told: list[Any] = [None, None]
    fault: Exception | None = None
    if distributed.get_rank() == 0:
        try:
            told[0] = deed()
        except Exception as error:  # noqa: BLE001 - raised below, once the others know
            fault, told[1] = error, str(error)
    distributed.broadcast_object_list(told)
    if fault is not None:
        raise fault
    if told[1] is not None:
        raise TrainerError(f"rank 0 failed: {told[1]}")
    result: _Result = told[0]
    return result
