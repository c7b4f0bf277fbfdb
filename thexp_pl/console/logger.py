"""Logger: messages stamped with the local time, and one line that is redrawn in place."""

from __future__ import annotations

import atexit
import os
import sys
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from thexp_pl.console import screen
from thexp_pl.console.listeners import Listener, Listeners
from thexp_pl.console.logfile import LogFiles
from thexp_pl.console.screen import LOCK, print_line, release, terminal_of
from thexp_pl.console.text import escape, one_line, to_text

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    # An in-place line as it was given (values, prefix, time): nothing is formatted before drawing.
    _Line = tuple[tuple[object, ...], object, float]

__all__ = ["Logger"]

REFRESH = 0.05  # seconds between two drawings of an in-place line: what an eye can follow

_open: dict[Logger, None] = {}  # Loggers whose in-place line has not ended, oldest first


class Logger:
    """Messages on the console, in log files and to listeners, after thexp's Logger.

    A message is ``stamp - prefix - LEVEL - value - value``; `info` has no level word. On a terminal
    `inline` redraws one row in place; in a pipe or a file only the last state of that row is
    printed, once it has ended. Control characters in values are shown escaped. Several threads may
    use one Logger, and several Loggers one terminal: of their in-place lines the one that changed
    last is seen. What cannot be written, be it the console or a log file, is reported once on
    stderr and never raised. No colours are used.

    In a forked child (a DataLoader worker) messages reach the console only: the log files stay the
    parent's, and so does its in-place line. A pickled or deep copy begins without in-place line,
    log files and listeners.

    Args:
        adddate: Whether each message begins with the local time.
        datefmt: The format of that time, as in `time.strftime`.
        sep: Stands between stamp, prefix, level and values.
        stdout: Whether messages go to `sys.stdout`; log files and listeners get them anyway.

    Attributes:
        VERBOSE: Messages below this level reach listeners only: ``logger.VERBOSE = Logger.V_DEBUG``
            shows the debug messages of one Logger, ``Logger.VERBOSE = ...`` those of all.
        stdout: As given; may be changed at any time.

    >>> logger = Logger(adddate=False)
    >>> logger.info(1, 2, {3: 4}, prefix="examples")
    examples - 1 - 2 - {3: 4}
    >>> logger.warn("no GPU")
    WARN - no GPU
    >>> for batch in range(3):
    ...     logger.inline(f"{batch + 1}/3", prefix="train")
    >>> logger.newline()
    train - 3/3
    """

    V_DEBUG = -1
    V_INFO = 0
    V_WARN = 1
    V_ERROR = 2
    V_FATAL = 3
    VERBOSE = V_INFO

    def __init__(
        self,
        adddate: bool = True,
        datefmt: str = "%y-%m-%d %H:%M:%S",
        sep: str = " - ",
        stdout: bool = True,
    ) -> None:
        self.adddate = adddate
        self.datefmt = datefmt
        self.sep = sep
        self.stdout = stdout
        self._files = LogFiles()
        self._listeners = Listeners()
        self._line: _Line | None = None
        self._next_draw = 0.0

    def inline(self, *values: object, prefix: object = "") -> None:
        """Show the values on one row that is redrawn in place, at most every 50 ms.

        The row stays open until another message of this Logger, `newline`, `close` or the end of
        the process ends it; then its last state is written as a whole line to console, log files
        and listeners. What does not fit into the terminal scrolls behind the stamp and the prefix.

        Values and prefix are formatted when they are drawn, not when they are given, so that a
        call between two drawings costs about a microsecond. An object changed in the meantime is
        drawn as it is then: end the line (`newline`) before resetting a meter that is on it. To
        postpone the building of a whole line, pass an object whose ``__str__`` builds it.

        Args:
            *values: Any objects.
            prefix: Stands before the values and does not scroll.
        """
        now = time.monotonic()
        with LOCK:
            if self._line is None:
                _open[self] = None
            self._line = (values, prefix, time.time())
            due = now >= self._next_draw
            if due:
                self._next_draw = now + REFRESH
        if due:
            self._draw()

    def debug(self, *values: object, prefix: object = "") -> None:
        """Write a message that is hidden unless `VERBOSE` is lowered to `V_DEBUG`.

        Args:
            *values: Any objects, joined by `sep`.
            prefix: Stands before the values.
        """
        self._message(self.V_DEBUG, "DEBUG", values, prefix)

    def info(self, *values: object, prefix: object = "") -> None:
        """Write a message.

        Args:
            *values: Any objects, joined by `sep`; several lines stay several lines.
            prefix: Stands before the values.
        """
        self._message(self.V_INFO, "", values, prefix)

    def warn(self, *values: object, prefix: object = "") -> None:
        """Write a message marked WARN.

        Args:
            *values: Any objects, joined by `sep`.
            prefix: Stands before the values.
        """
        self._message(self.V_WARN, "WARN", values, prefix)

    def error(self, *values: object, prefix: object = "") -> None:
        """Write a message marked ERROR.

        Args:
            *values: Any objects, joined by `sep`.
            prefix: Stands before the values.
        """
        self._message(self.V_ERROR, "ERROR", values, prefix)

    def fatal(self, *values: object, prefix: object = "") -> None:
        """Write a message marked FATAL.

        Args:
            *values: Any objects, joined by `sep`.
            prefix: Stands before the values.
        """
        self._message(self.V_FATAL, "FATAL", values, prefix)

    def raw(self, *values: object) -> None:
        """Write the values alone, joined by spaces: no stamp, no prefix.

        Args:
            *values: Any objects.
        """
        if self.V_INFO >= self.VERBOSE:
            self._end_line()
        message = " ".join(map(to_text, values))
        self._emit(self.V_INFO, message, escape(message))

    def newline(self) -> None:
        """Go to a new line: end the in-place line, or write an empty line where none is open."""
        if not self._end_line() and self.V_INFO >= self.VERBOSE:
            self._print("")

    def add_log_dir(self, folder: str | os.PathLike[str]) -> Path | None:
        """Write all further messages into a new log file as well.

        Args:
            folder: Where to make the file, named after the local time; made where it is missing.

        Returns:
            The file; the same one for a folder that was added before. None, after a warning on
            stderr, where none can be made.
        """
        with LOCK:
            return self._files.add(folder)

    def add_log_listener(self, listener: Listener) -> None:
        """Call a function for each message, those below `VERBOSE` included.

        Args:
            listener: Called as ``listener(message, level, line)`` in the thread of the message:
                the values as text, unescaped, without stamp and prefix; one of the `V_` levels; the
                whole line as it is written. In-place lines come once, when they have ended. A
                listener that raises is reported on stderr and not called again.
        """
        self._listeners.add(listener)

    def close(self) -> None:
        """End the in-place line and write no more into the log files; the console stays."""
        self._end_line()
        with LOCK:
            self._files.clear()

    def __enter__(self) -> Logger:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        own = {"_line": None, "_files": LogFiles(), "_listeners": Listeners()}
        return {**self.__dict__, **own}

    def _message(self, level: int, word: str, values: tuple[object, ...], prefix: object) -> None:
        shown = level >= self.VERBOSE
        if not shown and not self._listeners:
            return
        if shown:
            self._end_line()
        message = self._join(map(to_text, values))
        head = self._join((self._stamp(time.time()), one_line(to_text(prefix)), word))
        self._emit(level, message, self._join((head, escape(message))))

    def _draw(self) -> None:
        line, stream = self._line, sys.stdout
        if line is None or stream is None or not self.stdout or self.V_INFO < self.VERBOSE:
            return
        terminal = terminal_of(stream)
        if terminal is None:
            return
        head, message = self._format(line)  # outside the lock: a value's `__str__` may wait or log
        with LOCK:
            if self._line is not None:  # else another thread has ended it meanwhile
                terminal.draw(stream, self, head + self.sep if head else "", one_line(message))

    def _end_line(self) -> bool:
        """Write the last state of the in-place line; False where none was open."""
        with LOCK:
            line, self._line = self._line, None
            self._next_draw = 0.0
            _open.pop(self, None)
        if line is None:
            return False
        head, message = self._format(line)
        release(self)
        self._emit(self.V_INFO, message, self._join((head, one_line(message))))
        return True

    def _emit(self, level: int, message: str, line: str) -> None:
        if level >= self.VERBOSE:
            self._print(line)
        self._listeners.tell(message, level, line)

    def _print(self, line: str) -> None:
        with LOCK:
            if self.stdout:
                print_line(sys.stdout, line)
            self._files.write(line)

    def _format(self, line: _Line) -> tuple[str, str]:
        values, prefix, when = line
        head = self._join((self._stamp(when), one_line(to_text(prefix))))
        return head, self._join(map(to_text, values))

    def _stamp(self, when: float) -> str:
        return time.strftime(self.datefmt, time.localtime(when)) if self.adddate else ""

    def _join(self, parts: Iterable[str]) -> str:
        return self.sep.join(part for part in parts if part.strip())


def _end_all() -> None:
    for logger in tuple(_open):
        logger.close()


def _after_fork_in_child() -> None:
    for logger in _open:
        logger._line = None
    _open.clear()
    screen.disown_rows()
    LOCK.release()


atexit.register(_end_all)
# The lock is held over a fork, so that no child starts with a lock that nobody will release.
os.register_at_fork(
    before=LOCK.acquire, after_in_parent=LOCK.release, after_in_child=_after_fork_in_child
)
