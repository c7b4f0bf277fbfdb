"""How a command ends: an error in one line, a run with where it is."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from thexp_pl.errors import ThexpError

if TYPE_CHECKING:
    from thexp_pl.record import Experiment

__all__ = ["report_errors", "report_run"]


@contextmanager
def report_errors(show_traceback: bool = False) -> Iterator[None]:
    """Turn what the user can mend into one line on stderr and an exit code.

    An exception of the user's own code passes as it is.

    Args:
        show_traceback: Let everything pass; also by ``THEXP_DEBUG=1``.

    Raises:
        SystemExit: With the error's exit code.
    """
    try:
        yield
    except ThexpError as error:
        if show_traceback or os.environ.get("THEXP_DEBUG") == "1":
            raise
        sys.stderr.write(f"error: {error}\n")
        raise SystemExit(error.exit_code) from None


def report_run(experiment: Experiment) -> None:
    """Print where a run is and how to look at it."""
    path = Path(os.path.relpath(experiment.path))
    shown = experiment.path if path.parts[:2] == ("..", "..") else path
    print(f"run:  {shown}")  # noqa: T201 - what the command prints
    print(f"look: thexp-pl show {experiment.key}")  # noqa: T201
