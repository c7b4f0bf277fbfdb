"""Several real processes that train together, forked from one that has imported everything.

`together` runs one function after another on all ranks, in one set of processes, and gives what
each rank made of each: its result, or its error.
"""

from __future__ import annotations

import atexit
import functools
import importlib
import os
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from resume_nursery import Nursery
from torch import distributed

SECONDS = 200  # for all that one set of processes does; then they are killed


class Deed:
    """A function of a module to be called on each rank, as ``function(rank, folder, **options)``.

    Args:
        function: ``module:name``.
        **options: What JSON can hold.
    """

    def __init__(self, function: str, **options: Any) -> None:
        self.function = function
        self.options = options


@functools.cache
def _nursery() -> Nursery:
    opened = Nursery("ddp_helpers")
    atexit.register(opened.close)
    return opened


def together(deeds: Sequence[Deed], world: int = 2, backend: str = "gloo") -> list[list[Any]]:
    """Call functions on several ranks, one after another in the same processes.

    Args:
        deeds: What to call.
        world: How many ranks.
        backend: Of their process group.

    Returns:
        By deed and rank what the function returned; of one that raised, the exception; of one that
        did not end within the time, a `TimeoutError`.
    """
    with tempfile.TemporaryDirectory() as folder:
        calls = [[deed.function, deed.options] for deed in deeds]
        code = _nursery().call("serve", calls=calls, ranks=[world, backend], folder=folder)
        assert code == 0
        return [
            [_outcome(Path(folder, f"{number}-{rank}.pt")) for rank in range(world)]
            for number in range(len(deeds))
        ]


def _outcome(file: Path) -> Any:
    return torch.load(file, weights_only=False) if file.exists() else TimeoutError("no answer")


# -- in the processes ----------------------------------------------------------------------------


def serve(calls: list[Any], ranks: list[Any], folder: str) -> None:
    """Fork the ranks, and wait for them."""
    world, backend = ranks
    deeds = [functools.partial(_rank, r, world, backend, calls, folder) for r in range(world)]
    _wait_for([_fork(deed) for deed in deeds])


def _wait_for(ranks: list[int]) -> None:
    deadline = time.monotonic() + SECONDS
    while ranks and time.monotonic() < deadline:
        ranks = [one for one in ranks if os.waitpid(one, os.WNOHANG) == (0, 0)]
        time.sleep(0.01)
    for one in ranks:
        os.kill(one, 9)
        os.waitpid(one, 0)


def _fork(deed: Callable[[], None]) -> int:
    child = os.fork()
    if child == 0:
        try:
            deed()
        except BaseException:  # noqa: BLE001 - shown with the test's output
            traceback.print_exc()
        finally:
            os._exit(0)
    return child


def _rank(rank: int, world: int, backend: str, calls: list[Any], folder: str) -> None:
    torch.set_num_threads(1)
    os.environ |= _as_torchrun_does(rank, world) | {"THEXP_HOME": f"{folder}/home{rank}"}
    os.chdir(folder)
    if backend == "nccl":
        torch.cuda.set_device(rank)
    distributed.init_process_group(
        backend,
        init_method=f"file://{folder}/store",
        rank=rank,
        world_size=world,
        timeout=timedelta(seconds=SECONDS),
    )
    for number, (function, options) in enumerate(calls):
        module, _, name = function.partition(":")
        own = Path(folder, str(number))
        own.mkdir(exist_ok=True)
        try:
            outcome: Any = getattr(importlib.import_module(module), name)(rank, own, **options)
        except BaseException as error:  # noqa: BLE001 - told by the test
            traceback.print_exc()
            outcome = error.with_traceback(None)
            outcome.__cause__ = outcome.__context__ = None
        written = Path(folder, f"{number}-{rank}.new")
        torch.save(outcome, written)
        written.rename(written.with_suffix(".pt"))


def _as_torchrun_does(rank: int, world: int) -> dict[str, str]:
    return {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "GROUP_RANK": "0",
        "WORLD_SIZE": str(world),
        "LOCAL_WORLD_SIZE": str(world),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": "29500",  # nobody listens: the processes are connected already
        "TORCHELASTIC_RUN_ID": "none",
    }
