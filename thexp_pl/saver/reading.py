"""Loading a state: validated against its sidecar first, then unpickled."""

from __future__ import annotations

import hashlib
import logging
import os
import pickle
import re
import stat
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from thexp_pl.errors import CheckpointError
from thexp_pl.saver.names import kind_of
from thexp_pl.saver.sidecar import DamagedError, Record, Sidecar, read_sidecar

if TYPE_CHECKING:
    from torch.serialization import MAP_LOCATION

__all__ = ["open_regular", "read_state", "verify"]

CHUNK_BYTES = 1 << 20

logger = logging.getLogger("thexp_pl.saver")


def read_state(
    path: Path, *, weights_only: bool, map_location: MAP_LOCATION
) -> tuple[Any, dict[str, Any]]:
    """Load the state in `path` and the user's info beside it.

    Raises:
        DamagedError: There is no such file, or it is not the one that its sidecar records.
        CheckpointError: It is whole, but cannot be loaded this way.
    """
    with open_regular(path) as file:
        sidecar = read_sidecar(path)
        if sidecar.record is None:
            logger.warning("%s was saved by thexp, without size and hash: loaded unverified", path)
        else:
            verify(file, path, sidecar.record)
        # the very file that was verified, even if the name now stands for another
        return _unpickle(file, path, sidecar, weights_only, map_location), sidecar.info


def open_regular(path: Path) -> IO[bytes]:
    """Open a regular file; a pipe or a device, which may never end, is refused at once.

    Args:
        path: The file; a symbolic link is followed.

    Returns:
        It, open for reading in binary.

    Raises:
        DamagedError: It is not there, cannot be read, or is no regular file.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError as error:
        raise DamagedError(f"cannot load {path}: {error.strerror}") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise DamagedError(f"cannot load {path}: it is not a regular file")
    return os.fdopen(descriptor, "rb")


def verify(file: IO[bytes], path: Path, record: Record) -> None:
    """Check that an open file is the one that its sidecar's record tells of.

    Args:
        file: The file, open for reading in binary.
        path: Its path, for its kind and for messages.
        record: The record.

    Raises:
        DamagedError: It is another file, or not whole.
    """
    kind = kind_of(path.name)
    named = kind.parse(path.name) if kind else None
    if named and named[0] != record.epoch:
        raise DamagedError(f"{path} is damaged: its sidecar is that of epoch {record.epoch}")
    try:
        size = os.fstat(file.fileno()).st_size
        if size != record.bytes:
            raise DamagedError(
                f"{path} is damaged: {size} bytes where its sidecar records {record.bytes}"
            )
        digest = hashlib.sha256()
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
        file.seek(0)
    except OSError as error:
        raise DamagedError(f"{path} cannot be read: {error.strerror}") from error
    if digest.hexdigest() != record.sha256:
        raise DamagedError(f"{path} is damaged: its sha256 is not the one its sidecar records")


def _unpickle(
    file: IO[bytes],
    path: Path,
    sidecar: Sidecar,
    weights_only: bool,
    map_location: MAP_LOCATION,
) -> Any:
    import torch  # here, so that a folder can be read without it

    try:
        return torch.load(file, map_location=map_location, weights_only=weights_only)
    except Exception as error:
        if weights_only and isinstance(error, pickle.UnpicklingError):
            found = re.search(r"(?:GLOBAL|class) ([\w.]+)", str(error))
            raise CheckpointError(
                f"{path} holds {found[1] if found else 'more'} beside tensors and plain values: "
                "weights_only=False loads it, but lets the file run any code, so only do that "
                "with a file you trust"
            ) from error
        # a file whose hash was right is not damaged, whatever keeps it from loading here
        failure = DamagedError if sidecar.record is None else CheckpointError
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise failure(f"{path} cannot be loaded: {reason}") from error
