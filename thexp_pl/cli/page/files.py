"""The files of a run, and what happened to each."""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from typing import NamedTuple

from thexp_pl.runs.events import changes_of
from thexp_pl.runs.run import Run

__all__ = ["RunFile", "files_of"]


class RunFile(NamedTuple):
    """A file.

    Args:
        path: Within the run.
        bytes: Its size; None where it is gone.
        history: What the journal says of it, such as ``created, modified 3 times``.
    """

    path: str
    bytes: int | None
    history: str


def files_of(run: Run) -> tuple[list[RunFile], list[RunFile]]:
    """List the files of a run.

    Args:
        run: The run.

    Returns:
        Those that are there, and those that were, such as checkpoints that newer ones replaced;
        each sorted by their paths.
    """
    told = _told(run)
    here = _walked(str(run.paths.folder))
    files = [RunFile(path, size, _history(told.get(path))) for path, size in sorted(here.items())]
    gone = sorted(told.keys() - here.keys())
    return files, [RunFile(path, None, _history(told[path])) for path in gone]


def _told(run: Run) -> dict[str, Counter[str]]:
    found: dict[str, Counter[str]] = {}
    for change in changes_of(run):
        if change.is_final:  # of each file once more, told of before or not
            found.setdefault(change.path, Counter({change.event: 1}))
            continue
        found.setdefault(change.path, Counter())[change.deed] += 1
        if change.to is not None:
            found.setdefault(change.to, Counter())["created"] += 1
    return found


def _walked(folder: str) -> dict[str, int | None]:
    found: dict[str, int | None] = {}
    for place, _, names in os.walk(folder):
        inner = os.path.relpath(place, folder)
        for name in names:
            size = None
            with contextlib.suppress(OSError):  # gone by now
                size = os.lstat(os.path.join(place, name)).st_size  # noqa: PTH118
            found[name if inner == "." else f"{inner}/{name}"] = size
    return found


def _history(told: Counter[str] | None) -> str:
    return ", ".join(
        deed if count == 1 else f"{deed} {count:,} times" for deed, count in (told or {}).items()
    )
