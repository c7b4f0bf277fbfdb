"""What a process prints, and of what it crashes."""

from __future__ import annotations

from thexp_pl.record.output.capture import ConsoleCapture
from thexp_pl.record.output.crash import CrashTrace, crash_signal
from thexp_pl.record.output.notebook import in_notebook

__all__ = ["ConsoleCapture", "CrashTrace", "crash_signal", "in_notebook"]
