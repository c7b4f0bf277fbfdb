"""A line at the terminal while something takes long that the user has not asked for by name."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Iterator
from typing import TextIO

from thexp_pl.console.screen import LOCK, Terminal, release, terminal_of
from thexp_pl.console.text import one_line

__all__ = ["waiting"]

_QUIET_SECONDS = 1.0  # what takes no longer is not worth a line
_DRAW_SECONDS = 0.5
_END_SECONDS = 1.0  # a terminal that was stopped with Ctrl-S is not waited for


@contextlib.contextmanager
def waiting(text: str, where: str = "") -> Iterator[None]:
    """Say what is waited for in the in-place line, where a block takes longer than a second.

    The line is on stderr, at a terminal only, and gone with the block.

    Args:
        text: What is done.
        where: With what, such as a folder; it scrolls where the terminal is narrow, and control
            characters in it are escaped.
    """
    terminal = None if sys.stderr is None else terminal_of(sys.stderr)
    if terminal is None:
        yield
        return
    ended = threading.Event()
    words = (terminal, sys.stderr, text, one_line(where), ended)
    thread = threading.Thread(target=_show, args=words, name="thexp-waiting", daemon=True)
    with contextlib.suppress(RuntimeError):  # no thread can be started: then without the line
        thread.start()
    try:
        yield
    finally:
        ended.set()
        if thread.ident is not None:
            thread.join(_END_SECONDS)


def _show(
    terminal: Terminal, stream: TextIO, text: str, where: str, ended: threading.Event
) -> None:
    start = time.monotonic()
    try:
        pause = _QUIET_SECONDS
        while not ended.wait(pause):
            head = f"{text} ({time.monotonic() - start:.0f} s) "
            with LOCK:
                terminal.draw(stream, ended, head, where)
            pause = _DRAW_SECONDS
    finally:
        release(ended)
