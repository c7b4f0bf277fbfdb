"""Timing one call, where what follows it must not count."""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["nothing", "timed"]


def nothing() -> None:
    """Do nothing: what costs are set against that have no peer."""


def timed(work: Callable[[], object], after: Callable[[], object] = nothing) -> float:
    """Give the seconds that a call takes; then do something else, untimed.

    Args:
        work: What is timed.
        after: What waits for it, or cleans up.

    Returns:
        The seconds until `work` returned.
    """
    start = time.perf_counter()
    work()
    taken = time.perf_counter() - start
    after()
    return taken
