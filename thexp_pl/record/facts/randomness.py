"""Where a run's random numbers came from: seeds, and the states that it began with."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from thexp_pl.record.facts.random_states import (
    loaded_states,
    put_back_loaded,
    read_states,
    write_states,
)
from thexp_pl.record.paths import RunPaths

__all__ = ["begin_with", "random_facts"]

_SEED_VARIABLES = ("PYTHONHASHSEED", "PL_GLOBAL_SEED")  # the second by Lightning's seed_everything


def begin_with(path: Path) -> None:
    """Put the generators that are loaded into the states in which another run began.

    Args:
        path: That run's `start_state`.

    Raises:
        OSError: It cannot be read.
        LookupError: It holds no such states.
        TypeError: Likewise.
        ValueError: It is damaged.
    """
    put_back_loaded(read_states(path))


def random_facts(paths: RunPaths) -> dict[str, Any]:
    """Note the seeds and keep the states of all generators that are loaded.

    Args:
        paths: The run; the states go to `start_state`, which ``RndManager(<run>/rnd)`` loads as
            ``start``.

    Returns:
        ``seeds``: what the variables PYTHONHASHSEED and PL_GLOBAL_SEED hold, and ``torch``, its
        first seed, each where it is known. ``random_states``: ``path`` of the states' file as seen
        from the run, its ``sha256``, and the names of the ``generators`` in it.

    Raises:
        OSError: The file cannot be written.
    """
    states = loaded_states()
    paths.start_state.parent.mkdir(exist_ok=True)
    digest = write_states(paths.start_state, states)
    return {
        "seeds": _seeds(),
        "random_states": {
            "path": paths.start_state.relative_to(paths.folder).as_posix(),
            "sha256": digest,
            "generators": [name for name, state in states.items() if state],
        },
    }


def _seeds() -> dict[str, int | str]:
    seeds: dict[str, int | str] = {}
    for name in _SEED_VARIABLES:
        text = os.environ.get(name, "")
        if text:
            seeds[name] = int(text) if text.isdecimal() and len(text) < 20 else text[:20]
    initial_seed = getattr(sys.modules.get("torch"), "initial_seed", None)
    if initial_seed is not None:
        seeds["torch"] = initial_seed()
    return seeds
