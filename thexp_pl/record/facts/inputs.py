"""The data that a run declares to use: where it is, how large, and its hash."""

from __future__ import annotations

import dataclasses
import os
import re
import stat
import threading
import time
from collections import deque
from collections.abc import Callable
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from thexp_pl.errors import RecordError, UsageError, near_miss
from thexp_pl.record.facts.hashing import (
    ChangedError,
    Stamp,
    StoppedError,
    hash_file,
    hash_folder,
    stamp,
)
from thexp_pl.record.names import shown
from thexp_pl.record.places import placed
from thexp_pl.record.redact import Redactor

__all__ = ["Inputs"]

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_MAX_INPUTS = 1000
_MAX_NEIGHBOURS = 1000  # looked through for a near miss
_TELL_SECONDS = 10.0  # between two calls of `changed` while hashes come in
_CLOSE_SECONDS = 5.0


@dataclasses.dataclass
class _Input:
    """One entry of the manifest's ``uses``; the schema describes the fields."""

    path: str
    kind: str
    state: str
    bytes: int | None = None
    files: int | None = None
    skipped: int | None = None
    modified: str | None = None
    sha256: str | None = None
    error: str | None = None


class Inputs:
    """Files and folders that are hashed in the background, one after the other.

    Args:
        root: The experiment root; paths are written as seen from there where they can be.
        redactor: Takes secrets out of paths and URLs.
        changed: Called when `facts` tells something new, from the caller's thread at each `uses`
            and at `close`, and from that of the hashing when hashes are ready.
    """

    def __init__(self, root: Path, redactor: Redactor, changed: Callable[[], None]) -> None:
        self._root = root
        self._redactor = redactor
        self._changed = changed
        self._inputs: dict[tuple[str, Stamp | None], _Input] = {}
        self._waiting: deque[tuple[Path, Stamp, _Input]] = deque()
        # A signal may come while this thread holds it, and its handler end the run.
        self._lock = threading.RLock()
        self._thread: threading.Thread | None = None
        self._news = 0  # counts the changes of what `facts` tells
        self._fault: Exception | None = None
        self._is_closed = False

    def uses(self, path: str | os.PathLike[str]) -> None:
        """Declare a file, a folder or a URL; one that is declared and unchanged is not again.

        Args:
            path: The file or the folder, ``~`` included; a URL is recorded as it is named.

        Raises:
            RecordError: There is no such file or folder, it is something else such as a pipe, or
                there are 1,000 already.
            UsageError: The run has ended.
        """
        named = os.fsdecode(path)
        if _URL.match(named):
            self._add(named, None, _Input(self._redactor.text(named), "url", "named"))
            return
        named = os.path.expanduser(named)  # noqa: PTH111 - no error where there is no home
        try:
            facts = os.stat(named)  # noqa: PTH116 - an empty Path is the working directory
            absolute = os.path.abspath(named)  # noqa: PTH100 - `..`
        except (OSError, ValueError) as error:
            raise _no_input(named, error) from None
        self._add(absolute, stamp(facts), self._described(absolute, facts))

    def facts(self) -> list[dict[str, Any]]:
        """Tell what is known by now.

        Returns:
            The manifest's ``uses``, in the order of the calls.
        """
        with self._lock:
            return [dataclasses.asdict(entry) for entry in self._inputs.values()]

    def close(self, timeout: float = _CLOSE_SECONDS) -> None:
        """Wait for the hashes, then stop; what is not ready is ``unfinished``.

        Nothing can be declared afterwards.

        Args:
            timeout: Seconds to wait at most.

        Raises:
            Exception: What went wrong in the background, or that it could not begin; raised once.
        """
        thread = self._thread
        if thread is not None:
            thread.join(timeout)
        with self._lock:
            self._is_closed = True
            for entry in self._inputs.values():
                if entry.state == "pending":
                    entry.state = "unfinished"
                    self._news += 1
        if self._inputs:
            self._tell()
        fault, self._fault = self._fault, None
        if fault is not None:
            raise fault

    def _described(self, path: str, facts: os.stat_result) -> _Input:
        place = self._redactor.text(placed(path, self._root))
        if stat.S_ISDIR(facts.st_mode):
            return _Input(place, "folder", "pending")
        if not stat.S_ISREG(facts.st_mode):
            raise RecordError(f"{shown(path)} is neither a file nor a folder: name one of the two")
        when = datetime.fromtimestamp(facts.st_mtime).astimezone()
        return _Input(
            place,
            "file",
            "pending",
            bytes=facts.st_size,
            modified=when.isoformat(timespec="milliseconds"),
        )

    def _add(self, name: str, declared: Stamp | None, entry: _Input) -> None:
        with self._lock:
            if self._is_closed:
                raise UsageError(
                    f"the run has ended and cannot use {shown(name)} any more: declare what it uses"
                    " before its end"
                )
            if (name, declared) in self._inputs:
                return
            if len(self._inputs) >= _MAX_INPUTS:
                raise RecordError(
                    f"the run uses {_MAX_INPUTS:,} files and folders already: declare the folder"
                    f" that holds {shown(name)} and the others in their place"
                )
            self._inputs[name, declared] = entry
            self._news += 1
            if declared is not None:
                self._waiting.append((Path(name), declared, entry))
                try:
                    self._start_thread()
                except RuntimeError as error:  # the system has no more threads
                    self._waiting.clear()
                    entry.state = "unfinished"
                    self._fault = error
        self._tell()

    def _tell(self) -> None:
        # Two threads may tell at once; who brought older news to the end tells again.
        told = -1
        while told != self._news:
            told = self._news
            self._changed()

    def _start_thread(self) -> None:
        if self._thread is None:
            thread = threading.Thread(target=self._hash_all, name="thexp-inputs", daemon=True)
            self._thread = thread  # before it starts, as it may end at once
            try:
                thread.start()
            except RuntimeError:
                self._thread = None
                raise

    def _hash_all(self) -> None:
        told = time.monotonic()
        while (job := self._next()) is not None:
            try:
                self._hash(*job)
                late = time.monotonic() - told > _TELL_SECONDS
                if not self._is_closed and (late or not self._waiting):
                    told = time.monotonic()
                    self._tell()
            except Exception as error:  # noqa: BLE001 - close() raises it
                self._fault = error

    def _next(self) -> tuple[Path, Stamp, _Input] | None:
        with self._lock:
            if self._waiting and not self._is_closed:
                return self._waiting.popleft()
            self._thread = None
            return None

    def _hash(self, path: Path, declared: Stamp, entry: _Input) -> None:
        found: dict[str, Any]
        try:
            if entry.kind == "folder":
                found = hash_folder(path, self._stopped)._asdict()
            else:
                one = hash_file(path, self._stopped)
                if stamp(path.stat()) != declared:
                    raise ChangedError
                found = {"sha256": one.sha256}
            found["state"] = "hashed"
        except StoppedError:
            return
        except (ChangedError, FileNotFoundError):
            found = {"state": "changed"}
        except OSError as error:
            found = {"state": "unreadable", "error": self._redactor.text(_reason(error, path))}
        with self._lock:
            if not self._is_closed:
                vars(entry).update(found)
                self._news += 1

    def _stopped(self) -> bool:
        return self._is_closed


def _no_input(named: str, error: OSError | ValueError) -> RecordError:
    reason = error.strerror if isinstance(error, OSError) else error
    folder, name = os.path.split(os.path.expanduser(named))  # noqa: PTH111 - as above
    try:
        with os.scandir(folder or ".") as entries:
            hint = near_miss(name, [entry.name for entry in islice(entries, _MAX_NEIGHBOURS)])
    except (OSError, ValueError):
        hint = ""
    return RecordError(
        f"the run cannot use {shown(named)}: {reason}; name a file or a folder that is there{hint}"
    )


def _reason(error: OSError, path: Path) -> str:
    reason = error.strerror or str(error)
    name = os.path.relpath(os.fsdecode(error.filename or path), path)
    return reason if name == "." else f"{name}: {reason}"
