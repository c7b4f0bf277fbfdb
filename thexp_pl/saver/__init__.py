"""Saver: checkpoints, keypoints and models, each a file with its JSON sidecar.

Reads from the bottom up: `names` spells the file names, `sidecar` is the commit record beside each
file, `pair` writes and removes a file together with its sidecar so that a kill at any moment leaves
either the old pair or the new one, `lock` keeps writers apart and readers from judging in the midst
of a save, `reading` validates before it loads, `listing` finds and orders, `shelf` keeps one kind,
and `saver` is the class that people use.
"""

from __future__ import annotations

from thexp_pl.saver.saver import Saver

__all__ = ["Saver"]
