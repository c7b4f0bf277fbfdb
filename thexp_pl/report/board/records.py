"""The records of an event file, read in a stream, whatever has become of the file.

TensorBoard's own reader swallows where it stopped and why, reserves whatever length a record
claims to have, and waits for ever at a pipe; so the frame of a record is read here, and its
checksums and contents by TensorBoard. A frame is the length (8 bytes), its checksum (4), the
record, its checksum (4); all are little-endian.
"""

# mypy: disable-error-code="import-untyped"
# tensorboard has no types

from __future__ import annotations

import contextlib
import errno
import os
import stat
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

if TYPE_CHECKING:
    from tensorboard.compat.proto.event_pb2 import Event

__all__ = ["EventRecord", "Place", "Records", "read_event"]

_HEAD = struct.Struct("<QI")
_TAIL = struct.Struct("<I")


class Place(NamedTuple):
    """Where a record lies.

    Args:
        path: The event file.
        offset: Its first byte.
        size: Its bytes.
    """

    path: Path
    offset: int
    size: int


class EventRecord(NamedTuple):
    """An event, and where it lies.

    Args:
        event: The event.
        place: Its place, for `read_event`.
    """

    event: Event
    place: Place


class Records:
    """Goes through the events of one file; `damage` says afterwards what was left out.

    Args:
        path: The file; it may be growing, torn or no event file at all.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.damage = ""

    def __iter__(self) -> Iterator[EventRecord]:
        from google.protobuf.message import DecodeError
        from tensorboard.compat.proto.event_pb2 import Event

        unusable = 0
        try:
            with _opened(self._path) as file:
                for place, data in self._frames(file):
                    try:
                        event = None if data is None else Event.FromString(data)
                    except DecodeError:
                        event = None
                    if event is None:
                        unusable += 1
                    else:
                        yield EventRecord(event, place)
        except OSError as error:
            self.damage = f"it cannot be read: {error.strerror or error}"
        if unusable:
            rest = f", and {self.damage}" if self.damage else ""
            self.damage = f"damaged records left out: {unusable}{rest}"

    def _frames(self, file: BinaryIO) -> Iterator[tuple[Place, bytes | None]]:
        """Give each record, None for one that is damaged where the next can be found."""
        from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import masked_crc32c

        size = os.fstat(file.fileno()).st_size
        offset = 0
        while offset < size:
            head = file.read(_HEAD.size)
            length, checksum = _HEAD.unpack(head) if len(head) == _HEAD.size else (0, None)
            if checksum is not None and checksum != masked_crc32c(head[:8]):
                self.damage = f"what follows byte {offset:,} of {size:,} is no record"
                return
            end = offset + _HEAD.size + length + _TAIL.size
            if checksum is None or end > size:
                self.damage = f"its last record is not whole ({size - offset:,} bytes)"
                return
            data, tail = file.read(length), file.read(_TAIL.size)
            if len(data) + len(tail) != length + _TAIL.size:  # cut off meanwhile
                self.damage = f"its last record is not whole ({size - offset:,} bytes)"
                return
            is_whole = _TAIL.unpack(tail)[0] == masked_crc32c(data)
            yield Place(self._path, offset + _HEAD.size, length), data if is_whole else None
            offset = end


def read_event(place: Place) -> Event:
    """Read one event again.

    Args:
        place: Where it lies.

    Returns:
        The event.

    Raises:
        OSError: The file cannot be read any more.
        ValueError: Something else lies there by now.
    """
    from google.protobuf.message import DecodeError
    from tensorboard.compat.proto.event_pb2 import Event

    with _opened(place.path) as file:
        file.seek(place.offset)
        data = file.read(place.size)
    try:
        if len(data) == place.size:
            return Event.FromString(data)
    except DecodeError:
        pass
    raise ValueError(f"{place.path.name} is another file by now")


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    # without O_NONBLOCK a pipe of that name would be waited for
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "not a regular file", os.fspath(path))
        yield file
