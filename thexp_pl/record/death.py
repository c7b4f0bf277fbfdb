"""Of what a process died that wrote no end."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from thexp_pl.record.output import crash_signal
from thexp_pl.record.process import was_rebooted

__all__ = ["death_of"]


class CrashPlace(Protocol):
    """Where the trace of a crash is: of a run or of one rank."""

    @property
    def crash(self) -> Path:
        """The file."""


def death_of(record: Mapping[str, Any], place: CrashPlace) -> dict[str, str]:
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
