"""The process of an attempt on a Ray worker, see `thexp_pl.sweeps.engines.ray.lifeline`."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from pathlib import Path

from thexp_pl.errors import ThexpError
from thexp_pl.sweeps.attempt import run_attempt

__all__: list[str] = []


def _main(words: list[str]) -> None:
    held, given = int(words[0]), int(words[1])
    if child := os.fork():
        os.waitpid(child, 0)
        return
    for descriptor in (held, given):
        os.set_inheritable(descriptor, False)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})  # as Ray leaves it blocked
    threading.Thread(target=_end_with, args=(held,), daemon=True).start()
    os.write(given, json.dumps(_attempted(*words[2:])).encode())


def _attempted(root: str, key: str, point: str, environment: str) -> tuple[int | None, str]:
    try:
        return run_attempt(Path(root), key, int(point), json.loads(environment)), ""
    except (ThexpError, OSError) as error:
        return None, " ".join(str(error).split())


def _end_with(lifeline: int) -> None:
    os.read(lifeline, 1)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    _main(sys.argv[1:])
