"""Reading an archive that may be torn or hostile: all that is in it is checked first."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from thexp_pl.errors import RecordError
from thexp_pl.jsonable import loads
from thexp_pl.record.names import escaped, shown
from thexp_pl.upkeep.archive.layout import TABLE, File, Table

__all__ = ["Archive", "opened"]

_BLOCK = 1 << 20
_MAX_TABLE = 256 << 20
_MAX_RATIO = 100  # of an archive that holds more than `_BIG`; weights are not compressed at all
_BIG = 1 << 30
_DAMAGES = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    LookupError,
    OverflowError,
    MemoryError,
    OSError,
)


class Archive:
    """An archive whose entries are those of its table.

    Args:
        path: The file, for messages.
        file: It, as `zipfile` reads it.
        table: What it holds.
    """

    def __init__(self, path: Path, file: zipfile.ZipFile, table: Table) -> None:
        self.table = table
        self._path = path
        self._file = file

    def extract(self, entry: File, target: Path, progress: Callable[[int], None]) -> None:
        """Write a file of it out, once.

        Args:
            entry: The file.
            target: Where to; nothing may be there.
            progress: Called with the bytes of each block.

        Raises:
            RecordError: It is not what the table says.
            OSError: It cannot be written.
        """
        digest, size = hashlib.sha256(), 0
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        mode = 0o777 if entry.program else 0o666
        with os.fdopen(os.open(target, flags, mode), "wb") as out:
            for block in self._blocks(entry):
                digest.update(block)
                size += len(block)
                out.write(block)
                progress(len(block))
            out.flush()
            os.fsync(out.fileno())
        if size != entry.bytes or digest.hexdigest() != entry.sha256:
            raise _damaged(self._path, f"{shown(entry.path)} is not what was exported")

    def _blocks(self, entry: File) -> Iterator[bytes]:
        with _read_safely(self._path):
            source = self._file.open(entry.path)
        with source:
            while True:
                with _read_safely(self._path):
                    block = source.read(_BLOCK)
                if not block:
                    return
                yield block


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Archive]:
    """Open an archive and check everything but the content of its files.

    Args:
        path: The file.

    Yields:
        The archive.

    Raises:
        RecordError: It is no archive, damaged, or not to be trusted.
    """
    with contextlib.ExitStack() as stack:
        try:
            flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
            source = stack.enter_context(os.fdopen(os.open(path, flags), "rb"))
        except OSError as error:
            raise RecordError(
                f"cannot read {shown(str(path), 200)}: {error.strerror or error}; name a file that"
                " `thexp-pl export` wrote"
            ) from error
        facts = os.fstat(source.fileno())
        if not stat.S_ISREG(facts.st_mode):
            raise RecordError(f"{shown(str(path), 200)} is no regular file: name an archive")
        with _read_safely(path):
            file = stack.enter_context(zipfile.ZipFile(source))
            table = _table(path, file, facts.st_size)
        yield Archive(path, file, table)


def _table(path: Path, file: zipfile.ZipFile, size: int) -> Table:
    entries: dict[str, zipfile.ZipInfo] = {}
    for entry in file.infolist():
        fault = "it is there twice" if entry.filename in entries else _entry_fault(entry)
        if fault:
            raise _damaged(path, f"its entry {shown(entry.orig_filename)}: {fault}")
        entries[entry.filename] = entry
    total = sum(entry.file_size for entry in entries.values())
    if sum(entry.compress_size for entry in entries.values()) > size:
        raise _damaged(path, "its entries lie over one another")
    if total > _BIG and total > _MAX_RATIO * size:
        raise _damaged(path, f"its {size:,} bytes would become {total:,}")
    if TABLE not in entries or entries[TABLE].file_size > _MAX_TABLE:
        raise _damaged(path, f"it has no {TABLE} that can be read")
    try:
        table = Table.from_dict(loads(file.read(TABLE)))
    except RecordError as error:
        raise _damaged(path, str(error)) from error
    sizes = {name: entry.file_size for name, entry in entries.items() if name != TABLE}
    if sizes != {each.path: each.bytes for each in table.files}:
        raise _damaged(path, f"its entries are not those of its {TABLE}")
    return table


def _entry_fault(entry: zipfile.ZipInfo) -> str:
    if entry.orig_filename != entry.filename or entry.is_dir():
        return "it is no name of a file"
    if stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG):
        return "it is no regular file"
    if entry.flag_bits & 0x1:
        return "it is encrypted"
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "it is packed in another way than `thexp-pl export` does"
    return ""


@contextlib.contextmanager
def _read_safely(path: Path) -> Iterator[None]:
    try:
        yield
    except RecordError:
        raise
    except _DAMAGES as error:
        # without Python's own advice to the programmer, which comes after a semicolon
        reason = re.split(r"\n|; use sys\.", str(error))[0] or type(error).__name__
        raise _damaged(path, reason[:300]) from error


def _damaged(path: Path, reason: str) -> RecordError:
    return RecordError(
        f"{shown(str(path), 200)} cannot be imported: {escaped(reason)}; nothing of it was"
        " taken, export the runs anew"
    )
