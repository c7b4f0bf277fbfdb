"""Shows what the process writes to `sys.stdout` and `sys.stderr` to others as well.

The streams stay what they are, file descriptors and all: `isatty`, bars, debuggers and child
processes notice nothing. Only the `write` of the two objects is another function, so what holds a
reference to a stream is seen too. Not seen are child processes, bytes written to ``stdout.buffer``
or to a file descriptor, and a stream that takes the place of one of the two later.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from types import BuiltinMethodType
from typing import Any

__all__ = ["TEE", "Tee"]

Sink = Callable[[str], None]


class _Local(threading.local):
    """Of each thread: how many texts it has shown to the sinks, and whether it shows any."""

    shown = 0
    silent = False


class _Patch:
    """The `write` of one stream, replaced."""

    def __init__(self, stream: Any, write: Callable[..., Any]) -> None:
        self.stream = stream
        self._write = write
        self._original = stream.write
        self._own = "write" in getattr(stream, "__dict__", ())
        stream.write = write

    def undo(self) -> None:
        """Put back what was there; what someone else has built upon it stays."""
        if getattr(self.stream, "write", None) is not self._write:
            return
        try:
            if self._own:
                self.stream.write = self._original
            else:
                del self.stream.write
        except AttributeError:  # a stream that hands its attributes to another one
            self.stream.write = self._original


class Tee:
    """The streams of this process and those who want to see what is written to them.

    A forked child has no sinks: it must not write into the files of its parent.
    """

    def __init__(self) -> None:
        # No lock is held while a text is shown, and a signal handler may come in the midst of this.
        self._lock = threading.RLock()
        self._sinks: tuple[Sink, ...] = ()  # replaced, never changed
        self._patches: list[_Patch] = []
        self._local = _Local()
        os.register_at_fork(after_in_child=self._forget)

    def add(self, sink: Sink) -> list[str]:
        """Show all further texts to a sink.

        Args:
            sink: Takes each text, in the thread that writes it.

        Returns:
            The names of the streams that cannot be shown, as they take no attributes.
        """
        with self._lock:
            self._sinks = (*self._sinks, sink)
            return [
                name for name in ("stdout", "stderr") if not self._patch(getattr(sys, name, None))
            ]

    def remove(self, sink: Sink) -> None:
        """Show nothing more to a sink; without sinks the streams are as they were before.

        Args:
            sink: As given to `add`; one that was not is passed over.
        """
        with self._lock:
            self._sinks = tuple(other for other in self._sinks if other != sink)
            if not self._sinks:
                self._undo()

    def silence(self) -> None:
        """Show nothing that this thread writes from now on."""
        self._local.silent = True

    def _patch(self, stream: Any) -> bool:
        patched = any(patch.stream is stream for patch in self._patches)
        if stream is not None and not patched:  # None: a process without a console
            try:
                self._patches.append(_Patch(stream, self._showing(stream.write)))
            except (AttributeError, TypeError):
                return False
        return True

    def _showing(self, original: Callable[..., Any]) -> Callable[..., Any]:
        local = self._local
        # A stream written in Python may write to the other one of the two: what comes out there is
        # shown. In a built-in one only a signal handler can do that, and both texts count.
        built_in = isinstance(original, BuiltinMethodType)

        def write(*args: Any, **named: Any) -> Any:
            before = local.shown
            try:
                return original(*args, **named)
            finally:
                if (built_in or local.shown == before) and not local.silent:
                    local.shown = before + 1
                    self._show(args[0] if args else None)

        return write

    def _show(self, text: Any) -> None:
        if isinstance(text, str):
            for sink in self._sinks:
                try:
                    sink(text)
                except Exception:  # noqa: BLE001 - out of memory: the user's print goes on
                    continue

    def _undo(self) -> None:
        while self._patches:
            self._patches.pop().undo()

    def _forget(self) -> None:
        self._lock = threading.RLock()  # another thread of the parent may have held it
        self._sinks = ()
        self._undo()


TEE = Tee()
