"""Log files: UTF-8, appended to line by line, each by the one process that made it."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from thexp_pl.console.screen import complain

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["LogFiles"]


class LogFiles:
    """The log files of one Logger, at most one in each folder; its caller holds the `LOCK`."""

    def __init__(self) -> None:
        self._files: list[_LogFile] = []

    def add(self, folder: str | os.PathLike[str]) -> Path | None:
        """Begin a new log file.

        Args:
            folder: Where to make it; made with its parents where it is missing.

        Returns:
            The file; the same one for a folder that was added before. None, after a warning, where
            none can be made.
        """
        from pathlib import Path  # costs milliseconds that a console without files need not pay

        try:
            folder = Path(folder).absolute()
            for file in self._files:
                if file.mine and file.path.parent == folder:
                    return file.path
            path = _claim(folder)
        except (OSError, ValueError) as error:  # no working folder; a NUL in the name
            complain(f"no log file can be made in {str(folder)!r} ({error}); training goes on")
            return None
        self._files.append(_LogFile(path))
        return path

    def write(self, line: str) -> None:
        """Append a line to each file that this process made.

        Args:
            line: The text without its closing newline.
        """
        for file in self._files:
            if file.mine:
                file.write(line)

    def clear(self) -> None:
        """Write no more into the files added so far."""
        self._files.clear()


class _LogFile:
    """One file, opened for each line.

    No handle is lost in forks and pickles, and each line is on its way to the disk, and to the
    readers of a network file system, when `write` returns.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._pid = os.getpid()
        self._warned = False
        self._torn = False

    @property
    def mine(self) -> bool:
        """Whether this process made the file: a forked child must not write into it."""
        return self._pid == os.getpid()

    def write(self, line: str) -> None:
        """Append a line; where that fails, warn once and go on trying."""
        try:
            with self.path.open("a", encoding="utf-8", newline="\n") as file:
                file.write(("\n" if self._torn else "") + line + "\n")
            self._torn = False
        except OSError as error:
            self._torn = True  # a full disk may have taken the first half of the line
            if not self._warned:
                self._warned = True
                complain(f"log file {self.path} cannot be written ({error}); training goes on")


def _claim(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    stamp = time.strftime("%y%m%d%H%M%S")
    number = 0
    while True:
        path = folder / f"{stamp}.{number}.log"
        try:
            path.open("x").close()  # exclusively: two processes never share a name
        except FileExistsError:
            number += 1
        else:
            return path
