"""The file that keeps what a process raised."""

from __future__ import annotations

import traceback
from pathlib import Path

from thexp_pl.atomic import write_text
from thexp_pl.record.describing import redacted_cut
from thexp_pl.record.redact import Redactor

__all__ = ["write_traceback"]

_MAX_TRACEBACK = 1 << 20  # characters


def write_traceback(path: Path, exception: BaseException, redactor: Redactor) -> None:
    """Write the traceback of an exception, without secrets, the middle of a long one left out.

    Args:
        path: The file.
        exception: The exception.
        redactor: Takes secrets out.

    Raises:
        OSError: It cannot be written.
    """
    text = "".join(traceback.format_exception(exception))
    write_text(path, redacted_cut(text, _MAX_TRACEBACK, redactor))
