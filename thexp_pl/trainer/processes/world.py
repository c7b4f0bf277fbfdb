"""The one run of several processes: which of them begins it, and how the others find it.

Lightning starts the other processes of a "ddp" training by running the script again, when the
training begins; by then `initial_exp` has begun the run. The new processes are told of it by a
variable of their environment (`inherited`). Where something else starts all processes, as torchrun
and SLURM do, they are connected before the run begins, and rank 0 tells the others.
"""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from pathlib import Path
from typing import Any, TypeVar

import pytorch_lightning as pl
from lightning_utilities.core.rank_zero import rank_zero_only
from pytorch_lightning.strategies import DDPStrategy
from pytorch_lightning.strategies.launchers import _SubprocessScriptLauncher
from torch import distributed

from thexp_pl.errors import TrainerError, UsageError
from thexp_pl.params import BaseParams
from thexp_pl.record import Experiment
from thexp_pl.record.following import FollowedRun
from thexp_pl.record.output import in_notebook
from thexp_pl.saver.sidecar import world_size
from thexp_pl.strategies.attendance import call_roll
from thexp_pl.strategies.peers import watching
from thexp_pl.trainer.processes.by_hand import take_place_by_hand
from thexp_pl.trainer.processes.inherited import (
    Place,
    mark_as_rank,
    next_place,
    runs_told,
    tell_later,
)
from thexp_pl.trainer.processes.interface import choose_interface
from thexp_pl.trainer.quiet import quiet_lightning

__all__ = ["check_restart", "connect", "failing_together", "on_rank_zero", "run_of_all"]

_Result = TypeVar("_Result")

_has_begun_alone = False  # this process, a run on one device


# -- beginning -----------------------------------------------------------------------------------


def connect(devices: Mapping[str, Any], params: BaseParams, plugins: Any = None) -> None:
    """Connect the processes, where all of them are there already, and say which device is whose.

    Args:
        devices: The Lightning options of `device_options`.
        params: Their device becomes this process's own.
        plugins: The Lightning option of that name.

    Raises:
        TrainerError: This process is one of several, and is to train alone.
        UsageError: The processes cannot be made from here.
    """
    strategy = devices.get("strategy")
    if not isinstance(strategy, DDPStrategy) or strategy._start_method != "popen":
        _refuse_one_of_several()
        # whatever a variable left over from others says
        rank_zero_only.rank = 0  # type: ignore[attr-defined]  # as Lightning itself does
        return
    mark_as_rank()
    with quiet_lightning():
        asked = {**devices, "strategy": copy(strategy), "plugins": plugins}  # set up once
        trainer = pl.Trainer(**asked, logger=False, enable_checkpointing=False)
    strategy = trainer.strategy
    assert isinstance(strategy, DDPStrategy)
    environment = strategy.cluster_environment
    assert environment is not None
    if not environment.creates_processes_externally:
        if strategy.num_nodes > 1:
            take_place_by_hand(strategy.num_processes, strategy.num_nodes)
        elif strategy.num_processes > 1:
            _check_script()
    is_outer = environment.creates_processes_externally and runs_told is None
    if is_outer and not distributed.is_initialized():
        environment.validate_settings(strategy.num_processes, strategy.num_nodes)
        if strategy.num_nodes > 1:
            choose_interface(environment.main_address)
        with quiet_lightning(), watching():
            strategy.setup_environment()
    if strategy.root_device.type == "cuda":
        params.device = str(strategy.root_device)


def _refuse_one_of_several() -> None:
    if runs_told is not None or world_size() > 1:
        raise TrainerError(
            "this process is one of several ranks, and each of them would train alone and record a "
            "run of its own: give this Trainer the same devices and strategy, or train on one "
            "device in a script of its own"
        )


def _check_script() -> None:
    """Refuse what Lightning could not run again."""
    if in_notebook() or hasattr(sys, "ps1"):
        raise UsageError(
            "several devices are for scripts, and this is an interactive prompt: train on one "
            "here, move the training into a script, or give strategy='ddp_notebook', which forks"
        )
    if sys.modules["__main__"].__spec__ is None and not Path(sys.argv[0]).is_file():
        raise UsageError(
            f"strategy 'ddp' starts the script again for each rank, and there is none: it was "
            f"started as {sys.argv[0] or 'standard input'!r}; put it into a file"
        )


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
    global _has_begun_alone
    strategy = devices.get("strategy")
    if distributed.is_initialized():
        return _broadcast(begin)
    if runs_told is not None:
        return _followed(next_place())
    experiment = begin()
    if strategy is None:
        _has_begun_alone = True
    elif strategy._start_method == "popen":
        tell_later(_place_of(experiment))
    return experiment


def _place_of(experiment: Experiment) -> Place:
    return str(experiment.root), experiment.name, experiment.key


def _followed(place: Place) -> FollowedRun:
    root, name, key = place
    return FollowedRun(Path(root), name, key)


def _broadcast(begin: Callable[[], Experiment]) -> Experiment:
    begun: list[Experiment] = []

    def place() -> Place:
        begun.append(begin())
        return _place_of(begun[0])

    call_roll()
    place_of_all = on_rank_zero(place)
    return begun[0] if begun else _followed(place_of_all)


def check_restart(trainer: pl.Trainer) -> None:
    """Raise where the script is about to be run again although it has begun a run on one device.

    Args:
        trainer: The Lightning Trainer that is to train.

    Raises:
        TrainerError: Its other processes would do first what this one has done alone.
    """
    launcher: Any = trainer.strategy.launcher
    if (
        _has_begun_alone
        and isinstance(launcher, _SubprocessScriptLauncher)
        and launcher.num_processes > 1
        and not launcher.cluster_environment.creates_processes_externally
    ):
        raise TrainerError(
            "strategy 'ddp' starts the script again for each rank, and this script has begun a run "
            "on one device already, which every rank would do over: use several devices from the "
            "beginning, or start it with torchrun or strategy='ddp_spawn'"
        )


# -- doing the same ------------------------------------------------------------------------------


def on_rank_zero(deed: Callable[[], _Result]) -> _Result:
    """Do something on rank 0 alone, and give its result on all; called on all ranks.

    Args:
        deed: What it is; its result can be pickled.

    Raises:
        Exception: What it raised, on all ranks; a TrainerError with the same message on those
            that cannot be told of it as it is.
    """
    if world_size() == 1:
        return deed()
    told: list[Any] = [None, None]
    fault: Exception | None = None
    if distributed.get_rank() == 0:
        try:
            told[0] = deed()
        except Exception as error:  # noqa: BLE001 - raised below, once the others know
            fault, told[1] = error, _sendable(error)
    distributed.broadcast_object_list(told)
    if fault is not None:
        raise fault
    if told[1] is not None:
        raise told[1]
    result: _Result = told[0]
    return result


def _sendable(error: Exception) -> Exception:
    try:
        copied = pickle.loads(pickle.dumps(error))
        if str(copied) == str(error):
            return error
    except Exception:  # noqa: BLE001 - whatever a class of the user's does
        pass
    return TrainerError(f"rank 0 failed: {error}")


@contextmanager
def failing_together() -> Iterator[None]:
    """Where one rank fails in a block, have all fail; entered on all ranks.

    Raises:
        TrainerError: Another rank has failed.
    """
    if world_size() == 1:
        yield
        return
    try:
        yield
    except (Exception, SystemExit) as error:
        _failures(f"{type(error).__name__}: {error}")
        raise
    for rank, failure in enumerate(_failures(None)):
        if failure is not None:
            raise TrainerError(f"rank {rank} failed: {failure}")


def _failures(own: str | None) -> list[str | None]:
    found: list[str | None] = [None] * world_size()
    distributed.all_gather_object(found, own)
    return found
