"""What is kept beside the project's files: a notebook's cells, a script from elsewhere."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path

from thexp_pl.atomic import read_bytes
from thexp_pl.record.code.entry import entry_script, live_cells
from thexp_pl.record.code.rules import unfit

__all__ = ["entry_and_extras"]

_CELLS = "notebook_cells.py"


def entry_and_extras(
    project: Path | None, files: Iterable[bytes], max_bytes: int, redact: Callable[[str], str]
) -> tuple[bytes | None, dict[bytes, bytes]]:
    """Name what was started, and read what is kept beside the project's files.

    Args:
        project: The project's folder, symbolic links resolved.
        files: Its files that are kept: no other gets the name of one of them, or of their folders.
        max_bytes: A larger script is left out.
        redact: Takes secrets out of a notebook's cells.

    Returns:
        The entry's name in the snapshot, None where there is none, and contents by name.
    """
    taken = {path.partition(b"/")[0].lower() for path in files}
    extras: dict[bytes, bytes] = {}
    entry = None
    cells = live_cells(redact)
    if cells is not None:
        entry = _free_name(_CELLS, taken)
        extras[entry] = cells.encode("utf-8", "backslashreplace")
    script = entry_script()
    if script is not None:
        if project is not None and project in script.parents:
            return os.fsencode(script.relative_to(project)), extras
        if not unfit(os.fsencode(script)):
            with contextlib.suppress(OSError, ValueError):
                content = read_bytes(script, limit=max_bytes)
                entry = _free_name(script.name, taken)
                extras[entry] = content
    return entry, extras


def _free_name(name: str, taken: set[bytes]) -> bytes:
    """Find a name that no file system takes for another one's."""
    stem, suffix = os.path.splitext(os.fsencode(name))  # noqa: PTH122 - bytes
    free, number = stem + suffix, 0
    while free.lower() in taken:
        number += 1
        free = b"%b_%d%b" % (stem, number, suffix)
    taken.add(free.lower())
    return free
