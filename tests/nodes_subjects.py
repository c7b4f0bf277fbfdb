"""A facade training of `launch_subjects` whose ranks are on two hosts, forked onto them.

Run as a script, it is the training alone.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import launch_subjects
from launch_subjects import Launched, fork, pair, wait
from nodes_helpers import Hosts

from thexp_pl.strategies import peers

SECONDS = 110  # twice, before the nursery gives up
_do = Launched.do


def own_rank() -> int:
    names = ("RANK", "SLURM_PROCID", "NODE_RANK")
    return int(next((os.environ[name] for name in names if name in os.environ), "0"))


def do(self: Launched, where: str) -> None:
    """Hold at a place until the file ``go`` is there; and do what `Launched` does, but once."""
    if self.deed.get("hold") == where:
        Path(f"held.{own_rank()}").touch()
        until = time.monotonic() + SECONDS
        while not Path("go").exists() and time.monotonic() < until:
            time.sleep(0.02)
    if os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") == "0":
        _do(self, where)


def on_host(
    owner: int,
    host: int,
    own: str | None,
    silence: int | None,
    of: str,
    warned: bool = False,
    **how: Any,
) -> None:
    if warned:
        warnings.simplefilter("default")
    if silence is not None:
        peers.SILENCE_SECONDS = silence
    Hosts(owner).enter(host, None if own is None else Path(own))
    getattr(launch_subjects, of)(**how)


__all__ = ["cluster", "pair"]

os.environ["OMP_NUM_THREADS"] = (
    "1"  # else Lightning counts ranks, and sums differ in their last bit
)
launch_subjects.own_rank = own_rank
launch_subjects.on_host = on_host  # type: ignore[attr-defined]  # `fork` looks for it there
Launched.do = do  # type: ignore[method-assign]


def cluster(
    folder: str,
    owner: int,
    variables: list[dict[str, str]],
    places: list[int],
    own: str | None = None,
    lose: list[Any] | None = None,
    silence: int | None = 5,
    seconds: float = SECONDS,
    **how: Any,
) -> None:
    """Train in forked processes, each on a host; their exit codes are in the file ``codes``.

    Args:
        folder: Where they work.
        owner: Who has made the hosts.
        variables: The environment of each rank.
        places: The host of each rank.
        own: A folder of which the second host has one of its own.
        lose: ``["cut", host]`` or ``["kill", host]``, once all ranks hold.
        silence: After how many seconds a host that does not answer is given up; None: as it is.
        seconds: How long the whole may take.
        **how: ``call``, a function of `launch_subjects` in place of `main`, and what it is given.
    """
    os.chdir(folder)
    if own is not None:
        Path(own).mkdir(exist_ok=True)
    Path("go").unlink(missing_ok=True)
    how = {"of": how.pop("call", "main"), "owner": owner, "silence": silence, **how}
    children = [
        fork(rank, given, {**how, "call": "on_host", "host": host, "own": own if host else None})
        for rank, (given, host) in enumerate(zip(variables, places, strict=True))
    ]
    if lose is not None:
        _lose(owner, lose, children, places)
    Path("codes").write_text(json.dumps(wait(children, seconds)))


def _lose(owner: int, lose: list[Any], children: list[int], places: list[int]) -> None:
    until = time.monotonic() + SECONDS
    while len(list(Path().glob("held.*"))) < len(children) and time.monotonic() < until:
        time.sleep(0.02)
    what, host = lose
    if what == "cut":
        Hosts(owner).cut(host)
    else:
        for child, where in zip(children, places, strict=True):
            if where == host:
                os.kill(child, signal.SIGKILL)
    Path("go").touch()


if __name__ == "__main__":
    launch_subjects.main(**json.loads(sys.argv[1]))
