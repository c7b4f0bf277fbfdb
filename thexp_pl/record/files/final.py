"""What each file is like at the end of a run, its SHA-256 included."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import re
from pathlib import Path
from time import monotonic
from typing import Any

from thexp_pl.atomic import read_json
from thexp_pl.record.files.known import KnownFiles
from thexp_pl.record.files.stamps import Stamp, stamp_from, stamp_of
from thexp_pl.record.files.teller import MAX_CHANGES, Teller

__all__ = ["Hashes", "write_final"]

_MAX_BYTES = 1 << 30  # hashed within a second, mostly
_MAX_SECONDS = 2.0
_MAX_SIDECAR = 1 << 20
_BLOCK = 1 << 20


def write_final(known: KnownFiles, teller: Teller) -> None:
    """Write a line for each file that the run made or modified and that is there.

    Of too many, the newest are written. Small ones are hashed first, until `_MAX_BYTES` are read or
    `_MAX_SECONDS` are over, so that a run ends soon whatever it leaves behind.

    Args:
        known: The files, as they are now.
        teller: Where the lines go.
    """
    files = [file for file in known.changed() if teller.records(file[1])]
    if len(files) > MAX_CHANGES:
        files.sort(key=lambda file: file[2].modified, reverse=True)
        teller.remark(
            f"{len(files):,} files are left, of which the newest {MAX_CHANGES:,} are told of"
        )
    hashes = Hashes(_MAX_BYTES, _MAX_SECONDS)
    for event, path, stamp in sorted(files[:MAX_CHANGES], key=lambda file: file[2].size):
        teller.tell_final(event, path, *hashes.content(path, stamp))


class Hashes:
    """Hashes files for as long as it may.

    Args:
        max_bytes: How many bytes are read at most.
        max_seconds: How long that may take.
    """

    def __init__(self, max_bytes: int, max_seconds: float) -> None:
        self._max_bytes = self._left = max_bytes
        self._max_seconds = max_seconds
        self._deadline = monotonic() + max_seconds

    def content(self, path: str, stamp: Stamp) -> tuple[Stamp, dict[str, Any]]:
        """Find out what is in a file, and what it was like at that moment.

        Args:
            path: The file.
            stamp: Its stamp.

        Returns:
            Its stamp when it was read, and its ``sha256``, the ``link`` that it is, or why it is
            ``unhashed``.
        """
        try:
            if stamp.is_link:
                return stamp, {"link": str(Path(path).readlink())}
            recorded = _recorded_hash(path, stamp)
            return (stamp, {"sha256": recorded}) if recorded else self._read(path)
        except OSError as error:
            return stamp, {"unhashed": f"it cannot be read: {error.strerror}"}

    def _read(self, path: str) -> tuple[Stamp, dict[str, Any]]:
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_NOFOLLOW | os.O_CLOEXEC
        with io.FileIO(os.open(path, flags)) as file:
            stamp = stamp_from(os.fstat(file.fileno()))
            if stamp is None:  # it was, when it was looked at
                raise OSError(errno.EINVAL, "not a regular file", path)
            if stamp.size > self._left:
                return stamp, {
                    "unhashed": f"more than {self._max_bytes:,} bytes are left by the run"
                }
            self._left -= stamp.size
            digest = self._digest(file)
            if digest is None:
                return stamp, {"unhashed": f"it took more than {self._max_seconds:.0f} s"}
            after = stamp_from(os.fstat(file.fileno()))
        if after != stamp:
            return after or stamp, {"unhashed": "it was being written"}
        return stamp, {"sha256": digest}

    def _digest(self, file: io.FileIO) -> str | None:
        digest = hashlib.sha256()
        while block := file.read(_BLOCK):
            digest.update(block)
            if monotonic() > self._deadline:
                return None
        return digest.hexdigest()


def _recorded_hash(path: str, stamp: Stamp) -> str | None:
    """Take the hash from a checkpoint's sidecar, if that was written after the file, and of it."""
    beside = f"{path}.json"
    written = stamp_of(beside)
    if written is None or written.is_link or written.modified < stamp.modified:
        return None
    try:
        record = read_json(beside, limit=_MAX_SIDECAR)["_record"]
        size, sha256 = record["bytes"], record["sha256"]
    except (OSError, ValueError, LookupError, TypeError):
        return None
    fits = type(size) is int and size == stamp.size and isinstance(sha256, str)
    return sha256 if fits and re.fullmatch("[0-9a-f]{64}", sha256) else None
