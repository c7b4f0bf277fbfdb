"""What a check finds."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Fault"]


@dataclass(frozen=True)
class Fault:
    """Something that is not as it was recorded.

    Args:
        run: The run's key; empty for what belongs to the root.
        path: The file as seen from the run's folder or, of the root, from there; for data as the
            record names it.
        what: What is wrong with it.
    """

    run: str
    path: str
    what: str
