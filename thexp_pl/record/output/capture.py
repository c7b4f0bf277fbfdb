"""`ConsoleCapture`: what the process prints, copied into a file as it was seen."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from thexp_pl.errors import RecordError
from thexp_pl.record.output.backlog import Backlog
from thexp_pl.record.output.capped import CappedFile
from thexp_pl.record.output.cells import Line
from thexp_pl.record.output.lines import VisibleLines
from thexp_pl.record.output.redaction import LineRedaction
from thexp_pl.record.output.tee import TEE

__all__ = ["ConsoleCapture"]

_FLUSH_SECONDS = 0.5  # what a kill may take away
_STOP_SECONDS = 60.0
_HURRY = 4_000_000  # bytes that wait
_PIECE = 100_000  # characters


class ConsoleCapture:
    """Copies what is written to `sys.stdout` and `sys.stderr` into one file, in that order.

    The file holds what remains visible, without colours: of a progress bar its last state. It is
    written every half second by a thread, so that no print waits for the disk. It keeps the first
    50 MB and the last 250 kB, and of a line 64 Ki characters. What child processes print, and what
    goes around the two streams (see `thexp_pl.record.output.tee`), is not in it.

    Args:
        path: The file; made with its folder, continued where it is there.
        redact: Takes secrets out of a line, see `thexp_pl.record.output.redaction`; called in the
            thread.
    """

    def __init__(self, path: Path, redact: Callable[[str], str]) -> None:
        self._path = path
        self._redaction = LineRedaction(redact)
        self._pid = 0  # of the process that started it
        self._backlog = Backlog()
        self._lines = VisibleLines(self._keep)
        self._stopping = False
        self._finished = False
        # Plain locks, as a signal handler may stop what the same thread is stopping.
        self._alarm = threading.Lock()
        self._ended = threading.Lock()
        self._fault: BaseException | None = None
        self._disk_fault: OSError | None = None

    def start(self) -> None:
        """Start copying; one that was started before goes on as it is.

        Raises:
            OSError: The file cannot be opened for writing.
            RuntimeError: No thread can be started.
        """
        if self._pid:
            return
        self._file = CappedFile(self._path)
        for lock in (self._alarm, self._ended):
            lock.acquire(blocking=False)
        try:
            threading.Thread(target=self._run, name="thexp-console", daemon=True).start()
        except BaseException:
            self._file.close()
            raise
        self._pid = os.getpid()
        for stream in TEE.add(self._add):
            self._add(f"[{stream} is not copied here: it takes no other write]\n")

    def stop(self) -> None:
        """Stop copying; all that was written before is in the file then.

        In another process than the one that started it, and the second time, nothing happens.

        Raises:
            OSError: The disk refused a part of it, or takes longer than a minute.
            Exception: What `redact` raised first; the line is not in the file.
        """
        if self._pid != os.getpid():
            return
        TEE.remove(self._add)
        self._stopping = True
        self._wake()
        deadline = time.monotonic() + _STOP_SECONDS
        while not self._finished and time.monotonic() < deadline:
            self._ended.acquire(timeout=0.1)
        if not self._finished:
            raise RecordError(f"{str(self._path)!r} is not written after {_STOP_SECONDS:.0f} s")
        faults = (self._fault, self._redaction.fault, self._disk_fault)
        self._fault = self._redaction.fault = self._disk_fault = None
        for fault in faults:
            if fault is not None:
                raise fault

    def _add(self, text: str) -> None:
        self._backlog.put(text)
        if self._backlog.size > _HURRY:
            self._wake()

    def _wake(self) -> None:
        if self._alarm.locked():
            try:
                self._alarm.release()
            except RuntimeError:  # another thread was faster
                return

    def _run(self) -> None:
        TEE.silence()  # a `redact` that prints would never come to an end
        try:
            stopping = False
            while not stopping:
                self._alarm.acquire(timeout=_FLUSH_SECONDS)
                stopping = self._stopping  # asked first: what came before the stop is flushed
                self._flush()
            self._file.close()
        except BaseException as error:  # noqa: BLE001 - told by `stop`
            TEE.remove(self._add)
            self._fault = error
        finally:
            self._finished = True
            self._ended.release()

    def _flush(self) -> None:
        while text := self._backlog.take():
            for start in range(0, len(text), _PIECE):  # other threads want to run in between
                self._lines.feed(text[start : start + _PIECE])
            self._write()
        if self._disk_fault is not None:
            self._write()  # the disk may have room again

    def _write(self) -> None:
        texts = [line.shown for line in self._lines.open_lines()]
        try:
            self._file.write(b"\n".join(self._redaction.open(texts)))
            self._disk_fault = None
        except OSError as error:
            self._disk_fault = error

    def _keep(self, line: Line) -> None:
        self._file.add(self._redaction.keep(line.shown) + b"\n")
