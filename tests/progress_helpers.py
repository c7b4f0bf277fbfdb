"""Commands at a pseudo-terminal, and what is left on its screen."""

from __future__ import annotations

import fcntl
import os
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO

SECONDS = 180.0
COLUMNS = 80

_PIECES = re.compile(r"\x1b\[(\??[0-9;]*)([A-Za-z])|([\r\n])|([^\x1b\r\n]+)")


class AtTerminal:
    """A process whose stderr is a terminal of 80 columns that it controls.

    Its stdout is that terminal as well, or a pipe.
    """

    def __init__(
        self,
        words: list[str],
        *,
        piped: bool = True,
        cwd: Path | None = None,
        **variables: str,
    ) -> None:
        self._leader, follower = os.openpty()
        fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, COLUMNS, 0, 0))
        self._process: subprocess.Popen[bytes] = subprocess.Popen(
            words,
            stdin=follower,
            stdout=subprocess.PIPE if piped else follower,
            stderr=follower,
            cwd=cwd,
            env=_environment({"TERM": "xterm-256color", **variables}),
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(follower)
        self._read = b""
        self.out = b""

    @property
    def written(self) -> str:
        """What came to the terminal."""
        return self._read.decode(errors="ignore")

    @property
    def texts(self) -> str:
        """The same without colours and moves."""
        return re.sub(r"\x1b\[[?0-9;]*[A-Za-z]", "", self.written)

    def wait_for(self, pattern: str) -> None:
        """Read until something has come."""
        deadline = time.monotonic() + SECONDS
        while not re.search(pattern, self.texts):
            assert self._more(deadline), self.texts[-1000:]

    def type_in(self, keys: bytes) -> None:
        """Press keys."""
        os.write(self._leader, keys)

    def ended(self) -> int:
        """Wait for its end; give its exit code."""
        deadline = time.monotonic() + SECONDS
        try:
            while self._more(deadline):
                pass
            out: IO[bytes] | None = self._process.stdout
            self.out = b"" if out is None else out.read()
            return self._process.wait(SECONDS)
        finally:
            self._process.kill()
            os.close(self._leader)
            if self._process.stdout is not None:
                self._process.stdout.close()

    def _more(self, deadline: float) -> bool:
        left = max(0.0, deadline - time.monotonic())
        if not select.select([self._leader], [], [], left)[0]:
            self._process.kill()
            self._process.wait(SECONDS)
            raise AssertionError(f"it hangs: {self.texts[-1000:]!r}")
        try:
            piece = os.read(self._leader, 65536)
        except OSError:  # the last one has closed the terminal
            return False
        self._read += piece
        return bool(piece)


def command(*words: str) -> list[str]:
    """Spell a command of ``thexp-pl``."""
    return [sys.executable, "-m", "thexp_pl", *words]


def in_pipe(words: list[str], **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a process without a terminal."""
    return subprocess.run(
        words, capture_output=True, text=True, timeout=SECONDS, env=_environment(variables)
    )


def screen(written: str) -> list[str]:
    """Draw what came to a terminal; give the lines with something on them."""
    rows, row, column = [""], 0, 0
    for found in _PIECES.finditer(written):
        number, code, move, text = found.groups()
        if text is not None:
            line = rows[row].ljust(column)
            rows[row] = line[:column] + text + line[column + len(text) :]
            column += len(text)
        elif move == "\r":
            column = 0
        elif move == "\n":
            row += 1
            rows += [""] * (row >= len(rows))
        elif code == "A":
            row -= int(number or 1)
        elif code == "K":
            rows[row] = "" if number == "2" else rows[row][:column]
        else:
            assert code in "mhl", found.group()
    return [line.rstrip() for line in rows if line.strip()]


def _environment(variables: Mapping[str, str]) -> dict[str, str]:
    environment = {**os.environ, **variables}
    for name in ("COLUMNS", "NO_COLOR", "FORCE_COLOR"):
        if name not in variables:
            environment.pop(name, None)
    return environment
