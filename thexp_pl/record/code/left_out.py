"""What a snapshot does not hold, and why."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from thexp_pl.record.code.rules import CACHE, DATA

__all__ = ["Bounds", "LeftOut", "parent"]

_SHOWN = 200
_COMMON = (DATA, CACHE)  # shown last: where the list is cut, they are missed least


def parent(path: bytes) -> bytes:
    """Name the folder that a file or folder is in.

    Args:
        path: As seen from the project.

    Returns:
        The same, with a final ``/``.

    >>> parent(b"data/x.csv"), parent(b"x.csv")
    (b'data/', b'./')
    """
    return (path.rpartition(b"/")[0] or b".") + b"/"


class LeftOut:
    """Collects files and folders that are left out; the same one twice counts once."""

    def __init__(self) -> None:
        self._found: dict[bytes, dict[str, Any]] = {}

    def add(self, path: bytes, why: str, size: int | None = None) -> None:
        """Note one.

        Args:
            path: The file or, with a final ``/``, the folder, as seen from the project.
            why: A few words.
            size: A file's bytes, where they matter.
        """
        entry: dict[str, Any] = {"path": os.fsdecode(path), "why": why}
        if size is not None:
            entry["bytes"] = size
        self._found.setdefault(path, entry)

    def __contains__(self, path: bytes) -> bool:
        return path in self._found

    def facts(self) -> dict[str, Any]:
        """Write them for the manifest.

        Returns:
            ``left_out``, at most 200 of them, and ``left_out_count``, how many there are.
        """
        entries = sorted(self._found.values(), key=lambda entry: entry["why"] in _COMMON)
        return {"left_out": entries[:_SHOWN], "left_out_count": len(entries)}


class Bounds:
    """Folders and files that are never part of a project's code, wherever they are named.

    Args:
        project: The project's folder.
        reasons: Why each of them is left out. What lies outside of the project, or holds it, is
            passed over.
    """

    def __init__(self, project: Path, reasons: dict[Path, str]) -> None:
        top = os.path.join(os.path.realpath(project), "")  # noqa: PTH118 - a final separator
        self._reasons: dict[bytes, str] = {}
        for path, why in reasons.items():
            real = os.path.realpath(path)
            if real.startswith(top):
                self._reasons[os.fsencode(real[len(top) :])] = why
        self._starts = tuple(path + b"/" for path in self._reasons)

    def close(self, folder: bytes, why: str) -> None:
        """Leave out one more folder.

        Args:
            folder: The folder as seen from the project, without a final ``/``.
            why: The reason.
        """
        self._reasons[folder] = why
        self._starts += (folder + b"/",)

    def find(self, path: bytes) -> tuple[bytes, str] | None:
        """Find the bound that a file or folder lies in.

        Args:
            path: As seen from the project.

        Returns:
            What is left out, with a final ``/`` for a folder, and why; None for none.
        """
        if path in self._reasons:
            return path, self._reasons[path]
        if path.startswith(self._starts):
            start = next(start for start in self._starts if path.startswith(start))
            return start, self._reasons[start[:-1]]
        return None
