"""Whether this process is a notebook's."""

from __future__ import annotations

import sys

__all__ = ["in_notebook"]


def in_notebook() -> bool:
    """Say whether an IPython kernel runs this code, and shows its output in cells.

    Returns:
        False in a terminal's IPython, and where IPython or a kernel was merely imported.
    """
    get_shell = getattr(sys.modules.get("IPython"), "get_ipython", None)
    shell = get_shell() if callable(get_shell) else None
    return getattr(shell, "kernel", None) is not None
