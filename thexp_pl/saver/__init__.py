"""Saver: checkpoints, keypoints and models, each a file with its JSON sidecar.

Reads from the bottom up: `names` spells the file names, `sidecar` is the commit record beside each
file, `pair` writes and removes a file together with its sidecar so that a kill at any moment leaves
either the old pair or the new one, `reading` validates before it loads, `listing` finds and orders,
and `saver` is the class that people use.
"""

from __future__ import annotations

from thexp_pl.saver.saver import Saver

__all__ = ["Saver"]
