"""Of what a process died that wrote no end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from thexp_pl.record.output import crash_signal
from thexp_pl.record.paths import ProcessPaths
from thexp_pl.record.process import was_rebooted

__all__ = ["death_of"]


def death_of(record: Mapping[str, Any], place: ProcessPaths) -> dict[str, str]:
    """Tell as far as can be known what ended a process that is gone.

    Args:
        record: A manifest, or the record of a rank.
        place: Its files.

    Returns:
        A cause: ``signal`` where the process left a trace of it, else ``message``.
    """
    signal_name = crash_signal(place.crash)
    if signal_name is not None:
        return {"signal": signal_name}
    if was_rebooted(record["process"]):
        return {"message": "the machine was restarted while it ran"}
    return {"message": "its process is gone without a trace: SIGKILL, out of memory, or os._exit"}
