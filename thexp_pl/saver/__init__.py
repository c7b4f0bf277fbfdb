"""Saver: checkpoints, keypoints and models, each a file with its JSON sidecar.

Reads from the bottom up: `names` spells the file names, `sidecar` is the commit record beside each
file, `pair` writes and removes a file together with its sidecar so that a kill at any moment leaves
either the old pair or the new one, `lock` keeps writers apart and readers from judging in the midst
of a save, `reading` validates before it loads, `known` remembers sidecars, `listing` finds and
orders, `best` ranks, `shelf` keeps one kind; `snapshot` copies a state, `background` queues the
copies and writes them in a thread; `holdings` is what a Saver finds and loads, and `saver` is the
class that people use. `choosing` gives the file that a word means, `inventory` tells what there is,
and `state_folder` keeps a state as a folder of files.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from thexp_pl.saver.choosing import checkpoint_path as checkpoint_path
    from thexp_pl.saver.saver import Saver as Saver
    from thexp_pl.saver.state_folder import StateFolder as StateFolder

# Found when they are first used: readers of a folder do without torch.
_HOMES = {"Saver": "saver", "StateFolder": "state_folder", "checkpoint_path": "choosing"}

__all__ = ["Saver", "StateFolder", "checkpoint_path"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
