"""Functions that hear of each finished message."""

from __future__ import annotations

from collections.abc import Callable

from thexp_pl.console.screen import LOCK, complain
from thexp_pl.console.text import to_text

__all__ = ["Listener", "Listeners"]

Listener = Callable[[str, int, str], object]


class Listeners:
    """The listeners of one Logger."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []

    def __bool__(self) -> bool:
        return bool(self._listeners)

    def add(self, listener: Listener) -> None:
        """Call a function for each message from now on.

        Args:
            listener: As `Logger.add_log_listener` describes it.
        """
        with LOCK:
            self._listeners.append(listener)

    def tell(self, message: str, level: int, line: str) -> None:
        """Call each listener; one that raises is reported and not called again.

        Args:
            message: The values as text.
            level: One of `Logger`'s levels.
            line: The whole line as it is written.
        """
        for listener in tuple(self._listeners):
            try:
                listener(message, level, line)
            except Exception as error:  # noqa: BLE001 - a listener's fault never stops training
                self._drop(listener, error)

    def _drop(self, listener: Listener, error: Exception) -> None:
        with LOCK:
            if listener not in self._listeners:
                return  # another thread has dropped it meanwhile
            self._listeners.remove(listener)
        complain(
            f"log listener {to_text(listener)} raised {type(error).__name__}: {to_text(error)}; "
            "it is not called again"
        )
