"""What runs beside a process that records: its heartbeat, a copy of its console, a crash trace."""

from __future__ import annotations

from collections.abc import Callable

from thexp_pl.record.faults import Tolerant
from thexp_pl.record.heartbeat import Heartbeat
from thexp_pl.record.output import ConsoleCapture, CrashTrace, in_notebook
from thexp_pl.record.paths import ProcessPaths

__all__ = ["Companions"]


class Companions:
    """Starts the three; a fault of one is told by `tolerant` and leaves the others alone.

    Args:
        paths: Where they write.
        redact: Takes secrets out of a text.
        tolerant: Takes their faults.
        console: Whether the console is copied; None: yes, but not in a notebook.
    """

    def __init__(
        self,
        paths: ProcessPaths,
        redact: Callable[[str], str],
        tolerant: Tolerant,
        console: bool | None,
    ) -> None:
        self._tolerant = tolerant
        self._heartbeat = tolerant(Heartbeat, paths.heartbeat)
        self._crash = CrashTrace(paths.crash)
        tolerant(self._crash.start)
        self._console: ConsoleCapture | None = None
        if not in_notebook() if console is None else console:
            self._console = ConsoleCapture(paths.console, redact)
            tolerant(self._console.start)

    def stop_console(self) -> None:
        """Stop copying; the file is whole after this."""
        if self._console is not None:
            self._tolerant(self._console.stop)
            self._console = None

    def stop(self) -> None:
        """Stop all three; the heartbeat's file and an empty crash trace are taken away."""
        self.stop_console()
        self._tolerant(self._crash.stop)
        if self._heartbeat is not None:
            self._heartbeat.stop()
