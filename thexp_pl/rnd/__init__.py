"""Random states: fixing, reading and restoring every generator that training draws from.

These are Python's `random`, numpy's global generator, torch on the CPU, on every CUDA device and on
MPS. A generator object of the user's own (`numpy.random.default_rng()`, `torch.Generator()`) is not
among them: nobody but its owner knows of it.
"""

from __future__ import annotations

from thexp_pl.rnd.manager import RndManager
from thexp_pl.rnd.states import (
    fix_seed,
    fork,
    get_state,
    isolate,
    seed_apart,
    set_state,
)

__all__ = [
    "RndManager",
    "fix_seed",
    "fork",
    "get_state",
    "isolate",
    "seed_apart",
    "set_state",
]
