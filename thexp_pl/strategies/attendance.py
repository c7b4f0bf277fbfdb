"""Whether all ranks are there, asked before they wait for one another outside a training.

Within a training a rank that ends is missed by its connections. Outside of it connections are made
anew, or wait on a device, and a rank would wait in vain for one that has ended meanwhile.
"""

from __future__ import annotations

import atexit
import os
import time
from contextlib import suppress
from datetime import timedelta
from typing import Any

from torch import distributed

from thexp_pl.errors import TrainerError
from thexp_pl.saver.sidecar import world_size

__all__ = ["call_roll"]

_TIMEOUT = timedelta(minutes=30)
_LOOK_SECONDS = 0.02
_STORE = 0  # the rank that keeps the store, unless it is kept by what has started all ranks


class _Roll:
    """Notes of the ranks in the store that they have in common: who has come, and who has left."""

    def __init__(self) -> None:
        self.world = distributed.group.WORLD
        self._store: Any = distributed.distributed_c10d._get_default_store()
        self._rank = distributed.get_rank()
        self._calls = 0
        self._is_over = False  # whether the store may be gone, of which torch itself would speak
        self._process = os.getpid()
        # torchrun keeps the store when it starts all ranks again, and a rank's note in it
        self._store.delete_key(_left(self._rank))
        atexit.register(self._leave)

    def _leave(self) -> None:
        is_here = os.getpid() == self._process and distributed.group.WORLD is self.world
        if is_here and not self._is_over:
            with suppress(RuntimeError):  # the store has ended before
                self._store.set(_left(self._rank), "")
            if self._rank == _STORE:
                time.sleep(5 * _LOOK_SECONDS)  # those that wait are to read it

    def call(self, timeout: timedelta) -> None:
        """Wait until all ranks have come."""
        self._calls += 1
        until = time.monotonic() + timeout.total_seconds()
        missing = set(range(distributed.get_world_size())) - {self._rank}
        wait = 0.0005
        try:
            self._store.set(_here(self._calls, self._rank), "")
            while missing:
                # in this order: a rank may come, and leave at once
                left = {rank for rank in missing if self._store.check([_left(rank)])}
                missing = {r for r in missing if not self._store.check([_here(self._calls, r)])}
                if missing & left or time.monotonic() > until:
                    break
                time.sleep(wait if missing else 0)
                wait = min(2 * wait, _LOOK_SECONDS)
        except RuntimeError:
            missing = left = {_STORE}
        if missing:
            self._is_over = _STORE in left
            raise TrainerError(self._missed(min(missing & left or missing), bool(missing & left)))

    def _missed(self, rank: int, has_left: bool) -> str:
        what = "has ended" if has_left else "has not come"
        return (
            f"rank {rank} {what} while rank {self._rank} waits for it: all ranks have to come to "
            "the same calls of the Trainer's methods"
        )


_roll: _Roll | None = None


def call_roll(timeout: timedelta | None = None) -> None:
    """Wait until all ranks have come to this call; to be called outside a training.

    Args:
        timeout: How long another is waited for; by default 30 minutes.

    Raises:
        TrainerError: One has ended, or does not come.
    """
    global _roll
    if world_size() == 1:
        return
    if _roll is None or _roll.world is not distributed.group.WORLD:
        _roll = _Roll()
    _roll.call(timeout or _TIMEOUT)


def _here(call: int, rank: int) -> str:
    return f"thexp_pl/here/{call}/{rank}"


def _left(rank: int) -> str:
    return f"thexp_pl/left/{rank}"
