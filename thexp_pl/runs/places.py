"""Where the paths of a run's record are."""

from __future__ import annotations

import os
from typing import Any

from thexp_pl.runs.run import Run

__all__ = ["place"]


def place(run: Run, recorded: Any) -> str | None:
    """Give the absolute path of one that is recorded as seen from the root, or in full.

    Args:
        run: The run.
        recorded: What its manifest says; anything.

    Returns:
        The path; None where it is no text.
    """
    if not isinstance(recorded, str):
        return None
    # As text: a link in it is another place than the one that was named.
    return os.path.normpath(os.path.join(os.path.realpath(run.paths.root), recorded))  # noqa: PTH118
