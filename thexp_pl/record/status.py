"""What became of a run, judged when it is asked and never believed from a file alone.

``finished``, ``failed`` and ``interrupted`` are what a run wrote at its end. One that wrote no end
is ``running`` or ``killed`` by its process, where that can be seen; else ``running`` while its
heartbeat is fresh, then ``lost``. ``damaged`` is a run whose manifest cannot be read.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from thexp_pl.record.heartbeat import is_stale
from thexp_pl.record.process import is_alive, same_view, was_rebooted

__all__ = ["ENDED", "compute_status"]

ENDED = ("finished", "failed", "interrupted")


def compute_status(manifest: Mapping[str, Any], heartbeat: Path) -> str:
    """Judge a run.

    Args:
        manifest: Its manifest.
        heartbeat: The file that it touches while it lives.

    Returns:
        ``running``, ``finished``, ``failed``, ``interrupted``, ``killed`` or ``lost``.
    """
    if manifest["status"] in ENDED:
        return str(manifest["status"])
    for status in ENDED:
        if os.path.lexists(heartbeat.with_name(f".{status}")):  # the disk was full at its end
            return status
    process = manifest["process"]
    if same_view(process):
        alive = is_alive(process)
        if alive is not None:
            return "running" if alive else "killed"
    if not is_stale(heartbeat):
        return "running"
    return "killed" if was_rebooted(process) else "lost"
