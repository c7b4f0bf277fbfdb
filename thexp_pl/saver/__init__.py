"""Saver: checkpoints, keypoints and models, each a file with its JSON sidecar.

Reads from the bottom up: `names` spells the file names, `sidecar` is the commit record beside each
file, `pair` writes and removes a file together with its sidecar so that a kill at any moment leaves
either the old pair or the new one, `lock` keeps writers apart and readers from judging in the midst
of a save, `reading` validates before it loads, `known` remembers sidecars, `listing` finds and
orders, `best` ranks, `shelf` keeps one kind; `snapshot` copies a state, `background` queues the
copies and writes them in a thread; `holdings` is what a Saver finds and loads, and `saver` is the
class that people use. `choosing` gives the file that a word means, and `state_folder` keeps a state
as a folder of files.
"""

from __future__ import annotations

from thexp_pl.saver.choosing import checkpoint_path
from thexp_pl.saver.saver import Saver
from thexp_pl.saver.state_folder import StateFolder

__all__ = ["Saver", "StateFolder", "checkpoint_path"]
