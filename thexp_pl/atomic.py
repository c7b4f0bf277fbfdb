"""Files written whole or not at all.

The bytes go to a temporary file in the target's own folder, are flushed to the disk and take the
target's name in one step; then the folder is flushed too. TMPDIR is never used: from another file
system the last step would be a copy, which a kill can cut in half.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from pathlib import Path
from typing import Any

from thexp_pl.jsonable import dumps, loads

__all__ = ["flush_folder", "read_bytes", "read_json", "write_bytes", "write_json", "write_text"]


def write_bytes(path: str | os.PathLike[str], data: bytes) -> None:
    """Replace a file's content in one step; readers see the old bytes or the new ones.

    Args:
        path: The file; a symbolic link is followed. Its permissions stay.
        data: The new content.

    Raises:
        OSError: It could not be written; the old file is untouched and nothing is left behind.
    """
    target = Path(os.path.realpath(path))
    temporary = target.parent / f".tmp-{os.urandom(8).hex()}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        with os.fdopen(descriptor, "wb") as file:
            with contextlib.suppress(FileNotFoundError):
                os.fchmod(file.fileno(), stat.S_IMODE(target.stat().st_mode))
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    flush_folder(target.parent)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Replace a file's content by a text in UTF-8; see `write_bytes`.

    Args:
        path: The file.
        text: The new content; a lone surrogate is written as its escape.

    Raises:
        OSError: As `write_bytes`.
    """
    write_bytes(path, text.encode("utf-8", "backslashreplace"))


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Replace a file's content by a value as indented JSON; see `write_bytes`.

    Args:
        path: The file.
        value: Anything; `thexp_pl.jsonable` says what becomes of it.

    Raises:
        OSError: As `write_bytes`.
    """
    write_bytes(path, dumps(value, indent=2) + b"\n")


def read_bytes(path: str | os.PathLike[str], *, limit: int) -> bytes:
    """Read a regular file; a pipe or a device, which may never end, is refused at once.

    Args:
        path: The file; a symbolic link is followed.
        limit: The most bytes it may have.

    Returns:
        Its content.

    Raises:
        OSError: It cannot be read, or is no regular file.
        ValueError: It is larger than `limit`.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    with contextlib.ExitStack() as stack:
        stack.callback(os.close, descriptor)
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            raise OSError(errno.EINVAL, "not a regular file", os.fspath(path))
        file = stack.enter_context(os.fdopen(descriptor, "rb", closefd=False))
        data = file.read(limit + 1) if facts.st_size <= limit else b""
    if max(len(data), facts.st_size) > limit:
        raise ValueError(f"larger than {limit} bytes")
    return data


def read_json(path: str | os.PathLike[str], *, limit: int = 64 << 20) -> Any:
    """Read a file of strict JSON, whoever wrote it.

    Args:
        path: The file.
        limit: The most bytes it may have.

    Returns:
        The value.

    Raises:
        OSError: It cannot be read, or is no regular file.
        ValueError: It is larger than `limit` or not strict JSON in UTF-8.
    """
    return loads(read_bytes(path, limit=limit))


def flush_folder(folder: Path) -> None:
    """Have the disk keep the names given and taken in a folder so far.

    Args:
        folder: The folder. Where its file system cannot flush one, nothing happens: the files
            themselves are safe by then.
    """
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
