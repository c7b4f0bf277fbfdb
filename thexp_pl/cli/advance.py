"""How far a long command has come: a bar at a terminal, nothing in a pipe."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator

__all__ = ["advancing"]


@contextlib.contextmanager
def advancing(text: str) -> Iterator[Callable[[int, int], None]]:
    """Show on stderr how far something has come.

    Args:
        text: What is done.

    Yields:
        A function to call with what is done and what there is in all; 0 where that is not known.
    """
    if sys.stderr is None or not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(text, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total or None)
