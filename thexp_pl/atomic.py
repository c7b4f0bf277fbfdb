"""Files written whole or not at all.

The bytes go to a temporary file in the target's own folder, are flushed to the disk and take the
target's name in one step; then the folder is flushed too. TMPDIR is never used: from another file
system the last step would be a copy, which a kill can cut in half.
"""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path
from typing import Any

from thexp_pl.jsonable import dumps, loads

__all__ = ["read_json", "write_bytes", "write_json", "write_text"]


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
    _flush_folder(target.parent)


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


def read_json(path: str | os.PathLike[str], *, limit: int = 64 << 20) -> Any:
    """Read a file of strict JSON, whoever wrote it.

    Args:
        path: The file.
        limit: The most bytes it may have.

    Returns:
        The value.

    Raises:
        OSError: It cannot be read.
        ValueError: It is larger than `limit` or not strict JSON in UTF-8.
    """
    with Path(path).open("rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise ValueError(f"larger than {limit} bytes")
    return loads(data)


def _flush_folder(folder: Path) -> None:
    # Some file systems cannot flush a folder; the file itself is safe by then.
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
