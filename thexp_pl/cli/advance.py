"""How far a long command has come: a bar at a terminal, nothing in a pipe."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress

__all__ = ["advancing"]

_DRAWN_A_SECOND = 4  # a drawing takes 1 ms; it is told how far it is no more often


@contextlib.contextmanager
def advancing(text: str, *, in_bytes: bool = False) -> Iterator[Callable[[int, int], None]]:
    """Show on stderr how far something has come, at a terminal that can draw in place.

    The bar is there at once, and gone with the block, however that ends.

    Args:
        text: What is done.
        in_bytes: Whether bytes are counted.

    Yields:
        A function to call, as often as one likes, with what is done and what there is in all; 0
        where that is not known.
    """
    from thexp_pl.console.screen import terminal_of

    if sys.stderr is None or terminal_of(sys.stderr) is None:
        yield lambda done, total: None
        return
    with _bar() as bar:
        yield _Advance(bar, text, in_bytes=in_bytes)


def _bar() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    class Screen(Console):
        """A terminal whose cursor stays: a process that is killed could not show it again."""

        def show_cursor(self, show: bool = True) -> bool:
            return False

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[amount]}", markup=False),
        TimeElapsedColumn(),
        console=Screen(stderr=True),
        transient=True,
        redirect_stdout=False,  # which may be a file, and would come out here
        refresh_per_second=_DRAWN_A_SECOND,
    )


class _Advance:
    """Tells a bar how far it is, as often as it is drawn."""

    def __init__(self, bar: Progress, text: str, *, in_bytes: bool) -> None:
        self._bar = bar
        self._number = bar.add_task(text, total=None, amount="")
        self._in_bytes = in_bytes
        self._total = 0
        self._due = 0.0

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if now < self._due and total == self._total:
            return
        self._due, self._total = now + 1 / _DRAWN_A_SECOND, total
        self._bar.tasks[0].total = total or None  # `update` cannot take it away
        self._bar.update(self._number, completed=done, amount=self._amount(done, total))

    def _amount(self, done: int, total: int) -> str:
        known = [count for count in (done, total) if count]
        if self._in_bytes:
            from rich.filesize import decimal

            return " of ".join(map(decimal, known))
        return " of ".join(f"{count:,}" for count in known)
