"""Output streams: the one in-place row of a terminal, and plain lines everywhere else.

A terminal has one cursor, so all Loggers (and stdout and stderr) that reach the same terminal share
one `Terminal` here: whole lines are printed above the in-place row, which is then drawn again.
Nothing in here raises for a stream that cannot be written: output must not stop training.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from contextlib import suppress
from typing import TextIO

from thexp_pl.console.text import fit, one_line, period

__all__ = ["LOCK", "Terminal", "complain", "print_line", "release", "terminal_of"]

SCROLL_SPEED = 8.0  # cells a second: as fast as numbers can be read
DEFAULT_COLUMNS = 80  # of a terminal that does not know its size

# One lock for all streams: it guards the rows, and keeps the bytes of two threads apart.
LOCK = threading.RLock()

_terminals: dict[int, Terminal] = {}
_broken: set[str] = set()


class _Row:
    """What one owner has on the in-place row, and how far it has scrolled."""

    def __init__(self, stream: TextIO, drawn: float) -> None:
        self.stream = stream
        self.drawn = drawn
        self.offset = 0.0
        self.text = ""


class Terminal:
    """The in-place row of one terminal; of several owners the one that drew last is seen."""

    def __init__(self) -> None:
        self._rows: dict[object, _Row] = {}
        self._inherited = False

    def draw(self, stream: TextIO, owner: object, head: str, body: str) -> None:
        """Show a line in place, cut to the width of the terminal and scrolled by the time passed.

        Args:
            stream: A stream that ends in this terminal.
            owner: Whose line it is; `release` takes it off.
            head: The part that never scrolls; one line without control characters.
            body: The part that scrolls where the whole is too wide.
        """
        head, body = _encodable(head, stream), _encodable(body, stream)
        now, width = time.monotonic(), _width(stream)
        row = self._rows.pop(owner, None) or _Row(stream, now)
        self._rows[owner] = row  # last in the dict: the one that is seen
        row.offset = (row.offset + (now - row.drawn) * SCROLL_SPEED) % period(body)
        row.stream, row.drawn = stream, now
        row.text = fit(head, body, width, int(row.offset))
        _write(stream, f"\r{row.text}\x1b[K")

    def print(self, stream: TextIO, line: str) -> None:
        """Print a whole line above the in-place row.

        Args:
            stream: A stream that ends in this terminal.
            line: The text without its closing newline; wider ones wrap.
        """
        erase = "\r\x1b[K" if self._rows or self._inherited else ""
        _write(stream, f"{erase}{_encodable(line, stream)}\n{self._seen(stream)}")

    def release(self, owner: object) -> None:
        """Take an owner's line off the row; another owner's line appears in its place.

        Args:
            owner: As given to `draw`; one without a line is passed over.
        """
        row = self._rows.pop(owner, None)
        if row is not None:
            _write(row.stream, f"\r\x1b[K{self._seen(row.stream)}")

    def disown(self) -> None:
        """Forget the rows, but erase what the parent may have drawn before each line printed."""
        self._rows.clear()
        self._inherited = True

    def _seen(self, stream: TextIO) -> str:
        rows = list(self._rows.values())
        return fit("", rows[-1].text, _width(stream), 0) if rows else ""


def terminal_of(stream: TextIO) -> Terminal | None:
    """Find the terminal that a stream ends in.

    Args:
        stream: Any text stream, also a closed one or one without a file descriptor.

    Returns:
        The one `Terminal` of that device, or None where a line cannot be drawn in place: a pipe, a
        file, a notebook, `TERM=dumb`.
    """
    if os.environ.get("TERM") == "dumb":
        return None
    try:
        if not stream.isatty():
            return None
        device = os.fstat(stream.fileno()).st_rdev
    except Exception:  # noqa: BLE001 - whatever stands in for stdout
        return None
    return _terminals.setdefault(device, Terminal())


def print_line(stream: TextIO | None, line: str) -> None:
    """Print a whole line on a stream, above the in-place row where there is one.

    Args:
        stream: Any text stream; None (a process without a console) takes nothing.
        line: The text without its closing newline.
    """
    if stream is None:
        return
    with LOCK:
        terminal = terminal_of(stream)
        if terminal is None:
            _write(stream, _encodable(line, stream) + "\n")
        else:
            terminal.print(stream, line)


def release(owner: object) -> None:
    """Take an owner's in-place line off every terminal.

    Args:
        owner: As given to `Terminal.draw`.
    """
    with LOCK:
        for terminal in tuple(_terminals.values()):
            terminal.release(owner)


def complain(problem: str) -> None:
    """Print one line about a fault of the console itself on stderr.

    Args:
        problem: What failed, and what happens now.
    """
    print_line(sys.stderr, f"thexp_pl: {one_line(problem)}")


def disown_rows() -> None:
    """Leave all rows to the parent, in a forked child: they may be on the screen or long ended."""
    for terminal in _terminals.values():
        terminal.disown()


def _width(stream: TextIO) -> int:
    """Count the cells to draw on: the last column stays free, where a full row may wrap."""
    columns = 0
    with suppress(OSError, ValueError):
        columns = os.get_terminal_size(stream.fileno()).columns
    return max((columns or DEFAULT_COLUMNS) - 1, 1)


def _encodable(text: str, stream: TextIO) -> str:
    """Replace what the stream's encoding has no bytes for by escapes."""
    if text.isascii():
        return text
    try:
        encoding = getattr(stream, "encoding", None) or "utf-8"
        return text.encode(encoding, "backslashreplace").decode(encoding)
    except Exception:  # noqa: BLE001 - an encoding that Python does not know
        return text.encode("ascii", "backslashreplace").decode("ascii")


def _write(stream: TextIO, text: str) -> None:
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError as error:
        _warn_once(stream, error)
        _silence(stream)
    except Exception as error:  # noqa: BLE001 - whatever stands in for stdout, training goes on
        _warn_once(stream, error)


def _warn_once(stream: TextIO, error: Exception) -> None:
    name = str(getattr(stream, "name", stream))
    if name not in _broken:
        _broken.add(name)
        complain(f"console output {name} cannot be written ({error}); training goes on")


def _silence(stream: TextIO) -> None:
    """Lead a pipe that nobody reads to nowhere: its last bytes would fail the exit (status 120)."""
    with suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
