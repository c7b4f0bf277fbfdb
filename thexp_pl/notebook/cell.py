"""The output of a notebook's cell, drawn anew in its place, and not too often."""

from __future__ import annotations

import time
from typing import Any

__all__ = ["Cell", "Pace"]


class Cell:
    """What a cell shows; to be made and used where an IPython kernel runs."""

    def __init__(self) -> None:
        self._handle: Any = None

    def show(self, html: str, words: str) -> None:
        """Show something in the place of what was shown before.

        Args:
            html: What is shown.
            words: The same in a line, for whoever shows no HTML.
        """
        data = {"text/html": html, "text/plain": words}
        if self._handle is None:
            self._handle = _display()(data, raw=True, display_id=True)
        else:
            self._handle.update(data, raw=True)


def _display() -> Any:
    from IPython import display

    return display.display


class Pace:
    """Says when to draw again, so that drawing takes a small part of the time.

    Args:
        patience: How many times as long as a drawing took is waited before the next.
    """

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._ended = float("-inf")
        self._took = [0.0, 0.0]  # the last two: the first drawing of all imports what draws

    def is_due(self, every: float) -> bool:
        """Say whether to draw now.

        Args:
            every: The fewest seconds between two drawings.
        """
        return time.monotonic() >= self._ended + self.wait(every)

    def wait(self, every: float) -> float:
        """Give the seconds from the last drawing to the next.

        Args:
            every: The fewest.
        """
        return max(every, self._patience * min(self._took))

    def note(self, begun: float) -> None:
        """Note a drawing that has just ended.

        Args:
            begun: When it began, by `time.monotonic`.
        """
        self._ended = time.monotonic()
        self._took = [self._took[1], self._ended - begun]
