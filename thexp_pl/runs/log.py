"""The last lines that a run printed."""

from __future__ import annotations

import errno
import os
import stat

from thexp_pl.record.inside import check_inside
from thexp_pl.record.paths import RunPaths

__all__ = ["last_lines"]

_MOST = 4 << 20


def last_lines(paths: RunPaths, count: int, most: int = _MOST) -> list[str]:
    """Read the last lines that a run printed, also of one that goes on.

    Args:
        paths: The run's files.
        count: The most lines, from 1.
        most: How many bytes are read, from the end.

    Returns:
        The lines without their ends, the first perhaps without its beginning; none where there is
        no file. Bytes that are not UTF-8 are replaced.

    Raises:
        OSError: The log is there but cannot be read, is no regular file, or a link leads out of
            the run's folder.
    """
    path = paths.console
    check_inside(path, paths.folder)
    try:
        # not a plain `open`, which would wait for ever at a pipe
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except FileNotFoundError:
        return []
    try:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            raise OSError(errno.EINVAL, "not a regular file", os.fspath(path))
        begin = max(facts.st_size - most, 0)
        text = os.pread(descriptor, most, begin).decode("utf-8", "replace")
    finally:
        os.close(descriptor)
    return text.removesuffix("\n").split("\n")[-count:] if text else []
